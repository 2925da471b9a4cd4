// Package compared makes a check of each kind of capture: nothing of what a version had
// may be gone in the next one, unless upstream has announced it.
package compared

import (
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/capture"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// ID is that of the check of a kind.
func ID(k capture.Kind) string { return "S-" + strings.ToUpper(k.Name) }

// Spec is that of the check of a kind.
func Spec(k capture.Kind, requires ...matrix.Requirement) check.Spec {
	return check.Spec{
		Asserts:  "Nothing is gone since the version before, unless announced: " + k.Title,
		Requires: requires,
		Depends:  check.On(k.Component),
		Compares: k.Component,
		Hosts:    matrix.Hosts{None: true},
		Control:  sabotage.Planted(),
	}
}

// Body compares the kind.
func Body(k capture.Kind) func(*steps.T) {
	return func(t *steps.T) { t.ExpectNothingGone(k.Name) }
}
