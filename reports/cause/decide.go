package cause

import "slices"

// Decide returns the values of a cell that was not asked and would tell most about which
// of several conditions is the cause: about half of them hold for it. It differs from a
// red cell in one value, so that it can be had where that one could. It is nil when no
// such cell tells them apart.
func Decide(axes []Axis, cells []Cell, conditions []Condition) (best []int) {
	asked := func(values []int) bool {
		return slices.ContainsFunc(cells, func(c Cell) bool { return slices.Equal(c.Values, values) })
	}
	told := 0
	for _, c := range cells {
		for a := range axes {
			for v := range axes[a].Values {
				if !c.Red || axes[a].Follows || c.Values[a] < 0 || c.Values[a] == v {
					continue
				}
				values := slices.Clone(c.Values)
				values[a] = v
				n := holding(conditions, values)
				if tells := min(n, len(conditions)-n); tells > told && !asked(values) {
					best, told = values, tells
				}
			}
		}
	}
	return best
}

// holding counts the conditions that hold for a cell.
func holding(conditions []Condition, values []int) (n int) {
	for _, c := range conditions {
		if c.Holds(values) {
			n++
		}
	}
	return n
}
