package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/rundir"
	"github.com/virtmatrix/virtmatrix/matrix"
)

type reproVerb struct {
	names
	Profile string `placeholder:"NAME" help:"Where the cell is looked for when no run has it (the first that has it)."`
}

// Help is what virtmatrix repro --help says beyond the flags.
func (*reproVerb) Help() string {
	return `The packages are exactly those of the run, or of the latest when it has the cell; otherwise they are resolved now. The evidence of passes is kept too.

Examples:
  virtmatrix repro kvm_linux-6.12_qemu-10.0_libvirt-9.0 O-SAVE
  virtmatrix repro 20261121-234501-smoke xen IX-PV`
}

// Run runs the selected check again.
func (v *reproVerb) Run(a *app) error {
	run, words := v.split(a)
	if len(words) != 2 {
		return fmt.Errorf("cannot repeat %q: give [RUN] CELL CHECK", v.Words)
	}
	r := &runner{app: a, began: time.Now(), options: rundir.Options{Fresh: true, Keep: true}}
	want := selection{Profile: v.Profile, Cells: words[:1], Checks: words[1:]}
	plan, err := a.repeat(run, want)
	if err != nil {
		return err
	}
	r.plan = plan
	return r.execute(ruling{})
}

// repeat plans the selection with the packages of a run. When no run was named
// and the latest does not have it, the packages are resolved.
func (a *app) repeat(run string, want selection) (*matrix.Plan, error) {
	d, plan, err := a.narrowed(run, want)
	switch {
	case err == nil:
		fmt.Fprintf(a.stderr, "packages as in %s\n", short(d.Path()))
		return plan, nil
	case run != "":
		return nil, err
	}
	fmt.Fprintf(a.stderr, "packages as they are today: %v\n", err)
	return a.planAnywhere(want)
}

// planAnywhere plans the selection in the profile that it names, or in the first in which it
// is asked.
func (a *app) planAnywhere(want selection) (*matrix.Plan, error) {
	if want.Profile != "" {
		return a.planNarrowed(want)
	}
	cat, err := a.catalog()
	if err != nil {
		return nil, err
	}
	for _, p := range cat.Profiles {
		want.Profile = p.Name
		plan, failed := a.planNarrowed(want)
		if failed == nil {
			failed = unasked(plan)
		}
		if !errors.Is(failed, matrix.ErrNoMatch) {
			return plan, failed
		}
		err = cmp.Or(err, failed)
	}
	return nil, fmt.Errorf("no profile has it: %w", err)
}

// unasked is why nothing beyond boot checks is asked in a plan; nil where something is, or
// nothing else was selected.
func unasked(p *matrix.Plan) (err error) {
	for i := range p.Cells {
		for _, check := range p.Cells[i].Checks {
			switch {
			case check.Boot:
			case check.Asked():
				return nil
			default:
				err = fmt.Errorf("%w in profile %s that is asked: %s on %s: %s", matrix.ErrNoMatch, p.Profile, check.ID, p.Cells[i].ID, check.Unsupported)
			}
		}
	}
	return err
}

// planNarrowed plans the profile and leaves out what is not selected: a cell alone has no
// other one to be compared with, or upgraded from.
func (a *app) planNarrowed(want selection) (*matrix.Plan, error) {
	plan, err := a.plan(selection{Profile: want.Profile, Checks: want.Checks})
	if err != nil {
		return nil, err
	}
	return narrow(plan, want)
}

// narrowed is the part of a run's plan that is selected.
func (a *app) narrowed(run string, want selection) (*rundir.Dir, *matrix.Plan, error) {
	d, err := a.openRun(run)
	if err != nil {
		return nil, nil, err
	}
	frozen, err := d.ReadPlan()
	if err != nil {
		return nil, nil, err
	}
	plan, err := narrow(frozen, want)
	return d, plan, err
}

// narrow keeps of a frozen plan what is selected, the boot checks, and what
// they are made of.
func narrow(frozen *matrix.Plan, want selection) (*matrix.Plan, error) {
	cells, err := matrix.Select(want.Cells, cellNames(frozen))
	if err != nil {
		return nil, fmt.Errorf("cannot select cell: %w", err)
	}
	p := &matrix.Plan{Version: frozen.Version, Profile: frozen.Profile, Emulator: frozen.Emulator, PackageSets: map[string]matrix.PackageSet{}}
	for _, id := range cells {
		cell, err := narrowCell(frozen.Cell(id), want.Checks)
		if err != nil {
			return nil, fmt.Errorf("cannot select check of %s: %w", id, err)
		}
		cell.Baseline = "" // it is judged against nothing
		p.Cells = append(p.Cells, cell)
	}
	p.KeepOthers(frozen)
	keep := func(ref matrix.ImageRef) { p.PackageSets[ref.Packages] = frozen.PackageSets[ref.Packages] }
	keep(p.Emulator)
	for _, cell := range p.Cells {
		for _, ref := range cell.Images {
			keep(ref)
		}
		for _, check := range cell.Checks {
			keep(matrix.ImageRef{Packages: check.Hosts.Added})
			keep(check.Hosts.Machine)
		}
	}
	maps.DeleteFunc(p.PackageSets, func(_ string, s matrix.PackageSet) bool { return len(s.Packages) == 0 })
	return p, p.Seal()
}

// narrowCell keeps the selected checks, which the cell then answers itself, and the
// boot check, which is its first where there is one.
func narrowCell(c *matrix.Cell, patterns []string) (matrix.Cell, error) {
	var names []string
	for _, check := range c.Checks {
		names = append(names, check.ID)
	}
	wanted, err := matrix.Select(patterns, names)
	if err != nil {
		return matrix.Cell{}, err
	}
	if c.Checks[0].Boot {
		wanted = append(wanted, names[0])
	}
	cell := *c
	cell.Checks = nil
	for _, check := range c.Checks {
		if !slices.Contains(wanted, check.ID) {
			continue
		}
		check.AskedIn = ""
		cell.Checks = append(cell.Checks, check)
	}
	return cell, nil
}

func cellNames(p *matrix.Plan) []string {
	var ids []string
	for _, c := range p.Cells {
		ids = append(ids, c.ID)
	}
	return ids
}
