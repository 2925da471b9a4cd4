package cover

import (
	"fmt"
	"slices"
)

// Coverage is what given rows cover of a model's tuples at some strength.
type Coverage struct {
	Strength int
	// Valid is how many tuples occur in some valid row, Covered how many of
	// those occur in the given valid rows.
	Valid, Covered int
	// Missing are the valid tuples that are not covered.
	Missing []Tuple
	// Excluded are the tuples that no valid row contains.
	Excluded []Exclusion
	// Invalid are the given rows that contain a forbidden tuple, in the order
	// given. They cover nothing.
	Invalid []InvalidRow
}

// Complete says whether every valid tuple is covered by valid rows only.
func (c Coverage) Complete() bool { return c.Covered == c.Valid && len(c.Invalid) == 0 }

// Exclusion is a tuple that no valid row contains, and why.
type Exclusion struct {
	Tuple Tuple
	// By are indices into Model.Forbidden: together these tuples exclude this
	// one, and no one of them can be spared.
	By []int
}

// InvalidRow is a row that contains forbidden tuples.
type InvalidRow struct {
	Row int
	By  []int // indices into Model.Forbidden
}

// Verify says what rows cover. It works tuple by tuple from the model's names
// and has no code in common with Generate, so that each checks the other: here
// a tuple is valid when a plain depth-first search over the linked axes finds
// a row for it.
//
// The error is about the model or about rows that do not fit it, never about
// coverage.
func Verify(m Model, strength int, rows []Row) (Coverage, error) {
	v, err := newVerifier(m, rows)
	if err == nil && (strength < 1 || strength > len(m.Axes)) {
		err = fmt.Errorf("strength %d is not between 1 and the number of axes, %d", strength, len(m.Axes))
	}
	if err == nil {
		err = v.checkSatisfiable()
	}
	if err != nil {
		return Coverage{}, fmt.Errorf("cannot verify coverage: %w", err)
	}
	v.result.Strength = strength
	v.dropInvalid()
	v.eachCombination(nil, 0, strength, v.countCombination)
	return v.result, nil
}

// First returns for each row the tuples that it is the first to cover: why the
// row is there. Rows with a forbidden tuple cover nothing.
func First(m Model, strength int, rows []Row) ([][]Tuple, error) {
	v, err := newVerifier(m, rows)
	if err != nil {
		return nil, fmt.Errorf("cannot explain rows: %w", err)
	}
	first := make([][]Tuple, len(rows))
	v.eachCombination(nil, 0, strength, func(axes []int) {
		seen := map[string]bool{}
		for r, row := range v.rows {
			assignment := slices.Repeat([]int{-1}, len(row))
			for _, a := range axes {
				assignment[a] = row[a]
			}
			if key := fmt.Sprint(assignment); !seen[key] && v.broken(row) == nil {
				seen[key] = true
				first[r] = append(first[r], v.names(assignment))
			}
		}
	})
	return first, nil
}

// holds says whether an assignment contains all settings of a rule.
func holds(rule, assignment []int) bool {
	for a, l := range rule {
		if l >= 0 && assignment[a] != l {
			return false
		}
	}
	return true
}

// dropInvalid leaves only the rows that count.
func (v *verifier) dropInvalid() {
	var good [][]int
	for r, row := range v.rows {
		if by := v.broken(row); by != nil {
			v.result.Invalid = append(v.result.Invalid, InvalidRow{Row: r, By: by})
			continue
		}
		good = append(good, row)
	}
	v.rows = good
}

// broken returns the rules that a row breaks.
func (v *verifier) broken(row []int) (by []int) {
	for i, rule := range v.rules {
		if holds(rule, row) {
			by = append(by, i)
		}
	}
	return by
}

// eachCombination visits every set of strength axes from next on.
func (v *verifier) eachCombination(axes []int, next, strength int, visit func(axes []int)) {
	if len(axes) == strength {
		visit(axes)
		return
	}
	for a := next; a < len(v.model.Axes); a++ {
		v.eachCombination(append(slices.Clone(axes), a), a+1, strength, visit)
	}
}

// countCombination counts the tuples of one set of axes.
func (v *verifier) countCombination(axes []int) {
	size := 1
	for _, a := range axes {
		size *= len(v.model.Axes[a].Levels)
	}
	covered := make([]bool, size)
	for _, row := range v.rows {
		n := 0
		for _, a := range axes {
			n = n*len(v.model.Axes[a].Levels) + row[a]
		}
		covered[n] = true
	}
	for n := range size {
		if covered[n] { // by a valid row, so it is valid
			v.result.Valid++
			v.result.Covered++
			continue
		}
		assignment := slices.Repeat([]int{-1}, len(v.model.Axes))
		for rest, i := n, len(axes)-1; i >= 0; i-- {
			levels := len(v.model.Axes[axes[i]].Levels)
			assignment[axes[i]] = rest % levels
			rest /= levels
		}
		if by := v.reason(assignment); by != nil {
			v.result.Excluded = append(v.result.Excluded, Exclusion{Tuple: v.names(assignment), By: by})
			continue
		}
		v.result.Valid++
		v.result.Missing = append(v.result.Missing, v.names(assignment))
	}
}

func (v *verifier) names(assignment []int) Tuple {
	var t Tuple
	for a, l := range assignment {
		if l >= 0 {
			t = append(t, Setting{Axis: v.model.Axes[a].Name, Level: v.model.Axes[a].Levels[l]})
		}
	}
	return t
}
