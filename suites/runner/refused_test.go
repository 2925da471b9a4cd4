package runner

import (
	"testing"

	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

func TestWhatTheSolverRefusesBlocksWhatNeedsThePackages(t *testing.T) {
	b := newBench(t)
	b.Cell.Refused = "libvirt-daemon : Depends: libfoo (>= 3) but it is not installable"
	rec := b.answer(soon(t), "O-SAVE", func(*steps.T) { t.Error("the check was asked") })
	b.wants(rec, matrix.Blocked, matrix.LayerDelivery, "requires packages that can be installed", "libfoo (>= 3)")
	if rec.BlockedBy != matrix.RefusedCheck || b.booter.boots != 0 || rec.Attempts != 1 {
		t.Errorf("it is blocked by %q, after %d boots and %d attempts", rec.BlockedBy, b.booter.boots, rec.Attempts)
	}
}

func TestAddOnsThatCannotBeHadAreToldWithoutAHost(t *testing.T) {
	b := newBench(t)
	for i := range b.Cell.Checks {
		b.Cell.Checks[i].Refused = "docker.io would replace a package of the host: iptables 1 -> 2 (up)"
	}
	rec := b.answer(soon(t), "O-SAVE", func(*steps.T) { t.Error("the check was asked") })
	b.wants(rec, matrix.Fail, matrix.LayerDelivery, "install add-ons", "iptables 1 -> 2")
	if b.booter.boots != 0 {
		t.Errorf("%d boots", b.booter.boots)
	}
}

func TestAnEmulatedHostIsNotAskedWhatItCannotAnswer(t *testing.T) {
	b := newBench(t)
	asked := false
	c := &check.Check{Body: func(*steps.T) { asked = true }}
	c.Requires = []matrix.Requirement{matrix.SinceEmulated(matrix.QEMU, "99.0")}
	for accel, want := range map[string]matrix.Verdict{"tcg": matrix.Unsupported, "kvm": matrix.Pass} {
		b.run.Accel, asked = accel, false
		rec := b.answerWith(soon(t), "O-SAVE", c)
		if rec.Verdict != want || asked != (want == matrix.Pass) {
			t.Errorf("on %s: %s (%s), asked: %t", accel, rec.Verdict, rec.Reason, asked)
		}
	}
}
