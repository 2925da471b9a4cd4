package cover

import (
	"context"
	"math"
	"slices"
)

// arrange orders the rows on the board: so that changes from row to row cost
// least, or, when changes cost nothing, by what each row newly covers. Cells
// that coverage leaves free are used to save changes and then to prefer heavy
// levels.
func (g *generator) arrange(ctx context.Context) error {
	if !g.anyCost() {
		g.preferHeavy()
		return g.byCoverage(ctx)
	}
	g.permute(g.path())
	g.saveChanges()
	g.preferHeavy()
	g.permute(g.path())
	return nil
}

func (g *generator) anyCost() bool {
	return slices.ContainsFunc(g.model.Axes, func(a Axis) bool { return a.Cost > 0 })
}

// permute puts the rows into the given order of their indices.
func (g *generator) permute(order []int) {
	rows, fixed := make([][]int, len(order)), make([][]bool, len(order))
	for i, r := range order {
		rows[i], fixed[i] = g.rows[r], g.fixed[r]
	}
	copy(g.rows, rows)
	copy(g.fixed, fixed)
}

// byCoverage orders the rows that must be there first, then the rest. Arrays
// so large that this would take longer than orderWork stay as they were found,
// which is close to it.
func (g *generator) byCoverage(ctx context.Context) error {
	if len(g.rows)*len(g.rows)*len(g.combos) > orderWork {
		return nil
	}
	rows, fixed := g.snapshot(), slices.Clone(g.fixed)
	n := len(g.must)
	g.restore(rows[:n], fixed[:n])
	return g.take(ctx, rows[n:], len(rows))
}

// orderWork is how many tuples are looked up at most for the sake of order.
const orderWork = 100_000_000

// maxPath is the number of rows up to which a good order is searched; beyond
// it the rows are sorted by their costly axes.
const maxPath = 500

// path returns an order of the rows with cheap changes: from each row in turn
// to the nearest one left, the best of all beginnings, then stretches reversed
// while that helps (2-opt).
func (g *generator) path() []int {
	n := len(g.rows)
	if n > maxPath {
		return g.sorted()
	}
	d := make([][]float64, n)
	for i := range d {
		d[i] = make([]float64, n)
		for j := range d[i] {
			d[i][j] = g.changeCost(g.rows[i], g.rows[j])
		}
	}
	var best []int
	bestCost := math.Inf(1)
	for start := range n {
		p := nearest(d, start)
		if c := pathCost(d, p); c < bestCost {
			best, bestCost = p, c
		}
	}
	for reverseOne(d, best) {
	}
	return best
}

// sorted orders rows by level, the costliest axis first.
func (g *generator) sorted() []int {
	axes := g.axesByCost()
	order := make([]int, len(g.rows))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int {
		for _, a := range axes {
			if d := g.rows[i][a] - g.rows[j][a]; d != 0 {
				return d
			}
		}
		return 0
	})
	return order
}

// axesByCost returns the axes with a cost, the costliest first.
func (g *generator) axesByCost() []int {
	var axes []int
	for a, axis := range g.model.Axes {
		if axis.Cost > 0 {
			axes = append(axes, a)
		}
	}
	slices.SortStableFunc(axes, func(a, b int) int {
		switch d := g.model.Axes[a].Cost - g.model.Axes[b].Cost; {
		case d > 0:
			return -1
		case d < 0:
			return 1
		}
		return 0
	})
	return axes
}

func nearest(d [][]float64, start int) []int {
	used := make([]bool, len(d))
	p := []int{start}
	used[start] = true
	for len(p) < len(d) {
		last, next := p[len(p)-1], -1
		for j := range d {
			if !used[j] && (next < 0 || d[last][j] < d[last][next]) {
				next = j
			}
		}
		used[next] = true
		p = append(p, next)
	}
	return p
}

func pathCost(d [][]float64, p []int) float64 {
	sum := 0.0
	for i := 1; i < len(p); i++ {
		sum += d[p[i-1]][p[i]]
	}
	return sum
}

// reverseOne reverses the first stretch of the path that makes it cheaper, and
// says whether there was one.
func reverseOne(d [][]float64, p []int) bool {
	edge := func(i, j int) float64 {
		if i < 0 || j >= len(p) {
			return 0
		}
		return d[p[i]][p[j]]
	}
	across := func(i, j int) float64 { // the edges after p[i..j] is reversed
		sum := 0.0
		if i > 0 {
			sum += d[p[i-1]][p[j]]
		}
		if j+1 < len(p) {
			sum += d[p[i]][p[j+1]]
		}
		return sum
	}
	const epsilon = 1e-9 // sums of floats must not go round in circles
	for i := range p {
		for j := i + 1; j < len(p); j++ {
			if across(i, j) < edge(i-1, i)+edge(j, j+1)-epsilon {
				slices.Reverse(p[i : j+1])
				return true
			}
		}
	}
	return false
}

// saveChanges gives cells of costly axes the level of a neighbouring row where
// coverage allows and that is cheaper, until nothing changes.
func (g *generator) saveChanges() {
	for changed := true; changed; {
		changed = false
		for _, a := range g.axesByCost() {
			for r := range g.rows {
				for _, near := range []int{r - 1, r + 1} {
					if near >= 0 && near < len(g.rows) && g.changes(r, a, g.rows[near][a]) < g.changes(r, a, g.rows[r][a]) && g.isSpare(r, a, g.rows[near][a]) {
						g.set(r, a, g.rows[near][a])
						changed = true
					}
				}
			}
		}
	}
}

// changes counts the neighbours of a row that have another level on an axis.
func (g *generator) changes(r, axis, level int) int {
	n := 0
	if r > 0 && g.rows[r-1][axis] != level {
		n++
	}
	if r+1 < len(g.rows) && g.rows[r+1][axis] != level {
		n++
	}
	return n
}

// isSpare says whether a cell may take the level and no coverage is lost.
func (g *generator) isSpare(r, axis, level int) bool {
	return !g.isFixed(r, axis) && g.delta(r, axis, level) <= 0 && g.sat.allowed(g.rows[r], axis, level)
}

// preferHeavy gives cells that coverage leaves free the heaviest level that
// adds no change on a costly axis.
func (g *generator) preferHeavy() {
	for a, axis := range g.model.Axes {
		if axis.Weights == nil {
			continue
		}
		for r := range g.rows {
			for v := range axis.Levels {
				cheap := axis.Cost == 0 || g.changes(r, a, v) <= g.changes(r, a, g.rows[r][a])
				if g.weight(a, v) > g.weight(a, g.rows[r][a]) && cheap && g.isSpare(r, a, v) {
					g.set(r, a, v)
				}
			}
		}
	}
}
