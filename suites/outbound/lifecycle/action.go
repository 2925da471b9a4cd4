package lifecycle

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// What is set for the running domain holds until it ends, and the definition has its own.
var _ = check.Register("O-LCA", check.Spec{
	Asserts:  "A running guest that reboots ends when that was set while it ran, and its definition is another",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "3.9.0")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU, matrix.XenHyp),
	Control:  sabotage.Swallow("virDomainSetLifecycleAction"),
}, func(t *steps.T) {
	const live = uint32(libvirt.DOMAIN_AFFECT_LIVE)
	g := t.Guest()
	d := g.Domain
	set := func(flags uint32) func() error {
		return func() error {
			return d.Raw.SetLifecycleAction(libvirt.DOMAIN_LIFECYCLE_REBOOT, libvirt.DOMAIN_LIFECYCLE_ACTION_DESTROY, flags)
		}
	}
	if t.LacksOnXen("set action", set(live)) {
		return
	}
	t.Do("have the running guest end when it reboots", set(live))
	t.Expect(d.Dump(0)).To(ContainSubstring("<on_reboot>destroy</on_reboot>"), "live XML")
	t.Expect(d.Dump(libvirt.DOMAIN_XML_INACTIVE)).To(ContainSubstring("<on_reboot>restart</on_reboot>"), "definition")
	g.Reboot()
	d.WaitFor(libvirt.DOMAIN_SHUTOFF)
	t.Expect(t.HasProcess(d.Name)).To(BeFalse(), "the hypervisor still runs the guest")
	t.Refuses("set the action of a run that is over", libvirt.ERR_OPERATION_INVALID, set(live))
	t.VirshSays("set-lifecycle-action " + d.Name + " crash preserve --config")
	t.Expect(d.Dump(0)).To(And(ContainSubstring("<on_crash>preserve</on_crash>"), ContainSubstring("<on_reboot>restart</on_reboot>")))
})
