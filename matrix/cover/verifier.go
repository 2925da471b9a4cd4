package cover

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// verifier counts tuples. An assignment has for each axis a level, or -1.
type verifier struct {
	model Model
	rows  [][]int
	// rules are the forbidden tuples as assignments.
	rules  [][]int
	result Coverage
	// reasons remembers, by the settings of the linked axes in a tuple, why it
	// is excluded; an empty reason means that it is valid.
	reasons map[string][]int
}

func newVerifier(m Model, rows []Row) (*verifier, error) {
	v := &verifier{model: m, reasons: map[string][]int{}}
	axes := map[string]int{}
	levels := make([]map[string]int, len(m.Axes))
	var faults []error
	for a, axis := range m.Axes {
		axes[axis.Name] = a
		levels[a] = map[string]int{}
		for l, name := range axis.Levels {
			levels[a][name] = l
		}
		if len(levels[a]) != len(axis.Levels) {
			faults = append(faults, fmt.Errorf("axis %s has a level twice", axis.Name))
		}
	}
	if len(axes) != len(m.Axes) {
		faults = append(faults, errors.New("an axis is declared twice"))
	}
	for _, f := range m.Forbidden {
		rule := slices.Repeat([]int{-1}, len(m.Axes))
		for _, s := range f.Tuple {
			a, known := axes[s.Axis]
			l := -1
			if known {
				l, known = levels[a][s.Level]
			}
			if !known || rule[a] >= 0 {
				faults = append(faults, fmt.Errorf("forbidden tuple %s: %s=%s is not in the model, or its axis occurs twice", f, s.Axis, s.Level))
				continue
			}
			rule[a] = l
		}
		v.rules = append(v.rules, rule)
	}
	for r, row := range rows {
		faults = append(faults, v.addRow(r, row, levels))
	}
	return v, errors.Join(faults...)
}

func (v *verifier) addRow(r int, row Row, levels []map[string]int) error {
	if len(row) != len(levels) {
		return fmt.Errorf("row %d has %d levels for %d axes", r+1, len(row), len(levels))
	}
	assignment := make([]int, len(row))
	for a, name := range row {
		l, known := levels[a][name]
		if !known {
			return fmt.Errorf("row %d: axis %s has no level %q", r+1, v.model.Axes[a].Name, name)
		}
		assignment[a] = l
	}
	v.rows = append(v.rows, assignment)
	return nil
}

// checkSatisfiable refuses a model without any valid row.
func (v *verifier) checkSatisfiable() error {
	for a, axis := range v.model.Axes {
		possible := false
		for l := range axis.Levels {
			assignment := slices.Repeat([]int{-1}, len(v.model.Axes))
			assignment[a] = l
			possible = possible || v.reason(assignment) == nil
		}
		if !possible {
			return fmt.Errorf("no level of axis %s occurs in a valid row", axis.Name)
		}
	}
	return nil
}

// reason returns the rules that exclude an assignment, nil when it is valid.
func (v *verifier) reason(assignment []int) []int {
	all := make([]int, len(v.rules))
	for i := range all {
		all[i] = i
	}
	rules, linked := v.linked(all, assignment)
	key := new(strings.Builder)
	for a, l := range assignment {
		if l >= 0 && linked[a] {
			fmt.Fprintf(key, "%d=%d ", a, l)
		}
	}
	by, ok := v.reasons[key.String()]
	if !ok {
		by = v.explain(rules, assignment)
		v.reasons[key.String()] = by
	}
	return by
}

// explain spares every rule without which the assignment stays excluded.
func (v *verifier) explain(rules, assignment []int) []int {
	if v.extends(rules, assignment) {
		return nil
	}
	for _, r := range slices.Clone(rules) {
		rest := slices.DeleteFunc(slices.Clone(rules), func(i int) bool { return i == r })
		if !v.extends(rest, assignment) {
			rules = rest
		}
	}
	return rules
}

// linked returns, of the given rules, those that an assignment can depend on,
// and the axes they mention: the rules that share an axis with it, with such a
// rule, and so on.
func (v *verifier) linked(rules, assignment []int) (on []int, axes []bool) {
	axes = make([]bool, len(assignment))
	for a, l := range assignment {
		axes[a] = l >= 0
	}
	taken := make([]bool, len(v.rules))
	for grown := true; grown; {
		grown = false
		for _, r := range rules {
			if taken[r] || !touches(v.rules[r], axes) {
				continue
			}
			taken[r], grown = true, true
			for a, l := range v.rules[r] {
				axes[a] = axes[a] || l >= 0
			}
		}
	}
	for _, r := range rules {
		if taken[r] {
			on = append(on, r)
		}
	}
	mentioned := make([]bool, len(assignment))
	for _, r := range on {
		for a, l := range v.rules[r] {
			mentioned[a] = mentioned[a] || l >= 0
		}
	}
	return on, mentioned
}

func touches(rule []int, axes []bool) bool {
	for a, l := range rule {
		if l >= 0 && axes[a] {
			return true
		}
	}
	return false
}

// extends says whether an assignment can be extended so that none of the rules
// holds.
func (v *verifier) extends(rules, assignment []int) bool {
	rules, mentioned := v.linked(rules, assignment)
	var todo []int
	for a, l := range assignment {
		if l < 0 && mentioned[a] {
			todo = append(todo, a)
		}
	}
	return v.assign(rules, slices.Clone(assignment), todo)
}

func (v *verifier) assign(rules, assignment, todo []int) bool {
	for _, r := range rules {
		if holds(v.rules[r], assignment) {
			return false
		}
	}
	if len(todo) == 0 {
		return true
	}
	a := todo[0]
	for l := range v.model.Axes[a].Levels {
		assignment[a] = l
		if v.assign(rules, assignment, todo[1:]) {
			return true
		}
	}
	assignment[a] = -1
	return false
}
