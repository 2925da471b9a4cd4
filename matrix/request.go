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
	// Strength covers combinations of that many values instead of what the
	// profile says; 0 leaves it. A kind with fewer axes has all their combinations.
	Strength int
	// Budget is the largest number of cells, 0 for as many as it takes. Under it
	// those that cover most are taken.
	Budget int
	// Everywhere asks each check in each cell, also where another cell of the plan
	// has everything that the answer depends on.
	Everywhere bool
	// Change plans the cells in which a change can matter, each with its baseline,
	// instead of the profile's own; nil if there is none.
	Change *Change
	// Wanted is a candidate that nobody has looked at yet, Candidate what was found.
	// The catalogue has to have it then, and it is the change.
	Wanted    *Wanted
	Candidate *Candidate
}

// New plans a profile, or the part of it that is asked for: its own cells, and
// those that its covers ask for. They come in the order in which they are run:
// containers before machines, candidates of a change before their baselines, and
// otherwise named cells in the profile's order and generated ones in that which is
// the cheapest to run. The checks come in the catalog's order, the boot check
// first. The same request always has the same cells.
//
// Coverage is counted of the cells that are left when all is narrowed down. The
// baseline of a cell that is kept is kept.
//
// A cell's boot check is planned whenever a check that applies to the cell is;
// nothing else is added to what was asked for. A check that does not apply is
// planned with the reason, and one that another cell answers with that cell. The
// plan has no images yet and is not sealed.
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
	if wanted := cmp.Or(r.Wanted, profile.candidate(r)); wanted != nil && r.Candidate == nil {
		return nil, fmt.Errorf("nobody has looked at the candidate %s yet, so its packages are not known (-no-resolve looks at none)", wanted)
	}
	plan := &Plan{Version: PlanVersion, Profile: profile.Name, Candidate: r.Candidate}
	sweeps, err := c.sweeps(profile, r, plan)
	if err != nil {
		return nil, err
	}
	cells, err := swept(sweeps, r.Budget)
	if err != nil {
		return nil, fmt.Errorf("cannot choose cells of profile %s: %w", profile.Name, err)
	}
	want, err := c.ask(plan, profile, r, cells)
	if err != nil {
		return nil, err
	}
	plan.arrange()
	c.pairUp(plan)
	if !r.Everywhere {
		plan.askOnce(want)
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
// selected. It returns what was asked of each cell, without the boot check that
// comes along.
func (c *Catalog) ask(plan *Plan, profile *Profile, r Request, cells []Cell) (want map[string][]string, err error) {
	if cells, err = c.selected(profile, r, cells); err != nil {
		return nil, err
	}
	var offered []string
	for i := range cells {
		offered = append(offered, c.ready(c.offered(profile, r, &cells[i]), r.Checks)...)
	}
	chosen, err := Select(r.Checks, keep(c.CheckIDs(), offered))
	if err != nil {
		return nil, fmt.Errorf("cannot select checks of profile %s: %w", profile.Name, err)
	}
	want = map[string][]string{}
	for _, cell := range cells {
		want[cell.ID] = keep(c.ready(c.offered(profile, r, &cell), r.Checks), chosen)
		// Packages are resolved into the plan's cells, never into the catalog's.
		cell.Stack, cell.Why = slices.Clone(cell.Stack), slices.Clone(cell.Why)
		cell.Checks = c.planned(&cell, want[cell.ID], cells)
		c.isolate(cell.Checks, cmp.Or(r.Isolation, profile.Isolation))
		// What a delivery starts from is in the plan, whatever it is asked.
		if len(cell.Checks) > 0 || r.Candidate != nil && cell.Candidate() == "" {
			plan.Cells = append(plan.Cells, cell)
		}
	}
	return want, nil
}

// isolate gives the checks hosts of their own that are to have them: all of them
// when everything is asked to, and otherwise those that say so.
func (c *Catalog) isolate(checks []PlannedCheck, all Isolation) {
	for i := range checks {
		p := &checks[i]
		check, err := c.Check(p.ID)
		if p.Unsupported == "" && err == nil && cmp.Or(all, check.isolation()) == IsolateCheck {
			p.Isolation = IsolateCheck
		}
	}
}

// selected keeps the cells that are asked for, and their baselines.
func (c *Catalog) selected(profile *Profile, r Request, cells []Cell) ([]Cell, error) {
	patterns, err := c.spelt(r.Cells)
	if err != nil {
		return nil, err
	}
	ids, err := Select(patterns, namesOf(cells, cellID))
	if err != nil {
		return nil, fmt.Errorf("cannot select cells of profile %s: %w", profile.Name, err)
	}
	var baselines []string
	for _, cell := range cells {
		if cell.Baseline != "" && slices.Contains(ids, cell.ID) {
			baselines = append(baselines, cell.Baseline)
		}
	}
	return slices.DeleteFunc(cells, func(cell Cell) bool {
		return !slices.Contains(ids, cell.ID) && !slices.Contains(baselines, cell.ID)
	}), nil
}

// offered lists the checks that a profile plans on a cell. One that a cover made has the
// cover's, unless the plan is about a change: then it may be all that has the change.
func (c *Catalog) offered(p *Profile, r Request, cell *Cell) []string {
	ids := c.CheckIDs()
	own := slices.ContainsFunc(p.Cells, func(own Cell) bool { return own.ID == cell.ID })
	for _, cover := range p.Covers {
		if cover.Checks != nil && cover.asks(cell) && !own && r.Change == nil {
			return cover.Checks
		}
	}
	for _, of := range []string{string(cell.Tier), string(cell.Kind)} {
		if some, ok := p.Checks[of]; ok {
			ids = some
			break
		}
	}
	return c.withDelivery(ids, cell)
}

// ready leaves out drafts that are not named one by one.
func (c *Catalog) ready(ids, named []string) []string {
	return slices.DeleteFunc(slices.Clone(ids), func(id string) bool {
		check, err := c.Check(id)
		return err == nil && check.Draft && !slices.Contains(named, id)
	})
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

// planned turns the wanted checks into questions to a cell, one of the given ones.
func (c *Catalog) planned(cell *Cell, want []string, cells []Cell) []PlannedCheck {
	var checks []PlannedCheck
	applies := false
	boot := c.bootCheck(cell)
	for i := range c.Checks {
		check := &c.Checks[i]
		if check.ID == boot || !slices.Contains(want, check.ID) {
			continue
		}
		planned := check.plan(cell)
		planned.against(cells, cell, check.Compares)
		planned.addHosts(cells, cell)
		applies = applies || planned.Unsupported == "" && !planned.Hosts.None
		checks = append(checks, planned)
	}
	if check, err := c.Check(boot); err == nil && (applies || slices.Contains(want, boot)) {
		first := check.plan(cell)
		first.Boot = true
		checks = slices.Insert(checks, 0, first)
	}
	return checks
}

// plan is the check as it is asked of a cell.
func (c *Check) plan(cell *Cell) PlannedCheck {
	p := PlannedCheck{
		ID: c.ID, Asserts: c.Asserts, Family: c.Family, Tier: cell.Tier, Unsupported: c.inapplicable(cell),
		Depends: c.Depends, Hosts: c.Hosts, Relied: c.Relied,
	}
	if comp := cell.Candidate(); comp != "" && c.delivers() {
		p.Depends = []string{string(comp)}
	}
	return p
}
