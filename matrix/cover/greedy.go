package cover

import (
	"context"
	"math/rand/v2"
)

// maker builds and improves the rows of one board.
type maker struct {
	*compiled
	*board
	sat   *solver
	rng   *rand.Rand
	floor int // no array has fewer rows
}

// candidates is how many rows are built for each one that is taken, as in AETG
// (Cohen, Dalal, Fredman, Patton: The AETG system, 1997). They are fewer when
// the whole array would take more than fillWork, in tuples looked up.
const (
	candidates = 25
	fillWork   = 100_000_000
)

// fill adds rows until every valid tuple is covered.
func (m *maker) fill(ctx context.Context) error {
	perRow := 1
	for a, places := range m.byAxis {
		perRow += len(places) * m.tuples.levels[a]
	}
	tries := min(candidates, max(1, fillWork/perRow/m.floor))
	for len(m.open) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		var best []int
		bestGain := -1
		for range tries {
			row := m.candidate()
			if g := m.gain(row); g > bestGain {
				best, bestGain = row, g
			}
		}
		m.add(best, nil)
	}
	return nil
}

// candidate builds a valid row around a random uncovered tuple, axis by axis in
// random order, each at the level that covers most with what is decided.
func (m *maker) candidate() []int {
	axes, values := m.decode(int(m.open[m.rng.IntN(len(m.open))]))
	row := m.partial(nil)
	for i, a := range axes {
		row[a] = values[i]
	}
	return m.finish(row)
}

// finish decides the free cells of a partial row that can be completed.
func (m *maker) finish(row []int) []int {
	for _, a := range m.rng.Perm(len(row)) {
		if row[a] == free {
			m.decide(row, a)
		}
	}
	return row
}

func (m *maker) decide(row []int, axis int) {
	gain := m.gains(row, axis)
	best, ties := free, 0
	for v := range gain {
		if best != free && !m.better(gain, axis, v, best) {
			if m.better(gain, axis, best, v) {
				continue
			}
			if ties++; m.rng.IntN(ties) > 0 {
				continue
			}
		} else {
			ties = 1
		}
		row[axis] = v
		if m.sat.possible(row) {
			best = v
		}
	}
	row[axis] = best
}

// better says whether level v of an axis covers more than w, or as much and is
// heavier.
func (m *maker) better(gain []int, axis, v, w int) bool {
	if gain[v] != gain[w] {
		return gain[v] > gain[w]
	}
	return m.weight(axis, v) > m.weight(axis, w)
}

// gains returns for each level of a free axis how many uncovered tuples it
// would cover together with the cells that are decided.
func (m *maker) gains(row []int, axis int) []int {
	gain := make([]int, m.tuples.levels[axis])
	places := m.byAxis[axis]
next:
	for i := range places {
		p := &places[i]
		for _, a := range p.axes {
			if row[a] == free {
				continue next
			}
		}
		n := p.others(row)
		for v := range gain {
			if m.count[n+v*p.own] == 0 {
				gain[v]++
			}
		}
	}
	return gain
}

// gain returns how many uncovered tuples a whole row would cover.
func (m *maker) gain(row []int) int {
	n := 0
	for i := range m.combos {
		if m.count[m.combos[i].number(row)] == 0 {
			n++
		}
	}
	return n
}

// repair returns a valid row that keeps what it can of an arbitrary one.
func (m *maker) repair(row []int) []int {
	kept := m.partial(nil)
	for a, v := range row {
		kept[a] = v
		if !m.sat.possible(kept) {
			kept[a] = free
		}
	}
	return m.finish(kept)
}
