package xen

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// guestType is where the guest's kernel says how Xen runs it (drivers/xen/sys-hypervisor.c).
const guestType = "/sys/hypervisor/guest_type"

var _ = check.Register("IX-PV", check.Spec{
	Asserts:  "A paravirtual guest started by xl boots its kernel and speaks",
	Requires: stack,
	Depends:  depends,
	Control:  ignores("create"),
}, func(t *steps.T) { boots(t, "PV") })

var _ = check.Register("IX-PVH", check.Spec{
	Asserts:  "A guest of type PVH boots its kernel by the virtualisation of the processor, without a device model",
	Requires: stack,
	Depends:  depends,
	Control:  sabotage.Wrap("xl", "an xl that makes PV guests of all", `case "$1" in create) sed -i 's/"pvh"/"pv"/' $2;; esac; exec $REAL "$@"`),
}, func(t *steps.T) { boots(t, "PVH") })

func boots(t *steps.T, mode string) {
	g := t.XlGuest(modes[mode])
	facts := g.WaitReady()
	t.Expect(facts.Kernel).To(Equal(t.KernelRelease()))
	t.Expect(facts.Hypervisor).To(Equal("xen"))
	t.Expect(g.LoadFile(guestType)).To(Equal(mode+"\n"), "how the guest says that it is run")
	t.Expect(t.Run("pgrep -f '[x]en-domid "+g.DomID()+"( |$)'").OK()).To(BeFalse(), "a device model runs for it")
	g.ExpectSameBoot(g.Tick())
	g.PowerOff()
	t.XlGone(g, goneLimit)
}
