package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/journal"
	"github.com/virtmatrix/virtmatrix/internal/progress"
	"github.com/virtmatrix/virtmatrix/internal/run"
	"github.com/virtmatrix/virtmatrix/internal/verdict"
	"github.com/virtmatrix/virtmatrix/matrix"
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
	if kept, err := verdict.In(run.Kept(r.Home)).List(); err == nil && len(kept) == 0 {
		return nil
	}
	verdicts, err := r.verdicts(r.plan, source)
	if errors.Is(err, run.ErrNotProbed) {
		// The suites would boot for it, too: it is early, and not more.
		if err := r.probe(); err != nil {
			return err
		}
		verdicts, err = r.verdicts(r.plan, source)
	}
	if err != nil {
		fmt.Fprintln(r.stderr, err)
		return nil
	}
	records, err := verdicts.Answer(r.ctx, r.dir, r.note)
	if err != nil || len(records) == 0 {
		return err
	}
	r.recalled = true
	_, err = fmt.Fprintf(r.stderr, "%s: %s; -fresh asks again\n", short(r.dir.Path()), recalledWords(r.plan, records, time.Now()))
	return err
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

// verdicts opens the cache of verdicts for a plan.
func (a *app) verdicts(plan *matrix.Plan, source string) (*run.Verdicts, error) {
	d, err := a.driver(func(progress.Event) {})
	if err != nil {
		return nil, err
	}
	return d.Verdicts(a.ctx, plan, source)
}

// showKept tells how many of a plan's checks a run would take from the cache.
func (a *app) showKept(plan *matrix.Plan) error {
	source, err := a.sourceRoot()
	if err != nil || plan.Hash == "" {
		return nil // nothing could be run
	}
	verdicts, err := a.verdicts(plan, source)
	if err != nil {
		fmt.Fprintln(a.stderr, err)
		return nil
	}
	checks := 0
	for i := range plan.Cells {
		checks += plan.Cells[i].Asked()
	}
	found := verdicts.Recall("", "", nil)
	for _, problem := range found.Problems {
		fmt.Fprintln(a.stderr, problem)
	}
	_, err = fmt.Fprintf(a.stdout, "%d of %s have an answer in the cache\n", len(found.Records), number(checks, "check"))
	return err
}

// note tells something about the whole run, here and in its report.
func (r *runner) note(what error) {
	fmt.Fprintln(r.stderr, what)
	if err := r.dir.Note(what.Error()); err != nil {
		fmt.Fprintln(r.stderr, err)
	}
}

// recalledWords says how much of a plan is answered from the cache: "60 of 64 cells
// are answered from the cache (run 20261121-221000-smoke of yesterday 22:10)". Cells
// that are asked nothing are not counted.
func recalledWords(plan *matrix.Plan, records []journal.Record, now time.Time) string {
	answered := journal.Answered(plan, records)
	cells, all, partly, checks := 0, 0, 0, 0
	for i := range plan.Cells {
		c := &plan.Cells[i]
		asked := c.Asked()
		if asked == 0 {
			continue
		}
		all++
		switch got := len(answered[c.ID]); {
		case got == asked:
			cells++
		case got > 0:
			partly, checks = partly+1, checks+got
		}
	}
	var words string
	switch {
	case cells == all && cells > 1:
		words = fmt.Sprintf("all %d cells", cells)
	case cells > 0:
		words = fmt.Sprintf("%d of %s", cells, number(all, "cell"))
	}
	if partly > 0 {
		if words != "" {
			words += " and "
		}
		words += fmt.Sprintf("%s of %s", number(checks, "check"), number(partly, "cell"))
		if cells > 0 {
			words += " more"
		}
	}
	verb := "are"
	if cells+checks == 1 {
		verb = "is"
	}
	return fmt.Sprintf("%s %s answered from the cache (%s)", words, verb, origin(records, now))
}

// origin names the run that most lately gave one of the answers, and counts the
// others.
func origin(records []journal.Record, now time.Time) string {
	runs := map[string]bool{}
	latest := records[0].Cached
	for _, r := range records {
		runs[r.Cached.Run] = true
		if r.Cached.Time.After(latest.Time) {
			latest = r.Cached
		}
	}
	words := fmt.Sprintf("run %s of %s", latest.Run, day(latest.Time, now))
	if n := len(runs) - 1; n > 0 {
		words += fmt.Sprintf(" and %s before it", number(n, "run"))
	}
	return words
}

// day writes a time as people say it: "today 22:10", "yesterday 22:10", and after
// that the date.
func day(at, now time.Time) string {
	at, now = at.Local(), now.Local()
	clock := at.Format("15:04")
	midnight := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, now.Location())
	switch {
	case at.After(now):
	case !at.Before(midnight):
		return "today " + clock
	case !at.Before(midnight.AddDate(0, 0, -1)):
		return "yesterday " + clock
	}
	return at.Format("2006-01-02 15:04")
}
