package run

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/virtmatrix/virtmatrix/internal/journal"
	"github.com/virtmatrix/virtmatrix/internal/verdict"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// Keeper journals the answers of a run and keeps those that may be given again.
// The journal comes first: what cannot be kept is not lost.
type Keeper struct {
	// Journal takes all answers, Verdicts those to keep; nil keeps none.
	Journal  *journal.Writer
	Verdicts *Verdicts
	// Dir is the folder of the run. Tell is told, once, why answers are not kept.
	Dir  string
	Tell func(error)

	once sync.Once
}

// Append journals an answer.
func (k *Keeper) Append(rec journal.Record) error {
	if err := k.Journal.Append(rec); err != nil || k.Verdicts == nil {
		return err
	}
	if err := k.Verdicts.Keep(rec, k.Dir); err != nil {
		k.once.Do(func() { k.Tell(err) })
	}
	return nil
}

// Keep keeps an answer that the run in a folder gave, if it is one to be given
// again. Otherwise an older one that it may contradict is kept no longer.
func (v *Verdicts) Keep(rec journal.Record, dir string) error {
	if !verdict.Tells(&rec) {
		return nil
	}
	cell := v.plan.Cell(rec.Cell)
	if cell == nil || rec.Plan != v.plan.Hash {
		return fmt.Errorf("cannot keep verdict: %s of %s is no answer to the plan", rec.Check, rec.Cell)
	}
	at := slices.IndexFunc(cell.Checks, func(c matrix.PlannedCheck) bool { return c.ID == rec.Check })
	if at < 0 {
		return fmt.Errorf("cannot keep verdict: the plan does not ask %s of %s", rec.Check, rec.Cell)
	}
	q, err := v.question(cell, cell.Checks[at])
	if err != nil {
		return fmt.Errorf("cannot keep verdict: %w", err)
	}
	if v.doubt != nil {
		return errors.Join(v.doubt, v.store.Forget(q))
	}
	return v.store.Put(q, rec, dir)
}
