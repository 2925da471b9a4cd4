package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"github.com/virtmatrix/virtmatrix/internal/progress"
	"github.com/virtmatrix/virtmatrix/internal/rundir"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/reports"
)

type diffVerb struct {
	Runs    []string `arg:"" optional:"" name:"run" help:"What was before, a run or a stored baseline, and the run of now; or one run of a change (the latest otherwise)."`
	Changed string   `placeholder:"AXIS=FROM..TO" help:"Hold each cell that has TO against the one that has FROM; otherwise against the cell of its name."`
	ruling
	output
}

// Help is what virtmatrix diff --help says beyond the flags.
func (*diffVerb) Help() string {
	return `Each check is REGRESSED, NEVER PASSED, STILL BROKEN, NO ANSWER, FIXED, NEW or SAME, regressions first. What ran on another tier, another accelerator or in another epoch of the checks is not compared, and is NO ANSWER. The formats html, json and junit are the whole report of the run of now, with what moved.

Exit code 0: nothing is worse. 1: something is. 2: something cannot be told.

Examples:
  virtmatrix diff                                  # the latest run, of a change
  virtmatrix diff 20261120-220000-ci latest        # two runs of the same cells
  virtmatrix diff released latest                  # a baseline: virtmatrix baseline save released RUN
  virtmatrix diff 20261120-220000-ci latest -changed libvirt=9.0..11.3
  virtmatrix diff -format md >> rebase.md`
}

// Run compares.
func (v *diffVerb) Run(a *app) error {
	if len(v.Runs) > 2 {
		return fmt.Errorf("cannot compare %q: give [OLD] NEW", v.Runs)
	}
	if _, err := reports.FormatNamed(v.Format, reports.Options{}); err != nil {
		return err
	}
	j, err := v.ruling.read(a)
	if err != nil {
		return err
	}
	names := slices.Clone(v.Runs)
	if len(names) == 0 {
		names = []string{""}
	}
	now, err := v.open(a, j, &names[len(names)-1])
	if err != nil {
		return err
	}
	if len(names) == 1 {
		err = v.alone(now)
	} else {
		err = v.compare(a, j, names, now)
	}
	if err != nil {
		return err
	}
	if err := v.render(a, now); err != nil {
		return err
	}
	return leave(now.Rebase.Code())
}

// open judges a run, and replaces what it was called by its name.
func (v *diffVerb) open(a *app, j judge, name *string) (*reports.Matrix, error) {
	d, err := a.openRun(*name)
	if err != nil {
		return nil, err
	}
	*name = filepath.Base(d.Path())
	return v.side(j, d)
}

// side judges a run. What was edited is no measure.
func (v *diffVerb) side(j judge, d *rundir.Dir) (*reports.Matrix, error) {
	m, err := j.run(d)
	if err != nil {
		return nil, err
	}
	if err := m.Damage.Err(); err != nil {
		return nil, fmt.Errorf("cannot compare %s: %w", short(d.Path()), err)
	}
	return m, nil
}

// alone says why one run cannot be compared.
func (v *diffVerb) alone(now *reports.Matrix) error {
	switch {
	case v.Changed != "":
		return errors.New("cannot compare one run by -changed: a run of a change has its baseline; name two runs")
	case now.Rebase == nil:
		return errors.New("cannot compare one run that is of no change: name two runs, or make one with: virtmatrix run -changed AXIS=FROM..TO")
	}
	return nil
}

// compare holds the run against a stored baseline, or against another run.
func (v *diffVerb) compare(a *app, j judge, names []string, now *reports.Matrix) error {
	var change *matrix.Change
	if v.Changed != "" {
		c, err := matrix.ParseChange(v.Changed)
		if err != nil {
			return err
		}
		change = &c
	}
	stored, err := a.baseline(names[0])
	if err != nil {
		return err
	}
	var old *reports.Matrix
	if len(stored) > 0 {
		old, err = v.agreed(j, stored, now)
		names[0] = fmt.Sprintf("%s (%s)", names[0], number(len(stored), "run"))
	} else {
		old, err = v.open(a, j, &names[0])
	}
	if err != nil {
		return err
	}
	now.Rebase = reports.Compare(old, now, names[0], names[1], change)
	return nil
}

// render shows what moved: alone where people read it from top to bottom.
func (v *diffVerb) render(a *app, m *reports.Matrix) error {
	options := reports.Options{Colour: v.Output == "" && progress.Colour(a.stdout)}
	if alone := reports.RebaseFormats[v.Format]; alone != nil {
		return v.write(a.stdout, func(w io.Writer) error { return alone(w, m.Rebase, options) })
	}
	format, err := reports.FormatNamed(v.Format, options)
	if err != nil {
		return err
	}
	return v.write(a.stdout, func(w io.Writer) error { return format.Render(w, m) })
}
