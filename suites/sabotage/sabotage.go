// Package sabotage holds the controls of checks: each makes the product misbehave in
// one way that a check exists to see. `virtmatrix selftest` applies them, and a check
// that passes under its own control is a defect of the check.
package sabotage

import (
	"fmt"
	"path"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// Control makes the product misbehave.
type Control struct {
	// Name says what it does, in words that follow "with".
	Name string
	// Layer is the one that a check must blame; empty for that of its own family.
	Layer matrix.Layer
	// apply is called when the hosts are up, before the check's body. What it cannot do
	// ends the attempt as our own fault.
	apply func(t *steps.T)
	// applied says why it had no effect, after the body; nil if that cannot be told.
	applied func(t *steps.T) error
}

// Apply makes the product misbehave.
func (c *Control) Apply(t *steps.T) error {
	return t.Ours("apply control "+c.Name, func() { c.apply(t) })
}

// Applied says why the control had no effect, nil if it had or nobody can tell.
func (c *Control) Applied(t *steps.T) error {
	if c.applied == nil {
		return nil
	}
	return c.applied(t)
}

// Command runs a shell command in L1.
func Command(name, command string) *Control {
	return &Control{Name: name, apply: func(t *steps.T) { t.Sh(command) }}
}

// Wrap puts a shell script in the place of a program of L1. In the script $REAL is the
// program, and the arguments are those that it was given.
func Wrap(program, name, script string) *Control {
	return &Control{Name: name, apply: func(t *steps.T) {
		file := t.Sh("command -v " + program)
		real := path.Dir(file) + "/." + path.Base(file) + ".real"
		wrapper := "#!/bin/bash\nREAL=" + real + "\n" + script + "\n"
		t.Sh("cp -a --remove-destination $(readlink -f " + file + ") " + real + " && rm " + file)
		t.Put(file, wrapper)
		t.Sh("chmod 755 " + file)
	}}
}

// Filter puts a sed expression behind what a program of L1 prints.
func Filter(program, name, expression string) *Control {
	return Wrap(program, name, "set -o pipefail\n$REAL \"$@\" | sed -u -e "+host.Quote(expression))
}

// Guest has the guests misbehave; see l2.FaultArg for the faults.
func Guest(fault string) *Control {
	return &Control{Name: fmt.Sprintf("guests that %s", strings.ReplaceAll(fault, "-", " ")), Layer: matrix.LayerL2, apply: func(t *steps.T) { t.GuestFault(fault) }}
}
