package run

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/virtmatrix/virtmatrix/internal/journal"
	"github.com/virtmatrix/virtmatrix/internal/rundir"
	"github.com/virtmatrix/virtmatrix/internal/verdict"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// Answers returns the records of a run's journal that count, and the lines that are
// none. In a run that asks every check, answers out of the cache do not.
func Answers(dir *rundir.Dir) ([]journal.Record, journal.Damage, error) {
	wish, err := dir.Wish()
	if err != nil {
		return nil, nil, err
	}
	records, damage, err := journal.Read(dir.Path())
	if wish.Fresh {
		records = slices.DeleteFunc(records, func(r journal.Record) bool { return r.Cached != nil })
	}
	return records, damage, err
}

// Recalled is what the cache answers of a plan.
type Recalled struct {
	// Records are the answers, as the journal of a run takes them, in the order of
	// the plan.
	Records []journal.Record
	// Problems are entries that were no good, and what else kept answers from
	// being found. Those checks are asked.
	Problems []error
}

// recallJournal is the number of the journal that has the answers out of the
// cache. The processes of the suites count from 1.
const recallJournal = 0

// Answer answers from the cache what a run of the plan has not answered, and
// journals it. tell is told what kept answers from being found. The error is about
// the run's folder.
func (v *Verdicts) Answer(ctx context.Context, dir *rundir.Dir, tell func(error)) ([]journal.Record, error) {
	earlier, _, err := Answers(dir)
	if err != nil {
		return nil, err
	}
	found := v.Recall(dir.Path(), Revision(ctx), journal.Answered(v.plan, earlier))
	for _, problem := range found.Problems {
		tell(problem)
	}
	if len(found.Records) == 0 {
		return nil, nil
	}
	answers, err := journal.Open(dir.Path(), recallJournal)
	if err != nil {
		return nil, err
	}
	return found.Records, errors.Join(answers.AppendAll(found.Records), answers.Close())
}

// Recall answers from the cache what the plan asks and earlier answers have not
// answered. The evidence of failures is put into the run's folder; with an empty
// dir nothing is written. harness is the revision of virtmatrix that looks.
func (v *Verdicts) Recall(dir, harness string, earlier journal.Answers) Recalled {
	found := make([]Recalled, len(v.plan.Cells))
	var group errgroup.Group
	group.SetLimit(runtime.NumCPU())
	for i := range v.plan.Cells {
		group.Go(func() error {
			r := recaller{Verdicts: v, dir: dir, harness: harness, cell: &v.plan.Cells[i]}
			found[i] = r.recall(earlier[v.plan.Cells[i].ID])
			return nil
		})
	}
	_ = group.Wait() // each has told its own problems
	var all Recalled
	for _, f := range found {
		all.Records = append(all.Records, f.Records...)
		all.Problems = append(all.Problems, f.Problems...)
	}
	return all
}

// recaller looks up the answers of one cell.
type recaller struct {
	*Verdicts
	dir, harness string
	cell         *matrix.Cell
}

func (r *recaller) recall(earlier map[string]matrix.Verdict) Recalled {
	var out Recalled
	for _, check := range r.cell.Checks {
		if !check.Asked() || earlier[check.ID] != "" {
			continue
		}
		rec, err := r.answer(check)
		switch {
		case errors.Is(err, verdict.ErrNone):
			continue
		case err != nil:
			out.Problems = append(out.Problems, fmt.Errorf("%s of %s: %w", check.ID, r.cell.ID, err))
			continue
		}
		out.Records = append(out.Records, rec)
	}
	return out
}

// answer is the cache's answer to one check.
func (r *recaller) answer(check matrix.PlannedCheck) (journal.Record, error) {
	q, err := r.question(r.cell, check)
	if err != nil {
		return journal.Record{}, verdict.ErrNone // the image is built, and the check asked
	}
	entry, key, err := r.store.Get(q)
	if err != nil {
		return journal.Record{}, err
	}
	if r.dir != "" {
		if err := entry.Unpack(r.dir); err != nil {
			return journal.Record{}, err
		}
	}
	return r.again(check, entry, key), nil
}

// again makes a kept answer one of this plan. Which revision gave it stays true.
func (r *recaller) again(check matrix.PlannedCheck, entry verdict.Entry, key string) journal.Record {
	ask, rec := journal.Ask(r.plan, r.cell, check), entry.Record
	rec.Cached = &journal.Cached{Run: entry.Run, Time: rec.Started, Seconds: rec.Seconds, Harness: rec.Harness, Key: key}
	rec.Plan, rec.Repeat = ask.Plan, ask.Repeat
	rec.Started, rec.Seconds, rec.GuestSeconds = time.Now().UTC(), 0, 0
	return rec
}
