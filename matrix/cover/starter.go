package cover

import (
	"math"
	"math/rand/v2"
	"slices"
)

// starter returns an array of strength 2 grown from one row (Meagher, Stevens:
// Group construction of covering arrays, 2005; Lobb, Colbourn, Danziger,
// Stevens, Torres-Jimenez: Cover starters for covering arrays of strength two,
// 2012). Of the v levels, g are the numbers modulo g and f are fixed. All
// cyclic shifts of the row, each with all g numbers added to its other levels,
// are rows; the pairs of two fixed levels are left to a small array. That is
// k*g rows for k axes, so many fixed levels are wanted; the row is searched
// for with more and more of them while that succeeds.
//
// It returns nil when no row was found. The pairs of fixed levels, and whatever
// the best row misses, are for the caller to complete.
func starter(levels []int, limit int, rng *rand.Rand) [][]int {
	k, v := len(levels), slices.Max(levels)
	var best [][]int
	for fixed := 1; fixed < v && k >= v+fixed; fixed++ {
		if k*(v-fixed) > limit {
			continue
		}
		s := newShift(k, v, fixed)
		if !s.find(rng) {
			break
		}
		best = s.grow(levels)
	}
	return best
}

// shift is a row in search of being a starter.
type shift struct {
	group, fixed int
	row          []int
	// seen counts, for each distance of two axes, the classes of pairs that
	// the row has: differences, (fixed, any) and (any, fixed).
	seen   [][]int
	misses int
}

func newShift(k, v, fixed int) *shift {
	s := &shift{group: v - fixed, fixed: fixed, row: make([]int, k), seen: make([][]int, k/2+1)}
	for d := range s.seen {
		s.seen[d] = make([]int, s.group+2*fixed)
	}
	return s
}

// class returns the class of a pair of levels, -1 for two fixed ones.
func (s *shift) class(a, b int) int {
	switch {
	case a < s.group && b < s.group:
		return (b - a + s.group) % s.group
	case b < s.group:
		return a
	case a < s.group:
		return b + s.fixed
	}
	return -1
}

// count adds n to the classes of all pairs that include the cell i.
func (s *shift) count(i, n int) {
	k := len(s.row)
	for d := 1; d <= k/2; d++ {
		s.countPair(d, s.row[i], s.row[(i+d)%k], n)
		s.countPair(d, s.row[(i+k-d)%k], s.row[i], n)
	}
}

func (s *shift) countPair(d, a, b, n int) {
	c := s.class(a, b)
	if c < 0 {
		return
	}
	if s.seen[d][c] == 0 {
		s.misses--
	}
	if s.seen[d][c] += n; s.seen[d][c] == 0 {
		s.misses++
	}
}

// The search for a starter: simulated annealing at a constant temperature,
// which suits landscapes this small.
const (
	starterSteps       = 400_000
	starterTemperature = 0.25
)

// find searches a row that misses no class at any distance.
func (s *shift) find(rng *rand.Rand) bool {
	k, v := len(s.row), s.group+s.fixed
	s.misses = (len(s.seen) - 1) * (s.group + 2*s.fixed)
	for i := range s.row {
		s.row[i] = rng.IntN(v)
	}
	for d := 1; d <= k/2; d++ {
		for i := range s.row {
			s.countPair(d, s.row[i], s.row[(i+d)%k], 1)
		}
	}
	for range starterSteps {
		if s.misses == 0 {
			return true
		}
		i, j := rng.IntN(k), rng.IntN(k)
		before := s.misses
		if rng.IntN(2) == 0 {
			old := s.row[i]
			s.change(i, rng.IntN(v))
			if !accept(before, s.misses, rng) {
				s.change(i, old)
			}
			continue
		}
		s.swap(i, j)
		if !accept(before, s.misses, rng) {
			s.swap(i, j)
		}
	}
	return false
}

func accept(before, after int, rng *rand.Rand) bool {
	return after <= before || rng.Float64() < math.Exp(float64(before-after)/starterTemperature)
}

func (s *shift) change(i, level int) {
	s.count(i, -1)
	s.row[i] = level
	s.count(i, 1)
}

func (s *shift) swap(i, j int) {
	a, b := s.row[i], s.row[j]
	s.change(i, b)
	s.change(j, a)
}

// grow returns all shifts of the row with all numbers added.
func (s *shift) grow(levels []int) [][]int {
	var rows [][]int
	for by := range s.row {
		for plus := range s.group {
			row := make([]int, len(levels))
			for a := range row {
				v := s.row[(a+by)%len(row)]
				if v < s.group {
					v = (v + plus) % s.group
				}
				row[a] = v % levels[a]
			}
			rows = append(rows, row)
		}
	}
	return rows
}
