package matrix

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/virtmatrix/virtmatrix/matrix/cover"
)

// The options of every generated array: the same profile always has the same
// cells, whatever orders a run's specs.
const (
	sweepSeed = 1
	// sweepEffort is some hundredths of a second of work. A hundred times as much
	// saves no cell of what is shipped.
	sweepEffort = 2_000_000
)

// sweep makes the cells of one cover.
type sweep interface {
	// least is how few cells it can have under a budget; why says so.
	least() (n int, why string)
	// cells makes them: no more than the budget, or as many as it takes if that
	// is 0.
	cells(budget int) ([]Cell, error)
	// coverage counts what cells cover; nil when nothing was to be covered.
	coverage(cells []Cell) (*Coverage, error)
}

// swept makes the cells of all sweeps. A budget that is too small for them is
// shared: each sweep has what it cannot do without, and of the rest the more, the
// more combinations it has to cover.
func swept(sweeps []sweep, budget int) ([]Cell, error) {
	var all [][]Cell
	wanted := 0
	for _, s := range sweeps {
		cells, err := s.cells(0)
		if err != nil {
			return nil, err
		}
		all = append(all, cells)
		wanted += len(cells)
	}
	if budget > 0 && wanted > budget {
		shares, err := share(sweeps, all, budget)
		if err != nil {
			return nil, err
		}
		for i, s := range sweeps {
			if shares[i] < len(all[i]) {
				if all[i], err = s.cells(shares[i]); err != nil {
					return nil, err
				}
			}
		}
	}
	return slices.Concat(all...), nil
}

// share divides a budget.
func share(sweeps []sweep, all [][]Cell, budget int) ([]int, error) {
	shares, valid := make([]int, len(sweeps)), make([]int, len(sweeps))
	rest, reasons, must := budget, []string{}, map[string]int{}
	for i, s := range sweeps {
		least, reason := s.least()
		shares[i] = min(least, len(all[i]))
		rest -= shares[i]
		if must[reason] == 0 && shares[i] > 0 {
			reasons = append(reasons, reason)
		}
		must[reason] += shares[i]
		counted, err := s.coverage(nil)
		if err != nil {
			return nil, err
		}
		if counted != nil {
			valid[i] = counted.Valid
		}
	}
	if rest < 0 {
		var why []string
		for _, reason := range reasons {
			why = append(why, fmt.Sprintf("%d %s", must[reason], reason))
		}
		return nil, fmt.Errorf("the budget of %s is less than the %d that must be there: %s", cellCount(budget), budget-rest, listed(why))
	}
	// One by one, to whom it brings most: the first cells have the most that is new.
	for range rest {
		best := -1
		for i := range shares {
			if shares[i] < len(all[i]) && (best < 0 || valid[i]*(shares[best]+1) > valid[best]*(shares[i]+1)) {
				best = i
			}
		}
		shares[best]++
	}
	return shares, nil
}

func cellCount(n int) string {
	if n == 1 {
		return "1 cell"
	}
	return fmt.Sprintf("%d cells", n)
}

// named are the cells of a profile that no cover asks for.
type named struct {
	profile *Profile
	list    []Cell
}

func (n *named) least() (int, string) { return len(n.list), fixedIn(n.profile.Name) }

func (n *named) cells(int) ([]Cell, error) { return n.list, nil }

func (n *named) coverage([]Cell) (*Coverage, error) { return nil, nil }

// covering is the sweep of a cover of a profile.
type covering struct {
	*grid
	profile  string
	strength int
	every    []string
	// must are the rows that are there whatever the budget, the first fixed of
	// them for cells of the profile; outside are those of its cells that are
	// none of the cover's.
	must    []cover.Tuple
	fixed   int
	outside []Cell
}

// sweeps prepares what a request asks for.
func (c *Catalog) sweeps(p *Profile, r Request, plan *Plan) ([]sweep, error) {
	if r.Budget < 0 {
		return nil, fmt.Errorf("the budget of %s is below 0", cellCount(r.Budget))
	}
	if r.Strength != 0 {
		if err := p.reaches(r.Strength); err != nil {
			return nil, err
		}
	}
	if r.Change != nil {
		change, err := c.resolve(*r.Change)
		if err != nil {
			return nil, fmt.Errorf("cannot change %s: %w", *r.Change, err)
		}
		plan.Change = &change
		sweeps, err := c.pairings(p, r, change)
		if err != nil {
			return nil, fmt.Errorf("cannot change %s: %w", change, err)
		}
		return sweeps, nil
	}
	own, err := c.named(p)
	if err != nil {
		return nil, err
	}
	sweeps := []sweep{own}
	for _, cov := range p.Covers {
		s, err := c.covering(p, cov, cmp.Or(min(r.Strength, len(cov.Axes)), cov.Strength))
		if err != nil {
			return nil, fmt.Errorf("cannot cover %s cells of profile %s: %w", cov.name(), p.Name, err)
		}
		sweeps = append(sweeps, s)
	}
	return sweeps, nil
}

