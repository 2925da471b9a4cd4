package accel

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/internal/realtest"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// TestRealProbe asks this machine. Whether its KVM works is not known here; what
// is: that the answer is one of both, reasoned, kept, and leaves nothing behind.
func TestRealProbe(t *testing.T) {
	bed := realtest.NewBed(t)
	p := Probe{
		Emulator: host.Emulator{Usr: bed.EmulatorUsr, Program: bed.Emulator, Version: "7.2", Machine: "pc-q35-7.2", CPU: map[matrix.Kind]string{matrix.KVM: "max,cx16=off"}},
		Guest:    host.GuestParts{Kernel: bed.Kernel, Init: realtest.Compile(t, "../../fixtures/l2/init"), Modules: bed.GuestModules},
		Runtime:  realtest.Runtime(t), Cache: filepath.Join(t.TempDir(), "accel.json"),
	}
	first, err := p.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", first)
	if first.Accel != KVM && first.Accel != TCG || (first.Accel == KVM) != (first.WhyNotKVM == "") || first.Seconds <= 0 || first.Scale < 1 {
		t.Errorf("Run = %+v", first)
	}
	if _, err := os.Stat(p.Cache); err != nil {
		t.Error(err)
	}
	p.Emulator.Usr = "/no/such/image" // a second boot would fail
	if again, err := p.Run(t.Context()); err != nil || again != first {
		t.Errorf("Run = %+v, %v; want the kept %+v", again, err, first)
	}
}
