package cover

import (
	"context"
	"slices"
)

// choose replaces the rows on the board by as many as the budget allows: those
// that must be there, then from the pool whichever row brings the most new
// coverage.
func (g *generator) choose(ctx context.Context) error {
	rows, fixed := g.snapshot(), slices.Clone(g.fixed)
	n := len(g.must)
	g.restore(rows[:n], fixed[:n])
	g.method += ", rows chosen for the budget"
	return g.take(ctx, g.pool, g.opts.Budget-n)
}

// offer is a row that may be taken.
type offer struct {
	row []int
	// gain is the weight of the tuples it would cover now, or, when stale,
	// more than that: what was open only shrinks.
	gain  float64
	stale bool
	taken bool
}

// take moves up to n rows that cover something new from the pool to the board,
// the one of most gain first.
func (g *generator) take(ctx context.Context, pool [][]int, n int) error {
	offers := make([]offer, len(pool))
	for i, row := range pool {
		offers[i] = offer{row: row, gain: g.weightOfNew(row)}
	}
	for ; n > 0; n-- {
		if err := ctx.Err(); err != nil {
			return err
		}
		best := g.bestOffer(offers)
		if best < 0 {
			break
		}
		offers[best].taken = true
		g.add(slices.Clone(offers[best].row), nil)
		for i := range offers {
			offers[i].stale = true
		}
	}
	return nil
}

// bestOffer returns the offer of most gain, -1 when none covers anything new.
// It weighs stale offers again only when they might be the best.
func (g *generator) bestOffer(offers []offer) int {
	for {
		best := -1
		for i := range offers {
			o := &offers[i]
			if !o.taken && o.gain > 0 && (best < 0 || o.gain > offers[best].gain) {
				best = i
			}
		}
		if best < 0 || !offers[best].stale {
			return best
		}
		offers[best].gain, offers[best].stale = g.weightOfNew(offers[best].row), false
	}
}

// weightOfNew returns the weight of the uncovered tuples that a row has. The
// weight of a tuple is the product of those of its levels.
func (g *generator) weightOfNew(row []int) float64 {
	sum := 0.0
	for i := range g.combos {
		c := &g.combos[i]
		if g.count[c.number(row)] != 0 {
			continue
		}
		w := 1.0
		for _, a := range c.axes {
			w *= g.weight(a, row[a])
		}
		sum += w
	}
	return sum
}
