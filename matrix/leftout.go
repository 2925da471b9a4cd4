package matrix

import (
	"fmt"
	"slices"
	"strings"

	"github.com/virtmatrix/virtmatrix/matrix/cover"
)

// LeftOutCell is a stack that no cell of a plan has, and why.
type LeftOutCell struct {
	// ID is the cell of the stack whose settings are all the default.
	ID  string
	Why string
}

// LeftOut lists the stacks of the kinds and tiers in the plan's profile that no cell
// of the plan has: all other combinations of the versions in the catalogue, each with
// what forbids it or where else its combinations are.
func LeftOut(c *Catalog, p *Plan) ([]LeftOutCell, error) {
	out, err := c.leftOut(p)
	if err != nil {
		return nil, fmt.Errorf("cannot tell what the plan leaves out: %w", err)
	}
	return out, nil
}

func (c *Catalog) leftOut(p *Plan) ([]LeftOutCell, error) {
	profile, err := c.Profile(p.Profile)
	if err != nil {
		return nil, err
	}
	var out []LeftOutCell
	for _, on := range hostTypes() {
		if !profile.asks(on, p.Change) {
			continue
		}
		absent, err := c.absent(on, p)
		if err != nil {
			return nil, err
		}
		for _, a := range absent {
			why, err := a.why(profile)
			if err != nil {
				return nil, err
			}
			var choices []Choice
			for _, comp := range on.kind.Components() {
				choices = append(choices, Choice{Component: comp, Version: a.versions[comp]})
			}
			out = append(out, LeftOutCell{ID: CellID(on.kind, on.tier, choices, nil), Why: why})
		}
	}
	return out, nil
}

// asks says whether a profile has cells of the kind and tier. Those of a change come from its
// covers alone.
func (p *Profile) asks(on hostType, change *Change) bool {
	return change == nil && slices.ContainsFunc(p.Cells, func(c Cell) bool { return c.hostType() == on }) ||
		slices.ContainsFunc(p.Covers, func(c Cover) bool { return c.Kind == on.kind && c.Tier == on.tier })
}

// absence is a stack that no cell of a plan has.
type absence struct {
	*stack
	plan *Plan
	// grid has all that the catalogue allows of the kind; covered is what the plan
	// covers of it, nil if it was not asked to.
	grid    *grid
	covered *Coverage
	// tuple is the stack.
	tuple cover.Tuple
}

// absent lists the stacks of a kind that no cell of a tier has.
func (c *Catalog) absent(on hostType, p *Plan) ([]absence, error) {
	everything := Cover{Kind: on.kind, Tier: on.tier}
	for _, a := range c.KindAxes(on.kind) {
		everything.Axes = append(everything.Axes, Varied{Axis: a.Name, Values: a.names()})
	}
	g, err := c.grid(everything, nil)
	if err != nil {
		return nil, err
	}
	var out []absence
	for i := range g.stacks {
		a := absence{stack: &g.stacks[i], plan: p, grid: g, tuple: g.stacks[i].tuple(on.kind.Components())}
		if !slices.ContainsFunc(p.Cells, func(cell Cell) bool { return cell.hostType() == on && cell.has(a.tuple) }) {
			a.cover()
			out = append(out, a)
		}
	}
	return out, nil
}

// cover finds what the plan covers of such stacks: what asks for this one, if there
// are two, or else the first.
func (a *absence) cover() {
	for i := range a.plan.Coverage {
		cov := &a.plan.Coverage[i]
		if cov.Kind != a.grid.kind || cov.Tier != a.grid.tier {
			continue
		}
		other := *a
		other.covered = cov
		if a.covered == nil || a.unasked() != "" && other.unasked() == "" {
			a.covered = cov
		}
	}
}

// has says whether the cell has all of these values.
func (c *Cell) has(t cover.Tuple) bool {
	return !slices.ContainsFunc(t, func(s cover.Setting) bool {
		value, _ := c.Value(s.Axis)
		return value != s.Level
	})
}

