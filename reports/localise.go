package reports

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/reports/cause"
)

// Ask is a check to be asked in a cell that the run does not have: that of Base, with another
// value on one axis.
type Ask struct {
	Check string `json:"check"`
	Cell  string `json:"cell"`
	Base  string `json:"base"`
	Axis  string `json:"axis"`
	Value string `json:"value"`
	// Seconds is what it is estimated to take: as the check did on hosts of that tier.
	Seconds float64 `json:"seconds"`
}

// String returns "O-SAVE on CELL (about 12 s)".
func (a Ask) String() string {
	return fmt.Sprintf("%s on %s (about %.0f s)", oneline(a.Check, 200), oneline(a.Cell, 200), a.Seconds)
}

// Next are the cells that narrow the cause of a finding further: those that tell conditions
// apart that fit equally or, when there is one left, those that would refute it. refused are
// cells that cannot be.
func (m *Matrix) Next(f *Finding, localised []*Matrix, refused []Ask) []Ask {
	all := m.with(localised)
	for _, p := range problems(m) {
		if !f.is(p) || p.results[0].Against != "" {
			continue
		}
		l, _ := p.locate(all)
		if l == nil {
			return nil
		}
		not := slices.Clone(l.otherwise)
		for _, a := range refused {
			not = append(not, l.point(a))
		}
		if next := cause.Decide(l.axes, l.cells, l.cost, not); len(next) > 0 {
			return l.asks(next)
		}
		return l.asks(cause.Confirm(l.axes, l.cells, l.cost, not))
	}
	return nil
}

// with is the matrix with what other runs answered, as far as that was asked in a way of
// its own.
func (m *Matrix) with(others []*Matrix) *Matrix {
	if len(others) == 0 {
		return m
	}
	all := &Matrix{Cells: slices.Clone(m.Cells), Results: slices.Clone(m.Results)}
	measures := m.measures()
	for _, o := range others {
		for i := range o.Results {
			r := &o.Results[i]
			if r.Record == nil || !measures[measure(r.Record)] {
				continue
			}
			all.Results = append(all.Results, *r)
			if all.Cell(r.Cell) == nil {
				all.Cells = append(all.Cells, *o.Cell(r.Cell))
			}
		}
	}
	return all
}

// located is the evidence about a problem: the cells that were asked, red ones first.
type located struct {
	space
	red   []*Cell
	cells []cause.Cell
	// otherwise are the cells that fail in another way: they tell nothing, however often they
	// are asked.
	otherwise [][]int
	// check is the cheapest of the problem's, and seconds what it takes by tier.
	check   string
	seconds map[matrix.Tier]float64
}

// locate gathers the evidence, and says what the red cells are held against. Without
// anything to hold them against it is nil.
func (p *problem) locate(m *Matrix) (l *located, said string) {
	red, green, other := p.evidence(m)
	contrast, said := green, fmt.Sprintf("%d green", len(green))
	if len(green) == 0 {
		contrast, said = other, fmt.Sprintf("%d that fail in another way (none passes)", len(other))
	}
	switch {
	case len(contrast) == 0 && len(red) > 1:
		return nil, fmt.Sprintf("all %d cells that were asked fail so", len(red))
	case len(contrast) == 0:
		return nil, ""
	}
	l = &located{space: p.space(m, append(slices.Clone(red), contrast...)), red: red}
	for i, c := range append(slices.Clone(red), contrast...) {
		l.cells = append(l.cells, cause.Cell{Values: l.values(c), Red: i < len(red)})
	}
	for _, c := range other {
		l.otherwise = append(l.otherwise, l.values(c))
	}
	l.price(m, p.checks())
	return l, said
}

// price finds out which check is the cheapest, by what it took in this run.
func (l *located) price(m *Matrix, checks []string) {
	for _, check := range checks {
		sum, n := map[matrix.Tier]float64{}, map[matrix.Tier]float64{}
		for i := range m.Results {
			if r := &m.Results[i]; r.Check == check && r.Record != nil {
				took := r.Record.Seconds
				if r.Record.Cached != nil {
					took = r.Record.Cached.Seconds
				}
				sum[r.Tier], n[r.Tier] = sum[r.Tier]+took, n[r.Tier]+1
			}
		}
		for tier := range sum {
			sum[tier] = sum[tier]/n[tier] + float64(matrix.HostSeconds(tier, 1))
		}
		if tier := l.red[0].Tier; l.check == "" || sum[tier] < l.seconds[tier] {
			l.check, l.seconds = check, sum
		}
	}
}

// cost is what it costs to ask the cell with these values.
func (l *located) cost(values []int) float64 {
	c, _ := l.base(values)
	return max(l.seconds[c.Tier], 1)
}

// base is the red cell that differs from the one with these values on one axis, the cheapest.
func (l *located) base(values []int) (base *Cell, axis int) {
	for n, c := range l.red {
		var differs []int
		for i, v := range l.cells[n].Values {
			if v != values[i] {
				differs = append(differs, i)
			}
		}
		if len(differs) == 1 && (base == nil || l.seconds[c.Tier] < l.seconds[base.Tier]) {
			base, axis = c, differs[0]
		}
	}
	return base, axis
}

func (l *located) asks(cells [][]int) (asks []Ask) {
	for _, values := range cells {
		base, axis := l.base(values)
		a := Ask{Check: l.check, Base: base.ID, Axis: l.axes[axis].Name, Value: l.axes[axis].Values[values[axis]], Seconds: l.cost(values)}
		a.Cell = base.as(a.Axis, a.Value)
		asks = append(asks, a)
	}
	return asks
}

// point is where a cell to be asked is.
func (l *located) point(a Ask) []int {
	at := slices.IndexFunc(l.red, func(c *Cell) bool { return c.ID == a.Base })
	axis := slices.IndexFunc(l.axes, func(x cause.Axis) bool { return x.Name == a.Axis })
	if at < 0 || axis < 0 {
		return nil
	}
	values := slices.Clone(l.cells[at].Values)
	values[axis] = slices.Index(l.axes[axis].Values, a.Value)
	return values
}

// as is the name that a cell has with another value on an axis.
func (c *Cell) as(axis, value string) string {
	stack, settings := slices.Clone(c.Stack), slices.Clone(c.Settings)
	for i := range stack {
		if string(stack[i].Component) == axis {
			stack[i].Version = value
		}
	}
	for i := range settings {
		if settings[i].Axis == axis {
			settings[i].Value, settings[i].Default = value, false
		}
	}
	return matrix.CellID(c.Kind, cmp.Or(c.Tier, matrix.Nested), stack, settings)
}
