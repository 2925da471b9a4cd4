package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/virtmatrix/virtmatrix/internal/rundir"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/reports"
	"github.com/virtmatrix/virtmatrix/reports/known"
)

// keptRuns is how many runs a baseline keeps: more than any policy asks.
const keptRuns = 10

// unruled judges by no rules: what is known changes, and a baseline stays.
var unruled = judge{rules: &known.Rules{}}

type baselineVerb struct {
	Save saveVerb          `cmd:"" help:"Add a run to a baseline, which is made if there is none of the name."`
	List listBaselinesVerb `cmd:"" help:"The baselines, their runs and what these are of."`
	Drop dropVerb          `cmd:"" help:"Remove a baseline."`
}

type saveVerb struct {
	Name    string `arg:"" help:"The baseline's name."`
	RunName string `arg:"" optional:"" name:"run" help:"Path or name of the run; the latest otherwise."`
}

// Help is what virtmatrix baseline save --help says beyond the flags.
func (*saveVerb) Help() string {
	return `Plan and journal of the run are copied, so the baseline stays when the run goes. A baseline has several runs: the policy says how many of them must agree (baseline in virtmatrix gate -policy). The ten newest are kept.

Examples:
  virtmatrix baseline save released
  virtmatrix baseline save released 20261121-234501-nightly
  virtmatrix diff released latest`
}

type listBaselinesVerb struct{}

type dropVerb struct {
	Name string `arg:"" help:"The baseline's name."`
}

// baselines is the folder of all baselines, or something in it.
func (a *app) baselines(elem ...string) string {
	return filepath.Join(append([]string{a.Runs, "baselines"}, elem...)...)
}

var baselineName = regexp.MustCompile(`^[A-Za-z0-9][\w.-]*$`)

// Run saves.
func (v *saveVerb) Run(a *app) error {
	if _, err := os.Lstat(filepath.Join(a.Runs, v.Name)); !baselineName.MatchString(v.Name) || !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("cannot save baseline %q: want a name of letters, digits, dots and hyphens that no run has", v.Name)
	}
	d, err := a.openRun(v.RunName)
	if err != nil {
		return err
	}
	if err := measures(d); err != nil {
		return fmt.Errorf("cannot save %s as a baseline: %w", short(d.Path()), err)
	}
	to := a.baselines(v.Name, filepath.Base(d.Path()))
	if err := copyRun(d, to); err != nil {
		return fmt.Errorf("cannot save baseline: %w", err)
	}
	runs, err := rundir.List(a.baselines(v.Name))
	if err != nil {
		return err
	}
	for _, old := range runs[:max(0, len(runs)-keptRuns)] {
		if err := os.RemoveAll(a.baselines(v.Name, old)); err != nil {
			return fmt.Errorf("cannot remove old run of baseline: %w", err)
		}
	}
	_, err = fmt.Fprintf(a.stdout, "baseline %s: %s\n", v.Name, number(min(len(runs), keptRuns), "run"))
	return err
}

// measures says why a run is no measure for others.
func measures(d *rundir.Dir) error {
	plan, err := d.ReadPlan()
	if err != nil {
		return err
	}
	m, err := unruled.run(d)
	if err != nil {
		return err
	}
	o, err := d.Options()
	switch {
	case err != nil:
		return err
	case plan.Shard != nil:
		return fmt.Errorf("it is shard %s of a plan; save what virtmatrix merge makes", plan.Shard)
	case o.Selftest:
		return errors.New("it is a selftest, whose answers are about the checks")
	case m.Totals[matrix.Pass]+m.Totals[matrix.Fail] == 0:
		return errors.New("it has no answer about the product")
	}
	return m.Damage.Err()
}

// copyRun copies what judging needs: not the evidence, nor the reports. The folder appears
// whole or not at all.
func copyRun(d *rundir.Dir, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(filepath.Dir(to)), ".new-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	journals, err := filepath.Glob(d.Path("journal-*.ndjson"))
	if err != nil {
		return err
	}
	for _, path := range append(journals, d.Plan(), d.Path("options.json"), d.Path("notes.txt")) {
		text, err := os.ReadFile(path)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err := errors.Join(err, os.WriteFile(filepath.Join(tmp, filepath.Base(path)), text, 0o644)); err != nil {
			return err
		}
	}
	return errors.Join(os.Chmod(tmp, 0o755), os.RemoveAll(to), os.Rename(tmp, to))
}

// baseline returns the runs of a baseline, the newest first; none if there is no such.
func (a *app) baseline(name string) (runs []*rundir.Dir, err error) {
	if !baselineName.MatchString(name) {
		return nil, nil
	}
	names, err := rundir.List(a.baselines(name))
	if err != nil {
		return nil, err
	}
	for _, run := range slices.Backward(names) {
		d, err := rundir.Open(a.baselines(name, run))
		if err != nil {
			return nil, err
		}
		runs = append(runs, d)
	}
	return runs, nil
}

// names are those of the baselines.
func (a *app) baselineNames() (names []string, err error) {
	entries, err := os.ReadDir(a.baselines())
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("cannot list baselines: %w", err)
	}
	for _, e := range entries {
		if baselineName.MatchString(e.Name()) { // and was not left by a kill
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// Run lists.
func (v *listBaselinesVerb) Run(a *app) error {
	names, err := a.baselineNames()
	if err != nil {
		return err
	}
	return aligned(a.stdout, func(row table) error {
		for _, name := range names {
			runs, err := a.baseline(name)
			if err != nil {
				return err
			}
			for _, d := range runs {
				m, err := unruled.run(d)
				if err != nil {
					return err
				}
				row(name, filepath.Base(d.Path()), m.Run.Started.UTC().Format("2006-01-02"), number(len(m.Cells), "cell"),
					fmt.Sprintf("%d PASS, %d FAIL", m.Totals[matrix.Pass], m.Totals[matrix.Fail]), fmt.Sprintf("plan %.12s", m.Run.Plan))
			}
		}
		return nil
	})
}

// Run drops.
func (v *dropVerb) Run(a *app) error {
	names, err := a.baselineNames()
	if err != nil {
		return err
	}
	if !slices.Contains(names, v.Name) {
		return fmt.Errorf("cannot drop: %w", matrix.Unknown("baseline", v.Name, names))
	}
	if err := os.RemoveAll(a.baselines(v.Name)); err != nil {
		return fmt.Errorf("cannot drop baseline: %w", err)
	}
	return nil
}

// agreed judges the runs of a baseline, and makes one of them to hold a run against.
func (v *diffVerb) agreed(j judge, runs []*rundir.Dir, now *reports.Matrix) (*reports.Matrix, error) {
	var all []*reports.Matrix
	for _, d := range runs {
		m, err := v.side(j, d)
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	// Folders of runs may have any name.
	slices.SortStableFunc(all, func(x, y *reports.Matrix) int { return y.Run.Started.Compare(x.Run.Started) })
	return j.policy.Baseline.Agreed(all, now, j.at), nil
}
