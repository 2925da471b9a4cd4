package host

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestEmulatedProcessorsAreKickedAgainAndAgain(t *testing.T) {
	o := fakeOptions(t)
	for _, which := range []string{"booted", "restored"} {
		o.settings.LogDir = t.TempDir()
		vm := boot(t, o)
		if restored := len(vm.Notes()) == 1; restored != (which == "restored") {
			t.Fatalf("%s: notes %q", which, vm.Notes())
		}
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(poll) {
			if b, _ := os.ReadFile(filepath.Join(o.settings.LogDir, kicksFile)); len(b) > 1 {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: the agent was not told to", which)
			}
		}
		check(t, vm.Close())
	}
}

func TestAHostThatIsBusyIsLeftAlone(t *testing.T) {
	for ran, want := range map[time.Duration]bool{0: true, 250 * time.Millisecond: true, 251 * time.Millisecond: false, 2 * time.Second: false} {
		if got := idle(ran); got != want {
			t.Errorf("idle(%s) = %v", ran, got)
		}
	}
}

func TestWhichProcessorsAreEmulated(t *testing.T) {
	for accel, want := range map[string]bool{"tcg": true, "kvm": false, "": false} {
		if got := (Settings{Accel: accel}).emulated(); got != want {
			t.Errorf("%q: %v", accel, got)
		}
	}
}
