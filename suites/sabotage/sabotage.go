// Package sabotage holds the controls of checks: each makes the product misbehave in
// one way that a check exists to see. `virtmatrix selftest` applies them, and a check
// that passes under its own control is a defect of the check.
package sabotage

import (
	"fmt"
	"strings"

	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/internal/source"
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
	// ends the attempt as our own fault. What it returns says, after the body, why the
	// control had no effect; it may be nil.
	apply func(t *steps.T) (applied func() error)
}

// Apply makes the product misbehave. What it returns says after the check's body why
// that had no effect.
func (c *Control) Apply(t *steps.T) (applied func() error, err error) {
	err = t.Ours("apply control "+c.Name, func() { applied = c.apply(t) })
	if applied == nil {
		applied = func() error { return nil }
	}
	return applied, err
}

// Command runs a shell command in L1.
func Command(name, command string) *Control {
	return CommandOn(name, func(*steps.T) string { return command })
}

// CommandOn runs a shell command in L1 that depends on the host.
func CommandOn(name string, command func(*steps.T) string) *Control {
	return &Control{Name: name, apply: func(t *steps.T) func() error { t.Sh(command(t)); return nil }}
}

// Wrap puts a shell script in the place of a program of L1, which is where the host's
// layout has it, or else in PATH. In the script $REAL is the
// program, and the arguments are those that it was given.
func Wrap(program, name, script string) *Control {
	return &Control{Name: name, apply: func(t *steps.T) func() error { t.Wrap(program, script); return nil }}
}

// WrapDaemon does so to the daemon that manages guests.
func WrapDaemon(name, script string) *Control {
	return &Control{Name: name, apply: func(t *steps.T) func() error { t.Wrap(t.Manager().Name, script); return nil }}
}

// Filter puts a sed expression behind what a program of L1 prints.
func Filter(program, name, expression string) *Control {
	return Wrap(program, name, "set -o pipefail\n$REAL \"$@\" | sed -u -e "+host.Quote(expression))
}

// ForgetfulTPM is a script in the place of a TPM's emulator (swtpm) which removes what that
// remembers when it starts.
const ForgetfulTPM = `for arg in "$@"; do
	case $arg in dir=*) dir=${arg#dir=}; rm -f "${dir%%,*}"/*.permall;; esac
done
exec $REAL "$@"`

// Guest has the guests misbehave from their first tick on.
func Guest(fault l2.Fault) *Control {
	return &Control{Name: fmt.Sprintf("guests that %s", strings.ReplaceAll(string(fault), "-", " ")), Layer: matrix.LayerL2,
		apply: func(t *steps.T) func() error { t.SetGuestFaults(l2.Faults{fault: 0}); return nil }}
}

// Package plants a package in the candidate.
func Package(name string, p source.Planted) *Control {
	return PackageOf(name, func(*steps.T) source.Planted { return p })
}

// PackageOf plants a package that depends on what the candidate is.
func PackageOf(name string, p func(*steps.T) source.Planted) *Control {
	return &Control{Name: name, apply: func(t *steps.T) func() error { t.Delivery().Plant(p(t)); return nil }}
}

// Root runs the command that it makes in the root of a move, before it.
func Root(name string, command func(*steps.T) string) *Control {
	return &Control{Name: name, apply: func(t *steps.T) func() error { t.Delivery().SpoilRoot(command(t)); return nil }}
}

// Spoil runs a command in L1 once packages moved there.
func Spoil(name, command string) *Control {
	return &Control{Name: name, apply: func(t *steps.T) func() error {
		t.SpoilUpdate(func() { t.Sh(command) })
		return nil
	}}
}

// WrapAddOn is Wrap for a program that add-ons bring.
func WrapAddOn(program, name, script string) *Control {
	return &Control{Name: name, apply: func(t *steps.T) func() error {
		t.SpoilUpdate(func() { t.Wrap(program, script) })
		return nil
	}}
}

// Distrusted has no key believed.
func Distrusted() *Control {
	return &Control{Name: "a keyring without a key", apply: func(t *steps.T) func() error { t.Delivery().Distrust(); return nil }}
}

// Planted gives the older one of two compared versions something that no image has.
func Planted() *Control {
	return &Control{Name: "an older version that had one thing more", apply: func(t *steps.T) func() error { t.PlantOlder(); return nil }}
}
