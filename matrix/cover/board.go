package cover

import "slices"

// impossible is the count of a tuple that no valid row contains: so high that
// it never looks uncovered, whatever happens to it.
const impossible = 1 << 30

// board is an array under construction: rows, and how often they cover each
// tuple.
type board struct {
	*tuples
	rows [][]int
	// fixed tells for each row which cells may not change; nil when all may.
	fixed [][]bool
	count []int32
	// open lists the uncovered tuples in no order; at is each one's place.
	open, at []int32
}

// newBoard returns a board without rows, on which the tuples for which valid
// is false count as covered.
func newBoard(ts *tuples, valid func(number int) bool) *board {
	b := &board{tuples: ts, count: make([]int32, ts.size), at: make([]int32, ts.size)}
	for i := range b.count {
		if valid(i) {
			b.at[i] = int32(len(b.open))
			b.open = append(b.open, int32(i))
		} else {
			b.count[i] = impossible
		}
	}
	return b
}

func (b *board) inc(i int) {
	b.count[i]++
	if b.count[i] == 1 {
		last := b.open[len(b.open)-1]
		b.open[b.at[i]] = last
		b.at[last] = b.at[i]
		b.open = b.open[:len(b.open)-1]
	}
}

func (b *board) dec(i int) {
	b.count[i]--
	if b.count[i] == 0 {
		b.at[i] = int32(len(b.open))
		b.open = append(b.open, int32(i))
	}
}

// add appends a row; the board owns it from then on.
func (b *board) add(row []int, fixed []bool) {
	b.rows = append(b.rows, row)
	b.fixed = append(b.fixed, fixed)
	for i := range b.combos {
		b.inc(b.combos[i].number(row))
	}
}

// remove takes a row away; the rows keep their order.
func (b *board) remove(r int) {
	for i := range b.combos {
		b.dec(b.combos[i].number(b.rows[r]))
	}
	b.rows = slices.Delete(b.rows, r, r+1)
	b.fixed = slices.Delete(b.fixed, r, r+1)
}

// isFixed says whether a cell may not change.
func (b *board) isFixed(r, axis int) bool { return b.fixed[r] != nil && b.fixed[r][axis] }

// only returns how many tuples no other row covers.
func (b *board) only(r int) int {
	n := 0
	for i := range b.combos {
		if b.count[b.combos[i].number(b.rows[r])] == 1 {
			n++
		}
	}
	return n
}

// delta returns by how much the number of uncovered tuples changes when a cell
// takes another level.
func (b *board) delta(r, axis, level int) int {
	row, old, d := b.rows[r], b.rows[r][axis], 0
	places := b.byAxis[axis]
	for i := range places {
		p := &places[i]
		n := p.others(row)
		if b.count[n+p.own*old] == 1 {
			d++
		}
		if b.count[n+p.own*level] == 0 {
			d--
		}
	}
	return d
}

// set gives a cell another level.
func (b *board) set(r, axis, level int) {
	row, old := b.rows[r], b.rows[r][axis]
	places := b.byAxis[axis]
	for i := range places {
		p := &places[i]
		n := p.others(row)
		b.dec(n + p.own*old)
		b.inc(n + p.own*level)
	}
	row[axis] = level
}

// put makes a row equal to another.
func (b *board) put(r int, row []int) {
	for a, v := range row {
		if b.rows[r][a] != v {
			b.set(r, a, v)
		}
	}
}

// snapshot returns a copy of the rows.
func (b *board) snapshot() [][]int {
	out := make([][]int, len(b.rows))
	for i, r := range b.rows {
		out[i] = slices.Clone(r)
	}
	return out
}
