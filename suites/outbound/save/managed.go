package save

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

var _ = check.Register("O-MSAVE", check.Spec{
	Asserts:  "A domain with a managed save resumes from it at its next start, and from nothing once it is removed",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "0.8.0")},
	Control:  sabotage.Swallow("virDomainManagedSaveRemove"),
}, func(t *steps.T) {
	g := t.Guest()
	d := g.Domain
	mark := g.Mark()
	d.ManagedSave()
	d.ExpectOff(libvirt.DOMAIN_SHUTOFF_SAVED)
	t.Expect(d.HasManagedSave()).To(BeTrue())
	d.Start()
	g.WaitReady()
	g.ExpectGoesOn(mark)
	t.Expect(d.HasManagedSave()).To(BeFalse(), "the image is used up")

	d.ManagedSave()
	d.RemoveManagedSave()
	t.Expect(d.HasManagedSave()).To(BeFalse())
	d.Start()
	g.WaitReady()
	t.Expect(g.Tick().BootID).NotTo(Equal(mark.BootID), "boot ID after a start from nothing")
	t.Expect(g.Memory()).To(BeEmpty(), "what a fresh guest keeps")
})
