package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/virtmatrix/virtmatrix/internal/run"
	"github.com/virtmatrix/virtmatrix/internal/rundir"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/reports"
)

// openRun finds a run by its path or its name; no name is the latest.
func (a *app) openRun(name string) (*rundir.Dir, error) {
	if name == "" {
		if _, err := os.Lstat(filepath.Join(a.Runs, rundir.Latest)); errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("there is no run in %s yet; make one with: virtmatrix run", a.Runs)
		}
		return torn(rundir.Open(filepath.Join(a.Runs, rundir.Latest)))
	}
	for _, path := range []string{name, filepath.Join(a.Runs, name)} {
		if st, err := os.Stat(path); err == nil && st.IsDir() {
			return torn(rundir.Open(path))
		}
	}
	names, err := rundir.List(a.Runs)
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("there is no run %q, and none at all in %s; make one with: virtmatrix run", name, a.Runs)
	}
	return nil, matrix.Unknown("run", name, names)
}

// torn says what to do about a folder that is no run.
func torn(d *rundir.Dir, err error) (*rundir.Dir, error) {
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w; the run was killed before it was planned, or this is no run's folder; see virtmatrix list runs", err)
	}
	return d, err
}

// isRun says whether a word names a run rather than a cell or a check.
func (a *app) isRun(name string) bool {
	for _, path := range []string{name, filepath.Join(a.Runs, name)} {
		if st, err := os.Stat(path); err == nil && st.IsDir() {
			return true
		}
	}
	return false
}

// judge holds what the run's journal answers against its plan. It does so anew
// each time, because a run that was killed has a journal but no matrix.
func judge(d *rundir.Dir) (*reports.Matrix, error) {
	plan, err := d.ReadPlan()
	if err != nil {
		return nil, err
	}
	records, damage, err := run.Answers(d)
	if err != nil {
		return nil, err
	}
	m := reports.Judge(plan, records, damage)
	if m.Run.Notes, err = d.Notes(); err != nil {
		return nil, err
	}
	// Only the command that ran the plan knows how long all of it took.
	if stored, err := reports.ReadMatrix(d.Matrix()); err == nil && stored.Run.Plan == m.Run.Plan {
		m.Run.WallSeconds = max(m.Run.WallSeconds, stored.Run.WallSeconds)
	}
	return m, nil
}

// policyFlag is the policy that a gate judges by.
type policyFlag struct {
	Policy string `type:"path" placeholder:"FILE" help:"The gate's policy, in place of the built-in one."`
}

func (p policyFlag) read() (reports.Policy, error) {
	if p.Policy == "" {
		return reports.DefaultPolicy(), nil
	}
	return reports.ReadPolicy(p.Policy)
}

// decide puts the gate's decision into the matrix.
func (p policyFlag) decide(m *reports.Matrix) (reports.Decision, error) {
	policy, err := p.read()
	if err != nil {
		return reports.Decision{}, err
	}
	d := reports.Gate(m, policy)
	m.Decision = &d
	return d, nil
}

// leave ends the command with the code of a decision.
func leave(c reports.Code) error {
	if c == reports.Ship {
		return nil
	}
	return exit(c)
}
