package cover

import "slices"

// solver decides exactly whether a partial row has a valid completion:
// backtracking, with propagation over the forbidden tuples.
//
// Axes that no forbidden tuple links are independent, so only the linked group
// of an axis is ever searched. It assumes that an empty row can be completed;
// Generate checks that first.
type solver struct {
	levels []int
	rules  [][]lit
	ofAxis [][]int // the rules that mention an axis
	group  []int   // axes linked by rules have the same number; none is -1
	known  map[string]bool
}

// maxKnown bounds the answers that are kept.
const maxKnown = 1 << 20

func newSolver(levels []int, rules [][]lit) *solver {
	s := &solver{
		levels: levels,
		rules:  rules,
		ofAxis: make([][]int, len(levels)),
		group:  make([]int, len(levels)),
		known:  map[string]bool{},
	}
	for i := range s.group {
		s.group[i] = -1
	}
	for r, rule := range rules {
		for _, l := range rule {
			s.ofAxis[l.axis] = append(s.ofAxis[l.axis], r)
		}
	}
	for a := range levels {
		if s.group[a] < 0 && len(s.ofAxis[a]) > 0 {
			s.link(a, a)
		}
	}
	return s
}

func (s *solver) link(axis, group int) {
	s.group[axis] = group
	for _, r := range s.ofAxis[axis] {
		for _, l := range s.rules[r] {
			if s.group[l.axis] < 0 {
				s.link(l.axis, group)
			}
		}
	}
}

// allowed says whether the cell may take the level, all other cells of the row
// being decided and valid as they are.
func (s *solver) allowed(row []int, axis, level int) bool {
	for _, r := range s.ofAxis[axis] {
		if s.violated(r, row, axis, level) {
			return false
		}
	}
	return true
}

func (s *solver) violated(rule int, row []int, axis, level int) bool {
	for _, l := range s.rules[rule] {
		have := row[l.axis]
		if l.axis == axis {
			have = level
		}
		if have != l.level {
			return false
		}
	}
	return true
}

// possible says whether a partial row has a valid completion.
func (s *solver) possible(row []int) bool {
	if len(s.rules) == 0 {
		return true
	}
	key := make([]byte, 0, 4*len(row))
	for a, v := range row {
		if v != free && s.group[a] >= 0 {
			key = append(key, byte(a), byte(a>>8), byte(v), byte(v>>8))
		}
	}
	answer, ok := s.known[string(key)]
	if !ok {
		st := s.start(row)
		answer = st != nil && s.search(st, func(axis int) bool { return s.touched(row, axis) }, nil) != nil
		if len(s.known) == maxKnown {
			clear(s.known)
		}
		s.known[string(key)] = answer
	}
	return answer
}

// touched says whether a decided cell is in the axis's group.
func (s *solver) touched(row []int, axis int) bool {
	for a, v := range row {
		if v != free && s.group[a] == s.group[axis] && s.group[a] >= 0 {
			return true
		}
	}
	return false
}

// complete decides every free cell of a row, preferring the levels of like
// (which may be nil), or returns nil when that is impossible.
func (s *solver) complete(row, like []int) []int {
	st := s.start(row)
	if st == nil {
		return nil
	}
	st = s.search(st, func(axis int) bool { return s.group[axis] >= 0 }, like)
	if st == nil {
		return nil
	}
	out := slices.Clone(row)
	for a := range out {
		if out[a] == free {
			out[a] = st.first(a, like)
		}
	}
	return out
}

// domains are the levels still possible for each axis.
type domains struct {
	alive [][]bool
	n     []int
}

// first returns the level to try first for an axis.
func (d *domains) first(axis int, like []int) int {
	if like != nil && like[axis] != free && d.alive[axis][like[axis]] {
		return like[axis]
	}
	return slices.Index(d.alive[axis], true)
}

func (d *domains) clone() *domains {
	c := &domains{alive: make([][]bool, len(d.alive)), n: slices.Clone(d.n)}
	for i := range d.alive {
		c.alive[i] = slices.Clone(d.alive[i])
	}
	return c
}

// start returns the domains of a partial row after propagation, nil when some
// axis has no level left.
func (s *solver) start(row []int) *domains {
	d := &domains{alive: make([][]bool, len(row)), n: slices.Clone(s.levels)}
	var queue []int
	for a := range row {
		d.alive[a] = make([]bool, s.levels[a])
		for v := range d.alive[a] {
			d.alive[a][v] = row[a] == free || row[a] == v
		}
		if row[a] != free {
			d.n[a] = 1
		}
		queue = append(queue, a)
	}
	if !s.propagate(d, queue) {
		return nil
	}
	return d
}

// search decides the axes of interest one by one, the narrowest first.
func (s *solver) search(d *domains, interest func(axis int) bool, like []int) *domains {
	pick := -1
	for a, n := range d.n {
		if n > 1 && s.group[a] >= 0 && (pick < 0 || n < d.n[pick]) && interest(a) {
			pick = a
		}
	}
	if pick < 0 {
		return d
	}
	for d.n[pick] > 0 {
		v := d.first(pick, like)
		try := d.clone()
		clear(try.alive[pick])
		try.alive[pick][v], try.n[pick] = true, 1
		if s.propagate(try, []int{pick}) {
			if found := s.search(try, interest, like); found != nil {
				return found
			}
		}
		d.alive[pick][v] = false
		d.n[pick]--
	}
	return nil
}

// propagate removes every level that would complete a forbidden tuple, as far
// as that follows from axes with one level left. It returns false when an axis
// has none left.
func (s *solver) propagate(d *domains, queue []int) bool {
	for len(queue) > 0 {
		a := queue[0]
		queue = queue[1:]
		if d.n[a] > 1 {
			continue
		}
		for _, r := range s.ofAxis[a] {
			open, at := s.openLits(d, r)
			if open > 1 {
				continue
			}
			if open == 0 {
				return false
			}
			d.alive[at.axis][at.level] = false
			d.n[at.axis]--
			if d.n[at.axis] == 0 {
				return false
			}
			queue = append(queue, at.axis)
		}
	}
	return true
}

// openLits counts the settings of a rule that are not yet certain and returns
// one of them; a rule that can no longer be violated counts as many.
func (s *solver) openLits(d *domains, rule int) (open int, at lit) {
	for _, l := range s.rules[rule] {
		if !d.alive[l.axis][l.level] {
			return len(s.rules[rule]) + 1, lit{}
		}
		if d.n[l.axis] > 1 {
			open++
			at = l
		}
	}
	return open, at
}
