// Package cover makes covering arrays: few rows, each with one level per axis,
// that together contain every valid combination of levels of any t axes.
//
// Generate makes an array. Verify says what given rows cover; it is separate
// code that shares no table and no solver with the generator, so that a plan's
// claim of coverage does not rest on the code that made the plan.
//
// The package is pure and deterministic: the same model and options give the
// same array.
package cover

import (
	"fmt"
	"strings"
)

// Axis is one thing that varies.
type Axis struct {
	Name   string
	Levels []string
	// Weights says how much each level matters, 1 when absent. Under a budget
	// heavy levels are covered first, and a cell that coverage leaves free
	// takes the heaviest level.
	Weights []float64
}

// Setting is one axis at one level.
type Setting struct {
	Axis  string `json:"axis"`
	Level string `json:"level"`
}

// Tuple is a partial assignment: distinct axes, each at a level.
type Tuple []Setting

// String returns "qemu=10.0, libvirt=9.0".
func (t Tuple) String() string {
	parts := make([]string, len(t))
	for i, s := range t {
		parts[i] = s.Axis + "=" + s.Level
	}
	return strings.Join(parts, ", ")
}

// Forbidden is a tuple that no row may contain.
type Forbidden struct {
	Tuple Tuple
	// Why is the reason, for people.
	Why string
}

// String returns the tuple and the reason.
func (f Forbidden) String() string {
	if f.Why == "" {
		return fmt.Sprintf("{%s}", f.Tuple)
	}
	return fmt.Sprintf("{%s} (%s)", f.Tuple, f.Why)
}

// Model is what may be combined.
type Model struct {
	Axes      []Axis
	Forbidden []Forbidden
}

// Row has one level per axis, in the order of the model's axes.
type Row []string

// Contradiction says that something asked for cannot be, and which forbidden
// tuples together make it so. Without any one of them it could be.
type Contradiction struct {
	// Wanted is what no valid row contains; empty when there is no valid row.
	Wanted Tuple
	By     []Forbidden
}

// Error names what cannot be and what kills it.
func (c *Contradiction) Error() string {
	by := make([]string, len(c.By))
	for i, f := range c.By {
		by[i] = f.String()
	}
	what := "no valid row exists"
	if len(c.Wanted) > 0 {
		what = fmt.Sprintf("no valid row has %s", c.Wanted)
	}
	return fmt.Sprintf("%s: forbidden by %s", what, strings.Join(by, " and "))
}
