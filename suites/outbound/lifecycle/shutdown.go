package lifecycle

import (
	"strings"
	"time"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// The button is the guest's own event, told by its init. A paravirtual guest has no
// button: Xen asks its kernel, which says so as it halts.
var _ = check.Register("O-SHUT", check.Spec{
	Asserts:  "A guest that is asked to shut down does so, and its domain is off",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "0.9.10")},
	Control:  sabotage.SetWord("virDomainGetState", 1, uint32(libvirt.DOMAIN_SHUTOFF_DESTROYED)),
}, func(t *steps.T) {
	g := t.Guest()
	d := g.Domain
	mode, sign := libvirt.DOMAIN_SHUTDOWN_ACPI_POWER_BTN, `"power-button"`
	if t.Kind() == matrix.Xen {
		mode, sign = libvirt.DOMAIN_SHUTDOWN_PARAVIRT, "System halted"
	}
	before := strings.Count(g.Console(), sign)
	d.Shutdown(mode)
	d.WaitFor(libvirt.DOMAIN_SHUTOFF)
	// libxl tells the state before it has taken the halted guest apart.
	t.Until(time.Minute, "the hypervisor has let the guest go", func() bool { return !t.HasProcess(d.Name) })
	t.Expect(strings.Count(g.Console(), sign)).To(Equal(before+1), "times that the guest's console says %s", sign)
	d.ExpectOff(libvirt.DOMAIN_SHUTOFF_SHUTDOWN)
	t.Refuses("shut down a domain that is off", libvirt.ERR_OPERATION_INVALID, func() error { return d.Raw.ShutdownFlags(mode) })
})
