package matrix

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/virtmatrix/virtmatrix/matrix/cover"
)

// grid is what the generated cells of a kind can be: the axes that vary, and the
// combinations that no cell may have.
type grid struct {
	catalog *Catalog
	kind    Kind
	tier    Tier
	axes    []cover.Axis
	rules   []CoverageRule
	// constraints are those of the catalogue and of the cover.
	constraints []Constraint
	// pinned settings do not vary and have this value instead of the default.
	pinned map[string]string
	// stacks are all combinations of the versions that vary.
	stacks []stack
}

// grid works out what the cells of a cover can be. Settings that do not vary
// have their default, or their pinned value.
func (c *Catalog) grid(cov Cover, pinned map[string]string) (*grid, error) {
	g := &grid{catalog: c, kind: cov.Kind, tier: cov.Tier, pinned: pinned, constraints: slices.Concat(c.Constraints, cov.Exclude)}
	for _, v := range cov.Axes {
		a, err := find(c.Axes, axisName, "axis", v.Axis)
		if err != nil {
			return nil, err
		}
		varied := cover.Axis{Name: a.Name}
		for _, name := range v.Values {
			value, err := a.Value(name)
			if err != nil {
				return nil, err
			}
			varied.Levels = append(varied.Levels, value.Name)
			varied.Weights = append(varied.Weights, cmp.Or(value.Weight, 1))
		}
		g.axes = append(g.axes, varied)
	}
	if err := g.combine(); err != nil {
		return nil, err
	}
	if err := g.tie(); err != nil {
		return nil, err
	}
	for i := range g.constraints {
		if err := g.forbid(&g.constraints[i]); err != nil {
			return nil, err
		}
	}
	return g, nil
}

func (g *grid) hostType() hostType { return hostType{g.tier, g.kind} }

func (g *grid) axis(name string) *cover.Axis {
	for i := range g.axes {
		if g.axes[i].Name == name {
			return &g.axes[i]
		}
	}
	return nil
}

func (g *grid) model() cover.Model {
	return cover.Model{Axes: g.axes, Forbidden: forbidden(g.rules)}
}

func forbidden(rules []CoverageRule) []cover.Forbidden {
	var out []cover.Forbidden
	for _, r := range rules {
		out = append(out, cover.Forbidden{Tuple: r.Tuple, Why: r.reason()})
	}
	return out
}

// reason returns why there is the rule and where that is known from.
func (r *CoverageRule) reason() string {
	if r.Source == "" {
		return r.Why
	}
	return fmt.Sprintf("%s (%s)", r.Why, r.Source)
}

// forbid turns a constraint into forbidden tuples of the axes that vary.
func (g *grid) forbid(k *Constraint) error {
	if k.Kind != "" && k.Kind != g.kind {
		return nil
	}
	// Conditions on what follows from the components, and those on axes that vary.
	var implied []func(*stack) bool
	levels := map[string][]string{}
	for _, condition := range k.Never {
		if condition.Axis == TierAxis {
			if !slices.Contains(condition.Values, string(g.tier)) {
				return nil
			}
			continue
		}
		if a := g.axis(condition.Axis); a != nil {
			within, narrowed := levels[a.Name]
			if !narrowed {
				within = a.Levels
			}
			levels[a.Name] = keep(within, condition.Values)
			continue
		}
		if k.Chosen && g.defaulted(condition.Axis) {
			return nil
		}
		holds, ok := g.implied(&condition)
		if !ok {
			return nil
		}
		implied = append(implied, holds)
	}
	tuples := []cover.Tuple{nil}
	if len(implied) > 0 {
		tuples = g.forbiddenStacks(levels, implied)
	}
	for _, a := range g.axes {
		within, narrowed := levels[a.Name]
		if !narrowed || len(within) == len(a.Levels) {
			continue
		}
		if n := len(tuples) * len(within); n > maxStacks {
			return fmt.Errorf("{%s} forbids %d combinations, more than %d; let fewer values vary", k, n, maxStacks)
		}
		tuples = extended(tuples, a.Name, within)
	}
	for _, t := range tuples {
		rule := CoverageRule{Tuple: g.sorted(t), Why: k.Why, Source: k.Source}
		if len(t) == 0 {
			return fmt.Errorf("no %s cell can be: %s", g.hostType(), rule.reason())
		}
		g.rules = append(g.rules, rule)
	}
	return nil
}

// defaulted says whether a setting has its default in all cells.
func (g *grid) defaulted(axis string) bool {
	_, pinned := g.pinned[axis]
	a, err := g.catalog.Axis(axis)
	return err == nil && isSetting(a) && !pinned && g.axis(axis) == nil
}

