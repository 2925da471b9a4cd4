package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/virtmatrix/virtmatrix/ci"
	"github.com/virtmatrix/virtmatrix/internal/run"
	"github.com/virtmatrix/virtmatrix/internal/rundir"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/reports"
	"github.com/virtmatrix/virtmatrix/reports/known"
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

// ruling is what a run is judged by.
type ruling struct {
	Policy  string    `type:"path" placeholder:"FILE" help:"The gate's policy, in place of the built-in one."`
	Known   string    `type:"path" placeholder:"FILE" help:"The known issues, in place of the built-in ones (ci/known-issues.yaml)."`
	Waivers string    `type:"path" placeholder:"FILE" help:"The waivers, in place of the built-in ones (ci/waivers.yaml)."`
	History string    `type:"path" placeholder:"DIR" help:"The folder of the runs that tell how often checks in quarantine flake (all runs)."`
	At      time.Time `placeholder:"TIME" help:"Judge as if it were then (2026-11-28T12:00:00Z), in place of now."`
}

// judge is what the files of a ruling say.
type judge struct {
	policy reports.Policy
	rules  *known.Rules
	at     time.Time
	// history is the folder of earlier runs; empty where nobody asks for them.
	history string
}

// read reads all files, so that none is found wanting when hours were spent.
func (f ruling) read(a *app) (j judge, err error) {
	j.at = f.At
	if j.at.IsZero() {
		j.at = time.Now()
	}
	j.history = cmp.Or(f.History, a.Runs)
	if j.policy = reports.DefaultPolicy(); f.Policy != "" {
		if j.policy, err = reports.ReadPolicy(f.Policy); err != nil {
			return j, err
		}
	}
	issues, err := ruleFile(f.Known, "ci/known-issues.yaml", ci.KnownIssues)
	if err != nil {
		return j, err
	}
	waivers, err := ruleFile(f.Waivers, "ci/waivers.yaml", ci.Waivers)
	if err != nil {
		return j, err
	}
	cat, err := a.catalog()
	if err != nil {
		return j, err
	}
	if j.rules, err = known.Read(cat, issues, waivers); err != nil {
		return j, fmt.Errorf("cannot use rules:\n%w", err)
	}
	return j, nil
}

func ruleFile(path, name string, builtin []byte) (known.File, error) {
	if path == "" {
		return known.File{Name: name, Text: builtin}, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return known.File{}, fmt.Errorf("cannot read rules: %w", err)
	}
	return known.File{Name: path, Text: text}, nil
}

// run judges a run: verdicts, what is known of them, and the gate's decision. It does so
// anew each time, because a run that was killed has a journal but no matrix.
func (j judge) run(d *rundir.Dir) (*reports.Matrix, error) {
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
	// Answers of a selftest are about the checks, and rules about the product.
	if o, err := d.Options(); err != nil {
		return nil, err
	} else if !o.Selftest {
		m.Apply(j.rules, j.at)
		// What passes everywhere has no history that matters.
		if j.history != "" && m.Red() {
			if err := j.remember(d, m); err != nil {
				return nil, err
			}
			m.Quarantine(j.policy.Flakes, j.at)
		}
	}
	if err := j.find(d, m); err != nil {
		return nil, err
	}
	m.Rebase = reports.Rebased(m)
	decision := reports.Gate(m, j.policy, j.at)
	m.Decision = &decision
	return m, nil
}

// find gathers the failures into findings, with what virtmatrix localise asked about them.
func (j judge) find(d *rundir.Dir, m *reports.Matrix) error {
	found, err := j.localised(d)
	m.Find(found...)
	return err
}

// localised are the runs that narrowed the causes of a run's failures. What was edited is no
// evidence.
func (j judge) localised(d *rundir.Dir) (found []*reports.Matrix, err error) {
	names, err := rundir.List(d.Path(localisedDir))
	if err != nil {
		return nil, err
	}
	alone := j
	alone.history = ""
	for _, name := range names {
		more, err := rundir.Open(d.Path(localisedDir, name))
		if err != nil {
			return nil, err
		}
		m, err := alone.run(more)
		if err != nil {
			return nil, err
		}
		if m.Damage.Err() == nil {
			found = append(found, m)
		}
	}
	return found, nil
}

// leave ends the command with the code of a decision.
func leave(c reports.Code) error {
	if c == reports.Ship {
		return nil
	}
	return exit(c)
}