// named prepares the sweep of the cells that no cover asks for.
func (c *Catalog) named(p *Profile) (*named, error) {
	own := &named{profile: p}
	for _, cell := range p.Cells {
		if err := allowed(&cell, c.Constraints); err != nil {
			return nil, fmt.Errorf("profile %s names %s: %w", p.Name, cell.ID, err)
		}
		if !slices.ContainsFunc(p.Covers, func(cov Cover) bool { return cov.asks(&cell) }) {
			own.list = append(own.list, fixedCell(p, cell))
		}
	}
	return own, nil
}

// reaches says whether a strength makes sense for what a profile covers.
func (p *Profile) reaches(strength int) error {
	most := 0
	for _, cov := range p.Covers {
		most = max(most, len(cov.Axes))
	}
	switch {
	case most == 0:
		return fmt.Errorf("strength %d: profile %s names its cells and covers nothing", strength, p.Name)
	case strength < 1 || strength > min(most, cover.MaxStrength):
		return fmt.Errorf("strength %d is not between 1 and %d: profile %s varies %d axes", strength, min(most, cover.MaxStrength), p.Name, most)
	}
	return nil
}

// covering prepares the sweep of a cover.
func (c *Catalog) covering(p *Profile, cov Cover, strength int) (*covering, error) {
	g, err := c.grid(cov, nil)
	if err != nil {
		return nil, err
	}
	if err := g.check(); err != nil {
		return nil, err
	}
	s := &covering{grid: g, profile: p.Name, strength: strength, every: cov.Every}
	for _, cell := range p.Cells {
		if !cov.asks(&cell) {
			continue
		}
		// A row of a cover is composed as is chosen for it.
		if row, ok := g.tuple(&cell); ok && !cell.Twin() && allowed(&cell, cov.Exclude) == nil {
			s.must = append(s.must, row)
		} else {
			s.outside = append(s.outside, fixedCell(p, cell))
		}
	}
	s.fixed = len(s.must)
	every, err := g.every(cov.Every)
	if err != nil {
		return nil, err
	}
	s.must = append(s.must, without(every, s.must)...)
	return s, nil
}

// fixedCell returns a cell of the profile as it comes into a plan.
func fixedCell(p *Profile, cell Cell) Cell {
	cell.Why = []string{fixedIn(p.Name)}
	return cell
}

func fixedIn(profile string) string { return "fixed in profile " + profile }

// every returns all combinations of the values of the named axes that some cell
// has.
func (g *grid) every(axes []string) ([]cover.Tuple, error) {
	if len(axes) == 0 {
		return nil, nil
	}
	all := []cover.Tuple{nil}
	for _, a := range g.axes {
		if slices.Contains(axes, a.Name) {
			all = extended(all, a.Name, a.Levels)
		}
		if len(all) > maxStacks {
			return nil, fmt.Errorf("%s have more than %d combinations, too many for a cell each", listed(axes), maxStacks)
		}
	}
	return possible(g.model(), all)
}

// without returns the tuples that are no part of any of the rows.
func without(tuples, rows []cover.Tuple) []cover.Tuple {
	return slices.DeleteFunc(slices.Clone(tuples), func(t cover.Tuple) bool {
		return slices.ContainsFunc(rows, func(row cover.Tuple) bool { return includes(row, t) })
	})
}

// includes says whether a row has all settings of a tuple.
func includes(row, t cover.Tuple) bool {
	return !slices.ContainsFunc(t, func(s cover.Setting) bool { return !slices.Contains(row, s) })
}

func (s *covering) least() (n int, why string) {
	n = max(len(s.must)+len(s.outside), 1)
	switch {
	case len(s.every) > 0:
		why = fmt.Sprintf("for the combinations of %s", listed(s.every))
	case s.fixed+len(s.outside) > 0:
		why = fixedIn(s.profile)
	default:
		why = fmt.Sprintf("for a cover of %s", s.hostType())
	}
	return n, why
}

func (s *covering) cells(budget int) ([]Cell, error) {
	if budget > 0 {
		budget -= len(s.outside)
	}
	array, err := cover.Generate(context.Background(), s.model(), cover.Options{
		Strength: s.strength, Seed: sweepSeed, Effort: sweepEffort, Must: s.must, Budget: budget,
	})
	if err != nil {
		return nil, err
	}
	first, err := cover.First(s.model(), s.strength, array.Rows)
	if err != nil {
		return nil, err
	}
	cells := slices.Clone(s.outside)
	for i, row := range array.Rows {
		cell, err := s.catalog.cell(s.kind, s.tier, s.values(row))
		if err != nil {
			return nil, err
		}
		if m := slices.Index(array.Must, i); m >= 0 {
			cell.Why = append(cell.Why, s.mustWhy(m))
		}
		if why := newIn(first[i], s.strength); why != "" {
			cell.Why = append(cell.Why, why)
		}
		cells = append(cells, cell)
	}
	return cells, nil
}

// mustWhy says why a row must be there.
func (s *covering) mustWhy(m int) string {
	if m < s.fixed {
		return fixedIn(s.profile)
	}
	return everyWhy(s.every, s.must[m])
}

func everyWhy(every []string, t cover.Tuple) string {
	return fmt.Sprintf("every combination of %s has a cell: %s", listed(every), t)
}

func (s *covering) coverage(cells []Cell) (*Coverage, error) {
	return s.grid.coverage(s.strength, nil, cells)
}