// implied returns on which stacks a condition holds whose axis does not vary; ok
// is false when cells of the kind have no such axis.
func (g *grid) implied(condition *Condition) (holds func(*stack) bool, ok bool) {
	if condition.Axis == CompositionAxis {
		return func(s *stack) bool { return slices.Contains(condition.Values, string(s.composition)) }, true
	}
	for _, a := range g.catalog.KindAxes(g.kind) {
		if a.Name == condition.Axis {
			return func(s *stack) bool { return slices.Contains(condition.Values, g.unvaried(a, s)) }, true
		}
	}
	return nil, false
}

// unvaried returns the value of a setting that does not vary.
func (g *grid) unvaried(a *Axis, s *stack) string {
	if v, ok := g.pinned[a.Name]; ok {
		return v
	}
	return g.catalog.defaultOf(a, s.versions)
}

// forbiddenStacks returns the shortest tuples of components all of whose cells
// meet the conditions. It takes the conditions on components out of levels.
func (g *grid) forbiddenStacks(levels map[string][]string, implied []func(*stack) bool) []cover.Tuple {
	within := map[Component][]string{}
	for _, comp := range g.kind.Components() {
		if of, ok := levels[string(comp)]; ok {
			within[comp] = of
			delete(levels, string(comp))
		}
	}
	met := func(s *stack) bool {
		for comp, of := range within {
			if !slices.Contains(of, s.versions[comp]) {
				return false
			}
		}
		return s.impossible == nil && !slices.ContainsFunc(implied, func(holds func(*stack) bool) bool { return !holds(s) })
	}
	return g.implicants(met, func(s *stack) bool { return s.impossible != nil })
}

// extended returns each tuple with each level of an axis.
func extended(tuples []cover.Tuple, axis string, levels []string) []cover.Tuple {
	var out []cover.Tuple
	for _, t := range tuples {
		for _, l := range levels {
			out = append(out, append(slices.Clone(t), cover.Setting{Axis: axis, Level: l}))
		}
	}
	return out
}

// sorted returns a tuple in the order of the axes.
func (g *grid) sorted(t cover.Tuple) cover.Tuple {
	at := func(s cover.Setting) int {
		return slices.IndexFunc(g.axes, func(a cover.Axis) bool { return a.Name == s.Axis })
	}
	slices.SortFunc(t, func(x, y cover.Setting) int { return at(x) - at(y) })
	return t
}

// check refuses a grid without any cell, or with a value that no cell has: what
// was asked for contradicts the constraints.
func (g *grid) check() error {
	wanted := []cover.Tuple{nil}
	for _, a := range g.axes {
		wanted = append(wanted, extended([]cover.Tuple{nil}, a.Name, a.Levels)...)
	}
	found, err := cover.Contradictions(g.model(), wanted)
	if err != nil {
		return err
	}
	if found[0] != nil {
		return g.contradiction(found[0])
	}
	var dead []error
	for _, f := range found {
		if f != nil {
			dead = append(dead, g.contradiction(f))
		}
	}
	return errors.Join(dead...)
}

func (g *grid) contradiction(c *cover.Contradiction) error {
	what := "be"
	if len(c.Wanted) > 0 {
		what = "have " + c.Wanted.String()
	}
	return fmt.Errorf("no %s cell can %s: %s", g.hostType(), what, reasons(c.By))
}

// reasons joins the reasons of rules, each once.
func reasons(rules []cover.Forbidden) string {
	var out []string
	for _, r := range rules {
		if !slices.Contains(out, r.Why) {
			out = append(out, r.Why)
		}
	}
	return strings.Join(out, "; ")
}

// possible returns the tuples that some cell has.
func possible(m cover.Model, tuples []cover.Tuple) ([]cover.Tuple, error) {
	found, err := cover.Contradictions(m, tuples)
	if err != nil {
		return nil, err
	}
	var out []cover.Tuple
	for i, t := range tuples {
		if found[i] == nil {
			out = append(out, t)
		}
	}
	return out, nil
}

// values returns what a row is of: the values of its axes, and the pinned ones.
func (g *grid) values(row cover.Row) map[string]string {
	values := map[string]string{}
	for axis, value := range g.pinned {
		values[axis] = value
	}
	for i, a := range g.axes {
		values[a.Name] = row[i]
	}
	return values
}

// tuple returns the row of a cell; ok is false when the grid has no such cell.
func (g *grid) tuple(cell *Cell) (t cover.Tuple, ok bool) {
	for _, a := range g.axes {
		value, has := cell.Value(a.Name)
		if !has || !slices.Contains(a.Levels, value) {
			return nil, false
		}
		t = append(t, cover.Setting{Axis: a.Name, Level: value})
	}
	for _, s := range cell.Settings {
		if g.axis(s.Axis) == nil && !s.Default {
			return nil, false
		}
	}
	return t, true
}
