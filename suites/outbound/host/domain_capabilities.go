package host

import (
	"fmt"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"
)

var _ = check.Register("O-DOMCAPS", check.Spec{
	Asserts:  "The domain capabilities answer for each emulator, machine and kind of virtualization",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "1.2.7")},
	Depends:  check.On(matrix.Linux, matrix.QEMU, matrix.XenHyp, matrix.Libvirt),
	Control:  sabotage.ChangeCode("virConnectGetDomainCapabilities", libvirt.ERR_INTERNAL_ERROR),
}, func(t *steps.T) {
	asked := 0
	for _, g := range capabilities(t).Guests {
		for _, d := range g.Arch.Domains {
			for _, m := range machines(g) {
				answersFor(t, g, d.Type, m)
				asked++
			}
		}
	}
	t.Note("domain capabilities answer for %d combinations", asked)
	t.Expect(asked).NotTo(BeZero(), "combinations to ask for")
	conn := t.Connection().Raw
	for _, wrong := range [][2]string{{"nosuch-machine", domainType(t)}, {"", "nosuch-type"}} {
		t.Refuses(fmt.Sprintf("ask for domain capabilities of machine %q and type %q", wrong[0], wrong[1]), libvirt.ERR_INVALID_ARG,
			func() error { _, err := conn.GetDomainCapabilities("", arch, wrong[0], wrong[1], 0); return err })
	}
})

// domainType is the virtualization that the cell's guests have.
func domainType(t *steps.T) string {
	if t.Kind() == matrix.Xen {
		return "xen"
	}
	return t.Settings().Type
}

// answersFor asks for one combination, and whether the answer is about it.
func answersFor(t *steps.T, g libvirtxml.CapsGuest, virt, machine string) {
	conn := t.Connection().Raw
	what := fmt.Sprintf("domain capabilities of %s, %s, %s, %s", g.Arch.Emulator, g.Arch.Name, machine, virt)
	var caps libvirtxml.DomainCaps
	t.Parse(what, steps.Get(t, "ask for "+what, func() (string, error) {
		return conn.GetDomainCapabilities(g.Arch.Emulator, g.Arch.Name, machine, virt, 0)
	}), &caps)
	t.Expect([]string{caps.Path, caps.Arch, caps.Machine, caps.Domain}).To(
		Equal([]string{g.Arch.Emulator, g.Arch.Name, machine, virt}), what)
	t.Expect(caps.VCPU).NotTo(BeNil(), what)
	t.Expect(caps.VCPU.Max).To(BeNumerically(">", 0), what)
	t.Expect(caps.OS).NotTo(BeNil(), what)
	t.Expect(caps.OS.Supported).To(Equal("yes"), what)
	t.Expect(caps.Devices).NotTo(BeNil(), what)
	t.Expect(caps.Devices.Disk).NotTo(BeNil(), what)
}
