package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/journal"
	"github.com/virtmatrix/virtmatrix/internal/progress"
	"github.com/virtmatrix/virtmatrix/internal/run"
	"github.com/virtmatrix/virtmatrix/internal/verdict"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/reports"
)

// recall answers from the cache what it knows of the plan, and says so. That it
// cannot be looked into is no error: the checks are asked then.
func (r *runner) recall() error {
	start := time.Now()
	defer func() { r.cache = time.Since(start) }()
	source, err := r.sourceRoot()
	if err != nil {
		return nil // without the suites nothing runs, and that is told then
	}
	if kept, _, err := verdict.In(run.Kept(r.Home)).Old(0); err == nil && len(kept) == 0 {
		return nil
	}
	verdicts, err := r.verdicts(r.plan, source, r.by)
	if errors.Is(err, run.ErrNotProbed) {
		// The suites would boot for it, too: it is early, and not more.
		if err := r.probe(); err != nil {
			return err
		}
		verdicts, err = r.verdicts(r.plan, source, r.by)
	}
	if err != nil {
		fmt.Fprintln(r.stderr, err)
		return nil
	}
	records, err := verdicts.Answer(r.dir, r.note)
	if err != nil || len(records) == 0 {
		return err
	}
	r.recalled = true
	fmt.Fprintf(r.stderr, "%s: %d of %s are answered from the cache; -fresh asks again\n",
		short(r.dir.Path()), len(records), number(planned(r.plan), "check"))
	return nil
}

// probe finds out what runs hosts here, which kept answers depend on.
func (r *runner) probe() error {
	fmt.Fprintf(r.stderr, "%s: booting a kernel to find out what runs hosts here: kept answers depend on it\n", short(r.dir.Path()))
	sink, done := r.show(nil)
	defer done()
	d, cat, err := r.builder(sink)
	if err != nil {
		return err
	}
	_, err = d.Probe(r.ctx, cat, r.plan)
	return err
}

// verdicts opens the cache of verdicts for a plan, as one sees it who judges by rules.
func (a *app) verdicts(plan *matrix.Plan, source string, by *judge) (*run.Verdicts, error) {
	d, err := a.driver(func(progress.Event) {})
	if err != nil {
		return nil, err
	}
	v, err := d.Verdicts(a.ctx, plan, source)
	if err == nil && by != nil {
		v.Known = func(rec journal.Record) bool {
			m := reports.Judge(plan, []journal.Record{rec}, journal.Damage{})
			return len(by.explain(m, rec.Cell, rec.Check)) > 0
		}
	}
	return v, err
}

// showKept tells how many of a plan's checks a run would take from the cache.
func (a *app) showKept(plan *matrix.Plan) error {
	source, err := a.sourceRoot()
	if err != nil || plan.Hash == "" {
		return nil // nothing could be run
	}
	by, err := (ruling{}).read(a)
	if err != nil {
		return err
	}
	verdicts, err := a.verdicts(plan, source, &by)
	if err != nil {
		fmt.Fprintln(a.stderr, err)
		return nil
	}
	found, problems := verdicts.Recall(nil)
	for _, problem := range problems {
		fmt.Fprintln(a.stderr, problem)
	}
	_, err = fmt.Fprintf(a.stdout, "%d of %s have an answer in the cache\n", len(found), number(planned(plan), "check"))
	return err
}

// planned counts the checks that a plan asks.
func planned(plan *matrix.Plan) int {
	checks := 0
	for i := range plan.Cells {
		checks += plan.Cells[i].Asked()
	}
	return checks
}

// note tells something about the whole run, here and in its report.
func (r *runner) note(what error) {
	fmt.Fprintln(r.stderr, what)
	if err := r.dir.Note(what.Error()); err != nil {
		fmt.Fprintln(r.stderr, err)
	}
}

// verdicts removes the kept verdicts that are older.
func (g *collector) verdicts(age time.Duration) error {
	paths, bytes, err := verdict.In(run.Kept(g.Home)).Old(age)
	if err != nil || len(paths) == 0 {
		return err
	}
	return g.remove(number(len(paths), "kept verdict"), bytes, func() error {
		var failed []error
		for _, path := range paths {
			if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				failed = append(failed, err)
			}
		}
		return errors.Join(failed...)
	})
}
