package lifecycle

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

var _ = check.Register("O-RESET", check.Spec{
	Asserts:  "A reset boots the guest anew, and the domain stays the same",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "0.9.7")},
	Depends:  check.On(matrix.Linux, matrix.Libvirt, matrix.QEMU, matrix.XenHyp, "machine", "firmware", "accel"),
	Control:  sabotage.Swallow("virDomainReset"),
}, func(t *steps.T) {
	g := t.Guest()
	id, before := g.Domain.ID(), g.Tick()
	if t.LacksOnXen("reset domain", func() error { return g.Domain.Raw.Reset(0) }) {
		return
	}
	g.Domain.Reset()
	t.Expect(g.WaitReady().BootID).NotTo(Equal(before.BootID), "boot ID after the reset")
	t.Expect(g.Domain.ID()).To(Equal(id), "the domain's ID over the reset")
})
