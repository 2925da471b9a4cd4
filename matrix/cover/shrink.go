package cover

import (
	"context"
	"slices"
)

// shrink takes rows away for as long as the rest can be made to cover
// everything again within the effort. Effort counts looked-up tuples, so that
// the result does not depend on the machine.
func (m *maker) shrink(ctx context.Context, effort int) error {
	for len(m.rows) > m.floor && effort > 0 {
		rows, fixed := m.snapshot(), slices.Clone(m.fixed)
		r := m.leastUseful()
		if r < 0 {
			return nil
		}
		effort -= len(m.rows) * len(m.combos)
		m.remove(r)
		used, err := m.search(ctx, effort)
		if err != nil {
			return err
		}
		effort -= used
		if len(m.open) > 0 {
			m.restore(rows, fixed)
			return nil
		}
	}
	return nil
}

// dropUseless removes the rows whose every tuple another row covers.
func (m *maker) dropUseless() {
	for r := len(m.rows) - 1; r >= 0; r-- {
		if m.fixed[r] == nil && m.only(r) == 0 {
			m.remove(r)
		}
	}
}

// leastUseful returns the row that covers the fewest tuples alone, -1 when all
// rows must stay.
func (m *maker) leastUseful() int {
	best, bestOnly := -1, 0
	for r := range m.rows {
		if m.fixed[r] != nil {
			continue
		}
		if n := m.only(r); best < 0 || n < bestOnly {
			best, bestOnly = r, n
		}
	}
	return best
}

func (m *maker) restore(rows [][]int, fixed [][]bool) {
	for len(m.rows) > 0 {
		m.remove(len(m.rows) - 1)
	}
	for i, row := range rows {
		m.add(row, fixed[i])
	}
}

const (
	// tenure is for how many steps a changed cell stays as it is, at most.
	tenure = 4
	// stepCost is what a step costs besides the changes it weighs.
	stepCost = 16
)

// search changes cells until every tuple is covered or the effort is spent, and
// returns the effort used. It is tabu search as of Nurmela (Upper bounds for
// covering arrays by tabu search, 2004): take a random uncovered tuple, look at
// every single change that would cover it, make the best one.
func (m *maker) search(ctx context.Context, effort int) (used int, err error) {
	until := make([]int, len(m.rows)*len(m.tuples.levels))
	best := len(m.open)
	for step := 1; len(m.open) > 0 && used < effort; step++ {
		if step%256 == 0 && ctx.Err() != nil {
			return used, ctx.Err()
		}
		axes, values := m.decode(int(m.open[m.rng.IntN(len(m.open))]))
		r, a, v, cost := m.bestChange(axes, values, func(r, axis, delta int) bool {
			return until[r*len(m.tuples.levels)+axis] > step && len(m.open)+delta >= best
		})
		used += cost
		if r < 0 {
			used += m.force(axes, values)
			continue
		}
		m.set(r, a, v)
		until[r*len(m.tuples.levels)+a] = step + 1 + m.rng.IntN(tenure)
		best = min(best, len(m.open))
	}
	return used, nil
}

// bestChange returns the change of one cell that covers a tuple and leaves the
// fewest uncovered; r is -1 when no row is one valid, permitted change away.
func (m *maker) bestChange(axes, values []int, tabu func(r, axis, delta int) bool) (r, axis, level, cost int) {
	r = -1
	best, ties := 0, 0
	for i, row := range m.rows {
		at := oneOff(row, axes, values)
		if at < 0 || m.isFixed(i, axes[at]) || !m.sat.allowed(row, axes[at], values[at]) {
			continue
		}
		a, v := axes[at], values[at]
		d := m.delta(i, a, v)
		cost += len(m.byAxis[a])
		if tabu(i, a, d) || r >= 0 && d > best {
			continue
		}
		if r < 0 || d < best {
			ties = 0
		}
		if ties++; m.rng.IntN(ties) == 0 {
			r, axis, level, best = i, a, v, d
		}
	}
	return r, axis, level, cost + stepCost + 2*len(m.rows)
}

// oneOff returns which setting of the tuple the row lacks when it lacks just
// one, or -1.
func oneOff(row, axes, values []int) int {
	at := -1
	for i, a := range axes {
		if row[a] != values[i] {
			if at >= 0 {
				return -1
			}
			at = i
		}
	}
	return at
}

// force puts a tuple into a random row and changes there what it must.
func (m *maker) force(axes, values []int) (cost int) {
	r := m.rng.IntN(len(m.rows))
	want := m.partial(nil)
	for i, a := range axes {
		want[a] = values[i]
	}
	for a := range want {
		if m.isFixed(r, a) {
			if want[a] != free && want[a] != m.rows[r][a] {
				return 1
			}
			want[a] = m.rows[r][a]
		}
	}
	row := m.sat.complete(want, m.rows[r])
	if row == nil {
		return 1
	}
	for a := range row {
		if row[a] != m.rows[r][a] {
			cost += len(m.byAxis[a])
		}
	}
	m.put(r, row)
	return cost + 1
}
