package cover

import (
	"errors"
	"fmt"
	"slices"
)

// checkPossible finds levels that no valid row has.
func (g *generator) checkPossible() error {
	if g.sat.complete(g.partial(nil), nil) == nil {
		return g.contradiction(nil)
	}
	var dead []error
	for a, n := range g.compiled.levels {
		for v := range n {
			l := lit{a, v}
			if !g.sat.possible(g.partial([]lit{l})) {
				dead = append(dead, g.contradiction([]lit{l}))
			}
		}
	}
	return errors.Join(dead...)
}

func (g *generator) resolveMust() error {
	var faults []error
	for i, t := range g.opts.Must {
		lits, err := g.model.resolve(t)
		if err != nil {
			faults = append(faults, fmt.Errorf("row %d that must be there, %s: %w", i+1, t, err))
			continue
		}
		row := g.partial(lits)
		if !g.sat.possible(row) {
			faults = append(faults, g.contradiction(lits))
			continue
		}
		at := slices.IndexFunc(g.must, func(r []int) bool { return slices.Equal(r, row) })
		if at < 0 {
			at = len(g.must)
			g.must = append(g.must, row)
		}
		g.mustAt = append(g.mustAt, at)
	}
	return errors.Join(faults...)
}

// contradiction finds a smallest set of rules that rules the settings out: each
// rule is left out if the settings stay impossible without it.
func (c *compiled) contradiction(wanted []lit) *Contradiction {
	kept := make([]int, len(c.rules))
	for i := range kept {
		kept[i] = i
	}
	for r := range c.rules {
		without := slices.DeleteFunc(slices.Clone(kept), func(k int) bool { return k == r })
		rules := make([][]lit, len(without))
		for i, k := range without {
			rules[i] = c.rules[k]
		}
		if newSolver(c.levels, rules).complete(c.partial(wanted), nil) == nil {
			kept = without
		}
	}
	found := &Contradiction{Wanted: c.tuple(wanted)}
	for _, k := range kept {
		found.By = append(found.By, c.model.Forbidden[k])
	}
	return found
}
