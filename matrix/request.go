package matrix

import (
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
	// Seed orders the specs of the run.
	Seed int64
}

// New plans a profile, or the part of it that is asked for. The cells come in
// the profile's order and the checks in the catalog's, the boot check first.
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
	ids, err := Select(r.Cells, namesOf(profile.Cells, cellID))
	if err != nil {
		return nil, fmt.Errorf("cannot select cells of profile %s: %w", profile.Name, err)
	}
	cells := slices.Clone(profile.Cells)
	cells = slices.DeleteFunc(cells, func(cell Cell) bool { return !slices.Contains(ids, cell.ID) })
	var offered []string
	for _, cell := range cells {
		offered = append(offered, c.offered(profile, cell.Kind)...)
	}
	chosen, err := Select(r.Checks, keep(c.CheckIDs(), offered))
	if err != nil {
		return nil, fmt.Errorf("cannot select checks of profile %s: %w", profile.Name, err)
	}
	plan := &Plan{Version: PlanVersion, Profile: profile.Name, Seed: r.Seed}
	for _, cell := range cells {
		// Packages are resolved into the plan's cells, never into the catalog's.
		cell.Stack = slices.Clone(cell.Stack)
		cell.Checks = c.planned(&cell, keep(c.offered(profile, cell.Kind), chosen))
		if len(cell.Checks) > 0 {
			plan.Cells = append(plan.Cells, cell)
		}
	}
	return plan, nil
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
		applying = append(applying, c.boot[cell.Kind])
	}
	var checks []PlannedCheck
	for _, check := range c.order(cell.Kind) {
		switch {
		case slices.Contains(applying, check.ID):
			needs := keep(c.prerequisites(check.ID, cell.Kind), applying)
			checks = append(checks, PlannedCheck{ID: check.ID, Title: check.Title, Tier: check.Tier, Needs: needs})
		case slices.Contains(excused, check.ID):
			checks = append(checks, PlannedCheck{ID: check.ID, Title: check.Title, Tier: check.Tier, Unsupported: check.inapplicable(cell)})
		}
	}
	return checks
}
