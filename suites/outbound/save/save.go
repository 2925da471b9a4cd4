// Package save holds the checks of guests whose state is kept in a file.
package save

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

var _ = check.Register("O-SAVE", check.Spec{
	Asserts:  "A guest saved to a file and restored goes on from its last tick",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "0.9.4")},
	Control:  sabotage.Guest(l2.ForgetWord),
}, func(t *steps.T) {
	g := t.Guest()
	d, file := g.Domain, t.Scratch("image")
	mark := g.Mark()
	d.Save(file)
	d.WaitFor(libvirt.DOMAIN_SHUTOFF)
	d.ExpectOff(libvirt.DOMAIN_SHUTOFF_SAVED)
	t.Expect(t.Run("test -s "+file).OK()).To(BeTrue(), "the image has content")
	t.Connection().Restore(file)
	t.Expect(d.State()).To(Equal(libvirt.DOMAIN_RUNNING))
	g.WaitReady()
	g.ExpectGoesOn(mark)
})
