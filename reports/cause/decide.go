package cause

import "slices"

// Cost is what it costs to ask a cell, in whatever unit.
type Cost func(values []int) float64

// Decide returns cells that were not asked and would tell apart what explains the red ones
// equally well: few cheap ones, the most telling first. Each differs from a red cell in one
// value, so that it can be had where that one could. There are none where nothing is to be
// told, or where no such cell tells it. refused are cells that cannot be had.
func Decide(axes []Axis, cells []Cell, cost Cost, refused [][]int) [][]int {
	return separate(axes, cells, rivals(axes, cells, 0), cost, refused)
}

// Confirm returns cells that would refute the cause that is left: they tell it from those that
// need one condition more.
func Confirm(axes []Axis, cells []Cell, cost Cost, refused [][]int) [][]int {
	return separate(axes, cells, rivals(axes, cells, perAtom), cost, refused)
}

// rivals are all conditions that explain the cells as well as the best, or by a score that
// is not worse by more than the slack.
func rivals(axes []Axis, cells []Cell, slack int) []Condition {
	s := newSearch(axes, cells)
	s.slack, s.ranges = slack, true
	return s.find()
}

// separate picks the cells one by one: each splits as many pairs of conditions as it can for
// its cost, which those before it do not.
func separate(axes []Axis, cells []Cell, conditions []Condition, cost Cost, refused [][]int) (picked [][]int) {
	if len(conditions) < 2 {
		return nil
	}
	candidates := near(axes, cells, refused)
	classes := [][]Condition{conditions}
	for len(candidates) > 0 && len(picked) < maxPicked {
		best, most := -1, 0.
		for i, values := range candidates {
			n := splits(classes, values)
			if n == 0 {
				continue // what it costs need not be known
			}
			if worth := float64(n) / cost(values); worth > most {
				best, most = i, worth
			}
		}
		if best < 0 {
			break
		}
		values := candidates[best]
		picked, candidates = append(picked, values), slices.Delete(candidates, best, best+1)
		var finer [][]Condition
		for _, class := range classes {
			var has, lacks []Condition
			for _, c := range class {
				if c.Holds(values) {
					has = append(has, c)
				} else {
					lacks = append(lacks, c)
				}
			}
			for _, part := range [][]Condition{has, lacks} {
				if len(part) > 1 {
					finer = append(finer, part)
				}
			}
		}
		classes = finer
	}
	return picked
}

// maxPicked is how many cells are asked at once: their answers say what to ask next.
const maxPicked = 3

// splits counts the pairs of conditions, alike so far, of which one holds for a cell.
func splits(classes [][]Condition, values []int) (n int) {
	for _, class := range classes {
		has := 0
		for _, c := range class {
			if c.Holds(values) {
				has++
			}
		}
		n += has * (len(class) - has)
	}
	return n
}

// near are the cells that differ from a red one in one value and were not asked.
func near(axes []Axis, cells []Cell, refused [][]int) (candidates [][]int) {
	seen := map[string]bool{}
	key := func(values []int) string {
		var b []byte
		for _, v := range values {
			b = append(b, byte(v))
		}
		return string(b)
	}
	for _, c := range cells {
		seen[key(c.Values)] = true
	}
	for _, values := range refused {
		seen[key(values)] = true
	}
	for _, c := range cells {
		for a := range axes {
			for v := range axes[a].Values {
				if !c.Red || axes[a].Follows || c.Values[a] < 0 {
					continue
				}
				values := slices.Clone(c.Values)
				values[a] = v
				if k := key(values); !seen[k] {
					seen[k] = true
					candidates = append(candidates, values)
				}
			}
		}
	}
	return candidates
}
