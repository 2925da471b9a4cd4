package matrix

import "github.com/virtmatrix/virtmatrix/matrix/cover"

// Coverage is what the cells of one kind cover, and everything that is needed
// to count it again.
type Coverage struct {
	Kind     Kind `json:"kind"`
	Strength int  `json:"strength"`
	// Axes are those that vary, with their values.
	Axes []CoveredAxis `json:"axes"`
	// Rules are the combinations that no cell may have.
	Rules []CoverageRule `json:"rules,omitempty"`
	// Valid combinations of Strength values occur in some allowed cell; Covered
	// of them occur in a cell of the plan.
	Valid   int `json:"valid"`
	Covered int `json:"covered"`
	// Missing are the valid ones that a budget left out.
	Missing []cover.Tuple `json:"missing,omitempty"`
	// Excluded occur in no allowed cell.
	Excluded []ExcludedTuple `json:"excluded,omitempty"`
}

// CoveredAxis is an axis and the values that a plan varies.
type CoveredAxis struct {
	Name   string   `json:"name"`
	Values []string `json:"values"`
}

// CoverageRule is a forbidden combination, its reason and its source.
type CoverageRule struct {
	Tuple  cover.Tuple `json:"tuple"`
	Why    string      `json:"why"`
	Source string      `json:"source,omitempty"`
}

// ExcludedTuple is a combination that no allowed cell has, and why.
type ExcludedTuple struct {
	Tuple cover.Tuple `json:"tuple"`
	Why   string      `json:"why"`
}

// Change is one axis moved from one value to another.
type Change struct {
	Axis string `json:"axis"`
	From string `json:"from"`
	To   string `json:"to"`
}
