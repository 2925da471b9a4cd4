package matrix

import (
	"fmt"
	"slices"

	"github.com/virtmatrix/virtmatrix/matrix/cover"
)

// Coverage is what the cells of one kind and tier cover, and everything that is needed
// to count it again.
type Coverage struct {
	Kind Kind `json:"kind"`
	// Tier is that of the cells that count.
	Tier     Tier `json:"tier"`
	Strength int  `json:"strength"`
	// With is what all counted combinations have, and the cells that count: the
	// new value of a change. Its axis is not among Axes and counts as one of the
	// Strength values. Empty unless the plan is of a change.
	With cover.Tuple `json:"with,omitempty"`
	// Axes are those that vary, with their values.
	Axes []CoveredAxis `json:"axes"`
	// Rules are the combinations that no cell may have.
	Rules []CoverageRule `json:"rules,omitempty"`
	// Valid combinations of Strength values occur in some allowed cell; Covered
	// of them occur in a cell of the plan.
	Valid   int `json:"valid"`
	Covered int `json:"covered"`
	// Missing are the valid ones that a budget or a selection left out.
	Missing []cover.Tuple `json:"missing,omitempty"`
	// Excluded occur in no allowed cell.
	Excluded []ExcludedTuple `json:"excluded,omitempty"`
}

// CoveredAxis is an axis and the values that a plan varies.
type CoveredAxis struct {
	Name   string   `json:"name"`
	Values []string `json:"values"`
}

// CoverageRule is a forbidden combination, its reason and its source.
type CoverageRule struct {
	Tuple  cover.Tuple `json:"tuple"`
	Why    string      `json:"why"`
	Source string      `json:"source,omitempty"`
}

// ExcludedTuple is a combination that no allowed cell has, and why.
type ExcludedTuple struct {
	Tuple cover.Tuple `json:"tuple"`
	Why   string      `json:"why"`
}

// Cells calls the cells that count by kind, and by tier unless that is Nested:
// "kvm", "kvm container".
func (c *Coverage) Cells() string { return hostType{c.Tier, c.Kind}.String() }

// Recount says how many of the valid combinations these cells cover, and which
// they do not: of a run, those cells that gave an answer. Cells of other kinds or
// tiers, with other values, or with a forbidden combination cover nothing.
//
// It goes by the axes and rules of the coverage alone, tuple by tuple, and
// shares no code with what chose the cells.
func (c *Coverage) Recount(cells []Cell) (covered int, missing []cover.Tuple, err error) {
	counted, err := c.count(cells)
	if err != nil {
		return 0, nil, err
	}
	return counted.Covered, counted.Missing, nil
}

// Counts says whether cells count because they have this value of an axis.
func (c *Coverage) Counts(axis, value string) bool {
	if counted, ok := level(c.With, axis); ok {
		return counted == value
	}
	return slices.ContainsFunc(c.Axes, func(a CoveredAxis) bool { return a.Name == axis && slices.Contains(a.Values, value) })
}

// coverage is what the cells cover of the grid.
func (g *grid) coverage(strength int, with cover.Tuple, cells []Cell) (*Coverage, error) {
	c := g.uncounted(strength, with)
	counted, err := c.count(cells)
	if err != nil {
		return nil, err
	}
	c.Valid, c.Covered, c.Missing = counted.Valid, counted.Covered, counted.Missing
	for _, e := range counted.Excluded {
		var by []cover.Forbidden
		for _, r := range e.By {
			by = append(by, forbidden(c.Rules[r:r+1])...)
		}
		c.Excluded = append(c.Excluded, ExcludedTuple{Tuple: e.Tuple, Why: reasons(by)})
	}
	return c, nil
}

// uncounted says what is to be covered of the grid.
func (g *grid) uncounted(strength int, with cover.Tuple) *Coverage {
	c := &Coverage{Kind: g.kind, Tier: g.tier, Strength: strength, With: with}
	for _, a := range g.axes {
		if _, ok := level(with, a.Name); !ok {
			c.Axes = append(c.Axes, CoveredAxis{Name: a.Name, Values: a.Levels})
		}
	}
	for _, r := range g.rules {
		// All cells that count have what With says.
		r.Tuple = slices.DeleteFunc(slices.Clone(r.Tuple), func(s cover.Setting) bool { return slices.Contains(with, s) })
		c.Rules = append(c.Rules, r)
	}
	return c
}

// count counts what the cells cover; its tuples include With.
func (c *Coverage) count(cells []Cell) (cover.Coverage, error) {
	m := c.model()
	var rows []cover.Row
	for i := range cells {
		if row, ok := c.row(&cells[i]); ok {
			rows = append(rows, row)
		}
	}
	if c.Strength == len(c.With) {
		return c.countWith(m, rows)
	}
	counted, err := cover.Verify(m, c.Strength-len(c.With), rows)
	if err != nil {
		return cover.Coverage{}, fmt.Errorf("cannot count coverage of %s cells: %w", c.Cells(), err)
	}
	for i := range counted.Missing {
		counted.Missing[i] = slices.Concat(c.With, counted.Missing[i])
	}
	for i := range counted.Excluded {
		counted.Excluded[i].Tuple = slices.Concat(c.With, counted.Excluded[i].Tuple)
	}
	return counted, nil
}

// countWith counts the one combination that With is.
func (c *Coverage) countWith(m cover.Model, rows []cover.Row) (cover.Coverage, error) {
	any, err := cover.Verify(m, 1, rows)
	if err != nil {
		return cover.Coverage{}, fmt.Errorf("cannot count coverage of %s cells: %w", c.Cells(), err)
	}
	counted := cover.Coverage{Strength: c.Strength, Valid: 1, Covered: min(any.Covered, 1)}
	if counted.Covered == 0 {
		counted.Missing = []cover.Tuple{c.With}
	}
	return counted, nil
}

func (c *Coverage) model() cover.Model {
	m := cover.Model{Forbidden: forbidden(c.Rules)}
	for _, a := range c.Axes {
		m.Axes = append(m.Axes, cover.Axis{Name: a.Name, Levels: a.Values})
	}
	return m
}

// row returns the values of a cell on the axes; ok is false when it does not
// count.
func (c *Coverage) row(cell *Cell) (row cover.Row, ok bool) {
	if cell.Kind != c.Kind || cell.Tier != c.Tier {
		return nil, false
	}
	for _, s := range c.With {
		if value, _ := cell.Value(s.Axis); value != s.Level {
			return nil, false
		}
	}
	for _, a := range c.Axes {
		value, ok := cell.Value(a.Name)
		if !ok || !slices.Contains(a.Values, value) {
			return nil, false
		}
		row = append(row, value)
	}
	return row, true
}

// level returns the level of a tuple on an axis; ok is false when it has none.
func level(t cover.Tuple, axis string) (l string, ok bool) {
	for _, s := range t {
		if s.Axis == axis {
			return s.Level, true
		}
	}
	return "", false
}
