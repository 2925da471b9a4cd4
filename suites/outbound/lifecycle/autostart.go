package lifecycle

import (
	"fmt"
	"time"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// A daemon starts these domains once after the machine's boot: a file says that it has
// (virDriverShouldAutostart). Without the file its next start is one after a boot.
var _ = check.Register("O-AUTO", check.Spec{
	Asserts:  "A domain with autostart runs after the machine's boot, and only once if that was asked for",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "6.1")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU, matrix.XenHyp),
	Control:  sabotage.Swallow("virDomainSetAutostart"),
}, func(t *steps.T) {
	d := t.Define()
	d.SetAutostart(true)
	t.Expect(d.Autostart()).To(BeTrue())
	t.Expect(afterBoot(t, d)).To(BeTrue(), "the domain runs after the boot")
	t.Expect(d.Again().Autostart()).To(BeTrue(), "autostart after the boot")
	d.Again().Destroy()
	t.VirshSays("autostart --disable " + d.Name)
	t.Expect(d.Again().Autostart()).To(BeFalse())
	if !t.AtLeast(matrix.Libvirt, "11.2") || t.Kind() == matrix.Xen {
		t.Expect(afterBoot(t, d)).To(BeFalse(), "the domain without autostart runs after the boot")
		return
	}
	t.VirshSays("autostart --once " + d.Name)
	t.Expect(d.Again().Autostart()).To(BeFalse(), "autostart of a domain that is to start once")
	t.Expect(afterBoot(t, d)).To(BeTrue(), "the domain that is to start once runs after the boot")
	d.Again().Destroy()
	t.Expect(afterBoot(t, d)).To(BeFalse(), "the domain that was to start once runs after the next boot")
})

// afterBoot says whether the domain runs once a daemon has been started that takes the
// machine for booted, and another domain that was to start there does.
func afterBoot(t *steps.T, d *steps.Domain) bool {
	driver := map[matrix.Kind]string{matrix.KVM: "qemu", matrix.Xen: "libxl"}[t.Kind()]
	other := t.Define()
	other.SetAutostart(true)
	t.Sh(fmt.Sprintf("rm -f /run/libvirt/%s/autostarted", driver))
	t.RestartLibvirt(sigterm)
	other = other.Again()
	t.Until(time.Minute, "the daemon has started its domains", func() bool { return other.Active() })
	other.Destroy()
	other.SetAutostart(false)
	return d.Again().Active()
}
