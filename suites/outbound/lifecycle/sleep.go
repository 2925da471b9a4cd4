package lifecycle

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// The guest's agent is ours and suspends its kernel; who wakes it is the emulator.
var _ = check.Register("O-PMS", check.Spec{
	Asserts:  "A guest that is suspended to its memory stands still, and goes on where it was once it is woken",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "4.8")},
	Depends:  check.On(matrix.Linux, matrix.Libvirt, matrix.QEMU, matrix.XenHyp, "machine", "firmware", "accel"),
	Control:  sabotage.Swallow("virDomainPMWakeup"),
}, func(t *steps.T) {
	if t.Kind() == matrix.Xen {
		// libxl suspends through the toolstack what has a device model only
		// (libxlDomainPMSuspendForDuration).
		d := t.Define()
		t.Refuses("wake a domain that is off", libvirt.ERR_OPERATION_INVALID, func() error { return d.Raw.PMWakeup(0) })
		return
	}
	d, g := t.Started(domain.WithAgent, domain.WithSuspend)
	d.WaitAgent()
	mark := g.Mark()
	t.Do("suspend guest to memory", func() error { return d.Raw.PMSuspendForDuration(libvirt.NODE_SUSPEND_TARGET_MEM, 0, 0) })
	d.WaitFor(libvirt.DOMAIN_PMSUSPENDED)
	t.Expect(t.VirshSays("domstate " + d.Name)).To(Equal("pmsuspended"))
	t.Refuses("resume a domain that its guest suspended", libvirt.ERR_OPERATION_INVALID, d.Raw.Resume)
	t.Do("wake guest", func() error { return d.Raw.PMWakeup(0) })
	d.WaitFor(libvirt.DOMAIN_RUNNING)
	g.WaitReady()
	g.ExpectGoesOn(mark)
})
