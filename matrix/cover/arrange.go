package cover

import (
	"context"
	"slices"
)

// arrange gives cells that coverage leaves free heavy levels, and orders the rows on
// the board by what each newly covers.
func (g *generator) arrange(ctx context.Context) error {
	g.preferHeavy()
	return g.byCoverage(ctx)
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

// isSpare says whether a cell may take the level and no coverage is lost.
func (g *generator) isSpare(r, axis, level int) bool {
	return !g.isFixed(r, axis) && g.delta(r, axis, level) <= 0 && g.sat.allowed(g.rows[r], axis, level)
}

// preferHeavy gives cells that coverage leaves free the heaviest level.
func (g *generator) preferHeavy() {
	for a, axis := range g.model.Axes {
		if axis.Weights == nil {
			continue
		}
		for r := range g.rows {
			for v := range axis.Levels {
				if g.weight(a, v) > g.weight(a, g.rows[r][a]) && g.isSpare(r, a, v) {
					g.set(r, a, v)
				}
			}
		}
	}
}
