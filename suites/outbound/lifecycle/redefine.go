package lifecycle

import (
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

var _ = check.Register("O-REDEF", check.Spec{
	Asserts:  "A running domain that is defined anew runs on as it was, and starts as it is defined",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "0.9.4")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU, matrix.XenHyp),
	Control:  sabotage.Swallow("virDomainDestroy"),
}, func(t *steps.T) {
	const one, two = ">1</vcpu>", ">2</vcpu>"
	d := t.Define()
	d.StartPaused()
	before := d.Again().ID()
	t.Connection().Define(strings.Replace(d.Dump(libvirt.DOMAIN_XML_INACTIVE), one, two, 1))
	t.Expect(d.Again().ID()).To(Equal(before), "the number of the run")
	t.Expect(d.Dump(0)).To(ContainSubstring(one), "what runs")
	t.Expect(d.Dump(libvirt.DOMAIN_XML_INACTIVE)).To(ContainSubstring(two), "what is defined")
	d.Destroy()
	t.Expect(d.Dump(0)).To(ContainSubstring(two), "what is left when the run is over")
	d.Start()
	t.Expect(d.Guest().WaitReady().CPUs).To(Equal(2), "processors that the guest sees")
})

var _ = check.Register("O-T2P", check.Spec{
	Asserts:  "A transient domain that is defined by its live XML runs on, and is there when it has ended",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "0.9.4")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU, matrix.XenHyp),
	Control:  sabotage.SetWord("virDomainIsPersistent", 0, 0),
}, func(t *steps.T) {
	d := t.Create()
	mark := d.Guest().Mark()
	t.Expect(d.Persistent()).To(BeFalse(), "the created domain persists")
	live := d.Dump(0)
	t.Connection().Define(live)
	t.Expect(d.Persistent()).To(BeTrue(), "the defined domain persists")
	d.Guest().ExpectGoesOn(mark)
	isSame(t, "the live XML before and after the definition", live, d.Dump(0))
	d.Destroy()
	d.ExpectOff(libvirt.DOMAIN_SHUTOFF_DESTROYED)
	d.StartPaused()
	d.Destroy()
	d.Undefine()
	d.WaitGone()
})
