package lifecycle

import (
	"time"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// pause is how long a guest is kept suspended at least.
const pause = 5 * time.Second

// No pulse is compared with another: while the guest stands still its processor time
// does not grow, and its clock has not seen the pause.
var _ = check.Register("O-SUSP", check.Spec{
	Asserts:  "A suspended guest's clock stops, and goes on when it is resumed",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "0.0.3")},
	Control:  sabotage.Swallow("virDomainSuspend"),
}, func(t *steps.T) {
	g := t.Guest()
	d := g.Domain
	mark, marked := g.Mark(), time.Now()
	d.Suspend()
	t.Expect(d.State()).To(Equal(libvirt.DOMAIN_PAUSED))
	t.Expect(t.VirshSays("domstate --reason " + d.Name)).To(Equal("paused (user)"))
	used, suspended := d.Info().CpuTime, time.Now()
	t.Until(2*pause, "the guest was suspended for a while", func() bool { return time.Since(suspended) >= pause })
	t.Expect(time.Duration(d.Info().CpuTime-used)).To(BeNumerically("<=", idle(t)), "processor time of the suspended guest")
	still := time.Since(suspended)
	d.Resume()
	t.Expect(d.State()).To(Equal(libvirt.DOMAIN_RUNNING))
	after := g.ExpectGoesOn(mark)
	if t.Kind() == matrix.KVM {
		// kvmclock stands still with the guest; Xen's system time goes on.
		awake := time.Since(marked) - still
		t.Expect(after.UptimeMS-mark.UptimeMS).To(BeNumerically("<", (awake+still/2).Milliseconds()), "milliseconds of the guest's clock, %s awake and %s suspended", awake, still)
	}
})

// idle is what a suspended guest may take of a processor: nothing, but libvirt counts
// the emulator's own work on kvm.
func idle(t *steps.T) time.Duration {
	if t.Kind() == matrix.Xen {
		return 0
	}
	return pause / 10
}
