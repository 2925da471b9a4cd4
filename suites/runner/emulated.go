package runner

import (
	"os"
	"path/filepath"
	"regexp"

	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// emulated says that L0 emulates the processors of the hosts.
func (a *attempt) emulated() bool {
	return a.Family.run.Accel != "kvm" && a.Cell.Tier == matrix.Nested
}

// mistranslated makes the failure on a host whose kernel stumbled over its own breakpoint
// the emulator's, each time.
func (a *attempt) mistranslated(err error) error {
	if v, _ := fault.Classify(err); v != matrix.Fail || !a.emulated() || !breakpoint.MatchString(err.Error()) && !a.stumbled() {
		return err
	}
	return fault.Infraf("tell a kernel from its emulator", "%w: it went on with an old translation of the kernel's code; it came to: %v", steps.ErrEmulator, err)
}

// breakpoint is what a kernel says that stumbles over a breakpoint which it put into its own
// code to patch it.
var breakpoint = regexp.MustCompile(`\bint3: 0000 \[#1\]`)

// stumbled says that the kernel of the host did so, which no kernel does to itself: its
// emulator went on with an old translation of the code (heldKVM in internal/host). That is
// no answer however often it comes, and on a busy machine it comes often.
func (a *attempt) stumbled() bool {
	b, err := os.ReadFile(filepath.Join(a.hostFolder(), host.ConsoleFile))
	return err == nil && breakpoint.Match(b)
}
