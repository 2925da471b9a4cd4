package check

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// The checks of these tests are registered from files that are not there: a line
// directive says where the call is.

func body(*steps.T) {}

func registersReset() *Check {
	control := sabotage.Command("a reset that does nothing", "true")
//line /home/suites/virtmatrix/suites/outbound/lifecycle/reset.go:12
	return Register("O-T-RESET", Spec{Asserts: "A reset boots anew", Depends: On(matrix.Libvirt, "machine"), Control: control}, body)
}

func registersBoot() *Check {
//line /home/suites/virtmatrix/suites/inbound/kernel/boot.go:9
	return Register("IK-T-BOOT", Spec{Asserts: "It boots", Requires: []matrix.Requirement{matrix.KVMStack}, Boots: true, Without: "nothing boots then"}, body)
}

func registersElsewhere() *Check {
//line /home/virtmatrix/ci/reset.go:7
	return Register("O-T-LOST", Spec{Asserts: "It is found"}, body)
}

//line check_test.go:36

// forget has no check registered when a test is over.
func forget(t *testing.T) { t.Cleanup(func() { clear(all) }) }

// panics returns what a call panics with.
func panics(call func() *Check) (text string) {
	defer func() {
		if r := recover(); r != nil {
			text = fmt.Sprint(r)
		}
	}()
	call()
	return ""
}

func TestACheckIsOfTheFamilyInWhoseFolderItIs(t *testing.T) {
	forget(t)
	reset, boot := registersReset(), registersBoot()
	if reset.Family != "outbound/lifecycle" || reset.Layer() != matrix.LayerManagement || boot.Family != "inbound/kernel" {
		t.Errorf("the families are %q and %q", reset.Family, boot.Family)
	}
	if reset.Check.Control != "a reset that does nothing" || reset.Boot || !slices.Equal(reset.Depends, []string{"libvirt", "machine"}) {
		t.Errorf("registered is %+v", reset.Check)
	}
	if boot.Check.Control != "" || boot.Without != "nothing boots then" || !boot.Boot || len(boot.Requires) != 1 {
		t.Errorf("registered is %+v", boot.Check)
	}
	if Find("O-T-RESET") != reset || Find("O-T-RESTE") != nil {
		t.Error("a check is not found by its ID alone")
	}
	if got := All(); !slices.Equal(got, []*Check{boot, reset}) {
		t.Errorf("the list is %v", got)
	}
}

func TestACheckIsRegisteredOnce(t *testing.T) {
	forget(t)
	registersReset()
	if got := panics(registersReset); !strings.Contains(got, "O-T-RESET") || !strings.Contains(got, "lifecycle/reset.go:12") {
		t.Errorf("it panics with %q, want the ID and the place", got)
	}
}

func TestACheckOutsideSuitesIsRefused(t *testing.T) {
	forget(t)
	if got := panics(registersElsewhere); !strings.Contains(got, "O-T-LOST") || !strings.Contains(got, "ci/reset.go:7 is not in a folder of suites") {
		t.Errorf("it panics with %q, want the ID and the place", got)
	}
	if len(All()) != 0 {
		t.Error("it is registered nevertheless")
	}
}

func TestAControlMayBlameAnotherLayer(t *testing.T) {
	forget(t)
	c := registersReset()
	if got := c.FailsIn(); got != matrix.LayerManagement {
		t.Errorf("it must fail in %s", got)
	}
	c.Control.Layer = matrix.LayerL2
	if got := c.FailsIn(); got != matrix.LayerL2 {
		t.Errorf("it must fail in %s", got)
	}
}
