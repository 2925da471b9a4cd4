package xen

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

var _ = check.Register("IX-LIBXL", check.Spec{
	Asserts:  "libvirt's Xen driver connects, defines, starts, saves and restores a guest",
	Requires: []matrix.Requirement{matrix.XenStack},
	Control:  sabotage.Guest(l2.ForgetWord),
}, func(t *steps.T) {
	g := t.Guest()
	d := g.Domain
	t.Expect(t.Sh("xl list")).To(ContainSubstring(d.Name), "libvirt's domain in the toolstack's own list")
	mark, image := g.Mark(), t.Scratch("image")
	d.Save(image)
	d.WaitFor(libvirt.DOMAIN_SHUTOFF)
	t.Expect(t.Sh("xl list")).NotTo(ContainSubstring(d.Name), "a saved domain in the toolstack's list")
	t.Connection().Restore(image)
	g.WaitReady()
	g.ExpectGoesOn(mark)
})
