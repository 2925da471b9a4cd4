package host

import (
	"strings"
	"testing"
)

func TestAMachineRebootsAsOftenAsItIsToldAndByItselfNever(t *testing.T) {
	o := fakeOptions(t)
	o.settings.Snapshots = nil
	vm, err := o.ready(t.Context())
	check(t, err)
	defer vm.Close()
	for range 2 {
		before := vm.session()
		check(t, vm.Reboot(t.Context()))
		if vm.session() == before {
			t.Error("the session is the one from before the reboot")
		}
		if _, err := vm.Exec(t.Context(), "true"); err != nil {
			t.Error(err)
		}
	}
	said, err := vm.Console().Since(0)
	check(t, err)
	if n := strings.Count(string(said), "after a reset"); n != 2 {
		t.Errorf("it was reset %d times", n)
	}
	// Whoever resets it now ends it.
	_ = vm.monitor.Do(t.Context(), "system_reset", nil, nil)
	<-vm.proc.Done()
}
