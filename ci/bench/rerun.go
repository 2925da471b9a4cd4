package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/virtmatrix/virtmatrix/internal/journal"
	"github.com/virtmatrix/virtmatrix/internal/run"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// reruns measures a run of the whole grid of which the cache knows every answer.
// The answers are made up: to be looked up, verified, journalled, judged and shown
// they need not be true.
func (l *lab) reruns(ctx context.Context, command string, plan *matrix.Plan) ([]row, error) {
	l.say("making sure of the images of %d cells, and of what runs hosts here", len(plan.Cells))
	home, err := l.homeWith("apt", "packages", "images", "locks")
	if err != nil {
		return nil, err
	}
	d, err := run.Open(run.Config{Home: home, Runtime: l.driver.Runtime()})
	if err != nil {
		return nil, err
	}
	if _, err := d.Probe(ctx, l.catalog, plan); err != nil {
		return nil, err
	}
	answers, err := keepAll(ctx, d, home, plan)
	if err != nil {
		return nil, err
	}
	b := &catBench{lab: l, argv: append([]string{command, "run", "-home", home, "-runs", l.file("reruns")}, grid...)}
	if err := quietly(ctx, b.argv...); err != nil {
		return nil, err
	}
	if err := allCached(l.file("reruns"), answers); err != nil {
		return nil, err
	}
	r, err := b.compare(ctx, fmt.Sprintf("run of it with nothing changed, %d answers from the cache", answers), &target{Of: ofOurs, Most: 3})
	return []row{r}, err
}

// homeWith is a cache of our own that shares some entries with the real one.
func (l *lab) homeWith(shared ...string) (string, error) {
	home := l.file("home-of-" + l.measure)
	if err := os.MkdirAll(home, 0o755); err != nil {
		return "", err
	}
	for _, name := range shared {
		if err := os.Symlink(filepath.Join(l.home, name), filepath.Join(home, name)); err != nil {
			return "", err
		}
	}
	return home, nil
}

// keepAll puts an answer to each check of a plan into the cache of a home, and
// returns how many there are.
func keepAll(ctx context.Context, d *run.Driver, home string, plan *matrix.Plan) (int, error) {
	root, err := run.ModuleRoot(ctx)
	if err != nil {
		return 0, err
	}
	verdicts, err := d.Verdicts(ctx, plan, root)
	if err != nil {
		return 0, err
	}
	kept := 0
	for i := range plan.Cells {
		c := &plan.Cells[i]
		for _, check := range c.Checks {
			if !check.Asked() {
				continue
			}
			rec := journal.Ask(plan, c, check)
			rec.Verdict, rec.Attempts, rec.Harness, rec.Seconds = matrix.Pass, 1, "bench", 1
			if err := verdicts.Keep(rec, home); err != nil {
				return kept, err
			}
			kept++
		}
	}
	return kept, nil
}

// allCached makes sure that a run was answered by the cache alone.
func allCached(runs string, want int) error {
	records, err := latest(runs)
	if err != nil {
		return err
	}
	cached := 0
	for _, r := range records {
		if r.Cached != nil {
			cached++
		}
	}
	if cached != want || len(records) != want {
		return fmt.Errorf("cannot measure a run with nothing changed: of %d answers %d came from the cache, wanted are %d", len(records), cached, want)
	}
	return nil
}
