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

// The guest is asked by its button or its toolstack, as users ask. libxl makes a new
// domain of a guest that reboots (libxlDomainShutdownThread), qemu goes on with the same.
var _ = check.Register("O-REBOOT", check.Spec{
	Asserts:  "A guest that is asked to reboot boots anew, and on qemu the domain keeps its ID",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "0.9.10")},
	Depends:  check.On(matrix.Linux, matrix.Libvirt, matrix.QEMU, matrix.XenHyp, "machine", "firmware", "accel"),
	Control:  sabotage.Swallow("virDomainReboot"),
}, func(t *steps.T) {
	g := t.Guest()
	id, before := g.Domain.Again().ID(), g.Tick()
	if t.Kind() == matrix.Xen {
		g.Domain.Reboot(libvirt.DOMAIN_REBOOT_PARAVIRT)
		t.Until(time.Minute, "libxl has made another domain of the guest", func() bool { return xenRebooted(g, id) })
	} else {
		g.Domain.Reboot(libvirt.DOMAIN_REBOOT_ACPI_POWER_BTN)
	}
	t.Until(time.Minute, "the guest has booted anew", func() bool { return g.WaitReady().BootID != before.BootID })
	t.Expect(g.Domain.Again().State()).To(Equal(libvirt.DOMAIN_RUNNING))
	if t.Kind() == matrix.KVM {
		t.Expect(g.Domain.Again().ID()).To(Equal(id), "the domain's ID over the reboot")
	}
})

// xenRebooted says that the domain has another ID, which it has not while it is made.
func xenRebooted(g *steps.Guest, id uint) bool {
	d := g.Domain.Again()
	return d.Active() && d.ID() != id
}