func (a *absence) why(profile *Profile) (string, error) {
	if a.impossible != nil {
		return a.impossible.Error(), nil
	}
	if a.covered == nil {
		return a.unnamed(profile)
	}
	if why := a.unasked(); why != "" {
		return why, nil
	}
	// Where all cells have the new value, the rules speak of the other axes only.
	rest := slices.DeleteFunc(slices.Clone(a.tuple), func(s cover.Setting) bool { return slices.Contains(a.covered.With, s) })
	why, err := excluded(a.covered.model(), rest)
	if why == "" && err == nil {
		why = a.redundant(rest)
	}
	return why, err
}

// excluded returns why no valid row has a tuple, or "" if one does.
func excluded(m cover.Model, t cover.Tuple) (string, error) {
	found, err := cover.Contradictions(m, []cover.Tuple{t})
	if err != nil || found[0] == nil {
		return "", err
	}
	return reasons(found[0].By), nil
}

// unnamed is why, when the profile names its cells of the kind.
func (a *absence) unnamed(profile *Profile) (string, error) {
	if why, err := excluded(a.grid.model(), a.tuple); why != "" || err != nil {
		return why, err
	}
	for i := range profile.Cells {
		if cell := &profile.Cells[i]; cell.hostType() == a.grid.hostType() && cell.has(a.tuple) && a.plan.Change == nil {
			return fmt.Sprintf("left out by a selection: profile %s names it", profile.Name), nil
		}
	}
	if a.plan.Change != nil {
		return fmt.Sprintf("the plan is of %s, which %s cells do not have or their profile does not cover", a.plan.Change, a.grid.hostType()), nil
	}
	return fmt.Sprintf("profile %s names its cells, and none with this stack", profile.Name), nil
}

// unasked says what the stack has that the plan does not ask for, or "".
func (a *absence) unasked() string {
	for _, s := range a.covered.With {
		if has, ok := level(a.tuple, s.Axis); ok && has != s.Level {
			return fmt.Sprintf("the plan is of %s, and this has %s %s and is no baseline", a.plan.Change, s.Axis, has)
		}
	}
	for _, axis := range a.covered.Axes {
		if has, ok := level(a.tuple, axis.Name); ok && !slices.Contains(axis.Values, has) {
			return fmt.Sprintf("the profile covers %s %s only, and this has %s", axis.Name, strings.Join(axis.Values, ", "), has)
		}
	}
	return ""
}

// maxNamed is how many combinations an explanation names.
const maxNamed = 2

// redundant is why, when the stack is allowed: the plan's cells have all its
// combinations of values, or something left some of them out.
func (a *absence) redundant(rest cover.Tuple) string {
	size := min(a.covered.Strength-len(a.covered.With), len(rest))
	var elsewhere, nowhere []string
	for _, t := range subsets(rest, size) {
		t = slices.Concat(a.covered.With, t)
		i := slices.IndexFunc(a.plan.Cells, func(c Cell) bool { return c.hostType() == a.grid.hostType() && c.has(t) })
		if i < 0 {
			nowhere = append(nowhere, inWords(t))
		} else {
			elsewhere = append(elsewhere, fmt.Sprintf("%s in %s", inWords(t), a.plan.Cells[i].ID))
		}
	}
	size += len(a.covered.With)
	if n := len(nowhere); n > 0 {
		return fmt.Sprintf("left out by a budget or a selection: %s in no cell: %s",
			some(n, "this %s is", "these %d %s are", combinations(size, n)), strings.Join(nowhere, "; "))
	}
	n := len(elsewhere)
	text := fmt.Sprintf("%s: %s", some(n, "its %s is in another cell", "its %d %s are all in other cells", combinations(size, n)),
		strings.Join(elsewhere[:min(n, maxNamed)], "; "))
	if n > maxNamed {
		text += fmt.Sprintf("; and %d more", n-maxNamed)
	}
	return text
}

// some fills in one of two formats: that for one, or that for a number.
func some(n int, one, many, what string) string {
	if n == 1 {
		return fmt.Sprintf(one, what)
	}
	return fmt.Sprintf(many, n, what)
}

// subsets lists the tuples of the given size that are part of a tuple.
func subsets(t cover.Tuple, size int) []cover.Tuple {
	if size == 0 {
		return []cover.Tuple{nil}
	}
	var out []cover.Tuple
	for i := range t {
		for _, rest := range subsets(t[i+1:], size-1) {
			out = append(out, slices.Concat(t[i:i+1], rest))
		}
	}
	return out
}
