package matrix

import (
	"cmp"
	"fmt"
	"slices"
)

// Request says what to plan.
type Request struct {
	// Profile is the name of the profile to plan.
	Profile string
	// Cells and Checks are patterns as Select takes them, which narrow the
	// profile down. None keep all of it.
	Cells, Checks []string
	// Isolation is what each check shares its host with, whatever profile and check
	// say; empty leaves it to them.
	Isolation Isolation
	// Seed orders the specs of the run. The cells do not depend on it.
	Seed int64
	// Strength covers combinations of that many values instead of what the
	// profile says; 0 leaves it. A kind with fewer axes has all their combinations.
	Strength int
	// Budget is the largest number of cells, 0 for as many as it takes. Under it
	// those that cover most are taken.
	Budget int
	// Change plans the cells in which a change can matter, each with its baseline,
	// instead of the profile's own; nil if there is none.
	Change *Change
}

// New plans a profile, or the part of it that is asked for: its own cells, and
// those that its covers ask for. Named cells come in the profile's order,
// generated ones in the order that is the cheapest to run, and the checks in the
// catalog's, the boot check first. The same request always has the same cells.
//
// Coverage is counted of the cells that are left when all is narrowed down. The
// baseline of a cell that is kept is kept.
//
// A cell's boot check is planned whenever a check that applies to the cell is;
// nothing else is added to what was asked for. A check that does not apply is
// planned with the reason. The plan has no images yet and is not sealed.
func New(c *Catalog, r Request) (*Plan, error) {
	p, err := c.plan(r)
	if err != nil {
		return nil, fmt.Errorf("cannot plan: %w", err)
	}
	return p, nil
}

func (c *Catalog) plan(r Request) (*Plan, error) {
	profile, err := c.Profile(r.Profile)
	if err != nil {
		return nil, err
	}
	plan := &Plan{Version: PlanVersion, Profile: profile.Name, Seed: r.Seed}
	sweeps, err := c.sweeps(profile, r, plan)
	if err != nil {
		return nil, err
	}
	cells, err := swept(sweeps, r.Budget)
	if err != nil {
		return nil, fmt.Errorf("cannot choose cells of profile %s: %w", profile.Name, err)
	}
	if err := c.ask(plan, profile, r, cells); err != nil {
		return nil, err
	}
	for _, s := range sweeps {
		counted, err := s.coverage(plan.Cells)
		if err != nil {
			return nil, err
		}
		if counted != nil {
			plan.Coverage = append(plan.Coverage, *counted)
		}
	}
	return plan, nil
}

// ask puts the cells into the plan, each with its checks, as far as they are
// selected.
func (c *Catalog) ask(plan *Plan, profile *Profile, r Request, cells []Cell) error {
	patterns, err := c.spelt(r.Cells)
	if err != nil {
		return err
	}
	ids, err := Select(patterns, namesOf(cells, cellID))
	if err != nil {
		return fmt.Errorf("cannot select cells of profile %s: %w", profile.Name, err)
	}
	for _, cell := range cells {
		if cell.Baseline != "" && slices.Contains(ids, cell.ID) {
			ids = append(ids, cell.Baseline)
		}
	}
	cells = slices.DeleteFunc(cells, func(cell Cell) bool { return !slices.Contains(ids, cell.ID) })
	var offered []string
	for _, cell := range cells {
		offered = append(offered, c.offered(profile, cell.Kind)...)
	}
	chosen, err := Select(r.Checks, keep(c.CheckIDs(), offered))
	if err != nil {
		return fmt.Errorf("cannot select checks of profile %s: %w", profile.Name, err)
	}
	for _, cell := range cells {
		// Packages are resolved into the plan's cells, never into the catalog's.
		cell.Stack = slices.Clone(cell.Stack)
		cell.Checks = c.planned(&cell, keep(c.offered(profile, cell.Kind), chosen))
		c.isolate(cell.Checks, cmp.Or(r.Isolation, profile.Isolation))
		if len(cell.Checks) > 0 {
			plan.Cells = append(plan.Cells, cell)
		}
	}
	return nil
}

// isolate gives the checks hosts of their own that are to have them: all of them
// when everything is asked to, and otherwise those that say so.
func (c *Catalog) isolate(checks []PlannedCheck, all Isolation) {
	for i := range checks {
		p := &checks[i]
		check, err := c.Check(p.ID)
		if p.Unsupported == "" && err == nil && cmp.Or(all, check.Isolation) == IsolateCheck {
			p.Isolation = IsolateCheck
		}
	}
}

// offered lists the checks that a profile plans on a kind.
func (c *Catalog) offered(p *Profile, kind Kind) []string {
	if ids, ok := p.Checks[kind]; ok {
		return ids
	}
	return c.CheckIDs()
}

// keep returns the names that are also in another list.
func keep(names, also []string) []string {
	var out []string
	for _, n := range names {
		if slices.Contains(also, n) {
			out = append(out, n)
		}
	}
	return out
}

// planned turns the wanted checks into questions to a cell.
func (c *Catalog) planned(cell *Cell, want []string) []PlannedCheck {
	var applying, excused []string
	for i := range c.Checks {
		id := c.Checks[i].ID
		switch {
		case !slices.Contains(want, id):
		case c.Checks[i].inapplicable(cell) == "":
			applying = append(applying, id)
		default:
			excused = append(excused, id)
		}
	}
	if len(applying) > 0 {
		applying = append(applying, c.boot[cell.footing()])
	}
	var checks []PlannedCheck
	for _, check := range c.order(cell.footing()) {
		switch {
		case slices.Contains(applying, check.ID):
			needs := keep(c.prerequisites(check.ID, cell.footing()), applying)
			checks = append(checks, PlannedCheck{ID: check.ID, Title: check.Title, Tier: cell.Tier, Needs: needs})
		case slices.Contains(excused, check.ID):
			checks = append(checks, PlannedCheck{ID: check.ID, Title: check.Title, Tier: cell.Tier, Unsupported: check.inapplicable(cell)})
		}
	}
	return checks
}
