package run

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/virtmatrix/virtmatrix/internal/journal"
	"github.com/virtmatrix/virtmatrix/internal/verdict"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// Recorder journals the answers of a run and keeps them. The journal comes first:
// what cannot be kept is not lost.
type Recorder struct {
	// Journal takes all answers, Verdicts those to keep; nil keeps none.
	Journal  *journal.Writer
	Verdicts *Verdicts
	// Dir is the folder of the run. Tell is told, once, why answers are not kept.
	Dir  string
	Tell func(error)

	once sync.Once
}

// Append journals an answer. A failure that an earlier run gave to the same
// question is noted beside it.
func (k *Recorder) Append(rec journal.Record) error {
	keeps := k.Verdicts != nil && verdict.Conclusive(&rec)
	if keeps {
		rec.Notes = append(rec.Notes, k.Verdicts.failures(&rec)...)
	}
	if err := k.Journal.Append(rec); err != nil || !keeps {
		return err
	}
	if err := k.Verdicts.Keep(rec, k.Dir); err != nil {
		k.once.Do(func() { k.Tell(err) })
	}
	return nil
}

// Keep keeps an answer that the run in a folder gave. When nobody knows what code
// gave it, it only takes the place of an older one, which it may contradict.
func (v *Verdicts) Keep(rec journal.Record, dir string) error {
	key, err := v.keyOf(&rec)
	switch {
	case errors.Is(err, errAskedAnew):
		return nil
	case err != nil:
		return fmt.Errorf("cannot keep verdict: %w", err)
	case v.uncacheable != nil:
		return errors.Join(v.uncacheable, v.store.Forget(key))
	}
	return v.store.Put(key, rec, filepath.Base(dir))
}

// failures tells of the failure that is kept of the question which a record
// answers, if there is one.
func (v *Verdicts) failures(rec *journal.Record) []string {
	key, err := v.keyOf(rec)
	if err != nil || v.uncacheable != nil {
		return nil
	}
	old, err := v.store.Get(key)
	if err != nil || old.Answers() {
		return nil
	}
	reason, _, _ := strings.Cut(old.Record.Reason, "\n")
	return []string{fmt.Sprintf("run %s of %s answered FAIL to the same question: %s",
		old.Run, old.Record.Started.UTC().Format("2006-01-02 15:04 UTC"), reason)}
}

// keyOf is the key of the question that a record answers.
func (v *Verdicts) keyOf(rec *journal.Record) (string, error) {
	if cell := v.plan.Cell(rec.Cell); cell != nil && rec.Plan == v.plan.Hash {
		at := slices.IndexFunc(cell.Checks, func(c matrix.PlannedCheck) bool { return c.ID == rec.Check })
		if at >= 0 {
			return v.key(cell, cell.Checks[at])
		}
	}
	return "", fmt.Errorf("the plan does not ask %s of %s", rec.Check, rec.Cell)
}
