package run

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/journal"
	"github.com/virtmatrix/virtmatrix/internal/rundir"
	"github.com/virtmatrix/virtmatrix/internal/verdict"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// Answers returns the records of a run's journal that count, and where it is not as
// it was written. In a run that asks every check, answers out of the cache do not
// count.
func Answers(dir *rundir.Dir) ([]journal.Record, journal.Damage, error) {
	options, err := dir.Options()
	if err != nil {
		return nil, nil, err
	}
	records, damage, err := journal.Read(dir.Path())
	if options.Fresh {
		records = slices.DeleteFunc(records, func(r journal.Record) bool { return r.Cached != nil })
	}
	return records, damage, err
}

// recallJournal is the number of the journal that has the answers out of the
// cache. The processes of the suites count from 1.
const recallJournal = 0

// Answer answers from the cache what a run of the plan has not answered, and
// journals it. tell is told what kept answers from being found. The error is about
// the run's folder.
func (v *Verdicts) Answer(dir *rundir.Dir, tell func(error)) ([]journal.Record, error) {
	earlier, _, err := Answers(dir)
	if err != nil {
		return nil, err
	}
	found, problems := v.Recall(journal.Answered(v.plan, earlier))
	for _, problem := range problems {
		tell(problem)
	}
	if len(found) == 0 {
		return nil, nil
	}
	answers, err := journal.Open(dir.Path(), recallJournal)
	if err != nil {
		return nil, err
	}
	return found, errors.Join(answers.AppendAll(found), answers.Close())
}

// Recall answers from the cache what the plan asks and earlier answers have not
// answered, in the order of the plan. The problems are entries that were no good;
// their checks are asked.
func (v *Verdicts) Recall(earlier journal.Answers) (found []journal.Record, problems []error) {
	for i := range v.plan.Cells {
		cell := &v.plan.Cells[i]
		for _, check := range cell.Checks {
			if !check.Asked() || earlier[cell.ID][check.ID] != "" {
				continue
			}
			key, err := v.key(cell, check)
			if err != nil {
				continue // the image is built, and the check asked
			}
			entry, err := v.store.Get(key)
			switch {
			case errors.Is(err, verdict.ErrNone):
			case err != nil:
				problems = append(problems, fmt.Errorf("%s of %s: %w", check.ID, cell.ID, err))
			default:
				rec := v.again(cell, check, entry, key)
				if entry.Answers() || check.OfImages() && v.Known != nil && v.Known(rec) {
					found = append(found, rec)
				}
			}
		}
	}
	return found, problems
}

// again makes a kept answer one of this plan. Which revision gave it stays true.
// Its evidence, if any, is in the folder of the run that gave it.
func (v *Verdicts) again(cell *matrix.Cell, check matrix.PlannedCheck, entry verdict.Entry, key string) journal.Record {
	ask, rec := journal.Ask(v.plan, cell, check), entry.Record
	rec.Cached = &journal.Cached{Run: entry.Run, Time: rec.Started, Seconds: rec.Seconds, Harness: rec.Harness, Key: key}
	rec.Plan, rec.Repeat, rec.Evidence = ask.Plan, ask.Repeat, ""
	rec.Started, rec.Seconds, rec.GuestSeconds = time.Now().UTC(), 0, 0
	return rec
}
