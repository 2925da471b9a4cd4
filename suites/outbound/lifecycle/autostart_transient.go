package lifecycle

import (
	"syscall"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// sigterm ends a daemon orderly.
const sigterm = syscall.SIGTERM

var _ = check.Register("O-AUTO-T", check.Spec{
	Asserts:  "A transient domain has no autostart, and a persistent one keeps it when it is destroyed",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "0.5.0")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU, matrix.XenHyp),
	Control:  sabotage.ChangeCode("virDomainSetAutostart", libvirt.ERR_INTERNAL_ERROR),
}, func(t *steps.T) {
	g := t.NewGuest()
	transient := t.CreateXML(g, t.Marshal(t.Describe(g)), libvirt.DOMAIN_START_PAUSED)
	t.Expect(transient.Autostart()).To(BeFalse(), "autostart of a transient domain")
	t.Refuses("set autostart of a transient domain", libvirt.ERR_OPERATION_INVALID, func() error { return transient.Raw.SetAutostart(true) })

	d := t.Define()
	d.StartPaused()
	d.SetAutostart(true)
	d.Destroy()
	t.Expect(d.Autostart()).To(BeTrue(), "autostart of a persistent domain that was destroyed")
	link := t.Layout().LibvirtConfig + "/" + map[matrix.Kind]string{matrix.KVM: "qemu", matrix.Xen: "libxl"}[t.Kind()] + "/autostart/" + d.Name + ".xml"
	t.Expect(t.Exists(link)).To(BeTrue(), "the link that says so")
	d.Undefine()
	t.Expect(t.Exists(link)).To(BeFalse(), "the link of a domain that is no more")
})
