package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/rundir"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/reports"
)

type localiseVerb struct {
	Words []string `arg:"" optional:"" name:"[run] [check]" help:"Parts of names of checks, whose failures are localised; before them, if not the latest is meant, the run."`
	ruling
	Cells    int `default:"8" placeholder:"N" help:"Ask at most N cells for each finding (${default})."`
	Parallel int `placeholder:"N" help:"Run N cells side by side (as many as fit)."`
}

// Help is what virtmatrix localise --help says beyond the flags.
func (*localiseVerb) Help() string {
	return `A report infers from the cells that were asked what the failing ones have in common. Where several conditions fit equally it names the cheapest cells that would tell (virtmatrix why CHECK). This asks exactly these, with the packages of the run, until one condition is left; then those that would refute it. Each is the cheapest check of the finding in one failing cell with one other value. What they answer is stored in the run's folder, is evidence for its findings from then on, and nothing that its gate counts.

Examples:
  virtmatrix localise O-SAVE
  virtmatrix localise 20261121-234501-nightly            # all findings of the run
  virtmatrix localise latest O-SAVE -cells 3 -parallel 1`
}

// Run localises.
func (v *localiseVerb) Run(a *app) error {
	words, name := v.Words, ""
	if len(words) > 0 && (a.isRun(words[0])) {
		name, words = words[0], words[1:]
	}
	j, err := v.ruling.read(a)
	if err != nil {
		return err
	}
	d, err := a.openRun(name)
	if err != nil {
		return err
	}
	m, err := j.run(d)
	if err == nil {
		err = m.Damage.Err()
	}
	if err != nil {
		return err
	}
	wanted, err := findings(m, words)
	if err != nil {
		return err
	}
	q, err := a.asking(j, d, localisedDir, v.Parallel)
	if err != nil {
		return err
	}
	for _, i := range wanted {
		if m, err = v.narrow(q, m, i); err != nil {
			return err
		}
		f := &m.Findings[i]
		fmt.Fprintf(a.stdout, "%s: %s\n", strings.Join(f.Checks, ", "), f.Inference())
	}
	return (&runner{app: a, dir: d}).store(m)
}

// findings are those of the checks that words select.
func findings(m *reports.Matrix, words []string) (wanted []int, err error) {
	_, checks := namesIn(m)
	if checks, err = matrix.Select(words, checks); err != nil {
		return nil, fmt.Errorf("cannot select check: %w", err)
	}
	for i, f := range m.Findings {
		if slices.ContainsFunc(f.Checks, func(c string) bool { return slices.Contains(checks, c) }) {
			wanted = append(wanted, i)
		}
	}
	if len(wanted) == 0 {
		return nil, fmt.Errorf("there is nothing to localise: no check failed of those that %q selects", words)
	}
	return wanted, nil
}

// narrow asks about a finding until nothing is to be told, and judges the run anew.
func (v *localiseVerb) narrow(q *asking, m *reports.Matrix, finding int) (*reports.Matrix, error) {
	var asked []reports.Ask
	for {
		found, err := q.localised(q.dir)
		if err != nil {
			return nil, err
		}
		next := m.Next(&m.Findings[finding], found, asked)
		next = next[:min(len(next), v.Cells-len(asked))]
		if len(next) == 0 {
			return m, nil
		}
		if err := q.readPlans(); err != nil {
			return nil, err
		}
		asked = append(asked, next...)
		if err := q.askAll(next); err != nil {
			return nil, err
		}
		if m, err = q.run(q.dir); err != nil {
			return nil, err
		}
		fmt.Fprintf(q.stderr, "%s\n", m.Findings[finding].Inference())
	}
}

// readPlans reads what cells the runs about the run had.
func (q *asking) readPlans() error {
	names, err := rundir.List(q.dir.Path(q.in))
	if err != nil {
		return err
	}
	q.plans = q.plans[:1]
	for _, name := range names {
		d, err := rundir.Open(q.dir.Path(q.in, name))
		if err != nil {
			return err
		}
		plan, err := d.ReadPlan()
		if err != nil {
			return err
		}
		q.plans = append(q.plans, plan)
	}
	return nil
}

// askAll asks cells of one check. One that cannot be is told, and no error.
func (q *asking) askAll(asks []reports.Ask) error {
	var cells []matrix.Cell
	for _, ask := range asks {
		base := q.cell(ask.Base)
		if base == nil {
			return fmt.Errorf("cannot ask %s: no plan has %s", ask.Cell, ask.Base)
		}
		cell, err := q.cat.Alike(base, map[string]string{ask.Axis: ask.Value})
		if err != nil {
			fmt.Fprintf(q.stderr, "%s cannot be: %v\n", ask.Cell, err)
			continue
		}
		if !slices.ContainsFunc(cells, func(c matrix.Cell) bool { return c.ID == cell.ID }) {
			fmt.Fprintf(q.stderr, "asking %s on %s\n", ask.Check, cell.ID)
			cells = append(cells, cell)
		}
	}
	if len(cells) == 0 {
		return nil
	}
	plan, _, err := q.plan(asks[0].Check, cells)
	if plan == nil || err != nil {
		return err
	}
	_, err = q.answers(plan)
	return err
}
