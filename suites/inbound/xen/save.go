package xen

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

var _ = check.Register("IX-SAVE", check.Spec{
	Asserts:  "PV and PVH guests are saved and restored where they were, and an image that is cut short is refused and leaves no domain",
	Requires: stack,
	Depends:  depends,
	Control:  sabotage.Guest(l2.ForgetWord),
}, func(t *steps.T) {
	eachMode(t, func(g *steps.Guest) {
		mark, image := g.Mark(), t.Scratch(g.Name)
		t.Xl("save " + g.Name + " " + image)
		t.Expect(t.HasProcess(g.Name)).To(BeFalse(), "a saved guest is still a domain")
		t.Sh("head -c 8M " + image + " >" + image + ".short")
		t.Expect(t.TryXl("restore "+image+".short").OK()).To(BeFalse(), "an image that is cut short is restored")
		t.Expect(t.HasProcess(g.Name)).To(BeFalse(), "a domain is left of an image that is cut short")
		t.Xl("restore " + image)
		t.Sh("rm " + image + " " + image + ".short")
		g.WaitReady()
		g.ExpectGoesOn(mark)
	})
})

// A checkpoint is what backups of Xen guests are made of: the guest was suspended for it, and
// has to be told that it is not another domain now.
var _ = check.Register("IX-SAVE-C", check.Spec{
	Asserts:  "PV and PVH guests go on after a checkpoint of them is written, and are what they were then when it is restored",
	Requires: stack,
	Depends:  depends,
	Control:  sabotage.Guest(l2.ForgetWord),
}, func(t *steps.T) {
	eachMode(t, func(g *steps.Guest) {
		mark, image := g.Mark(), t.Scratch(g.Name)
		t.Xl("save -c " + g.Name + " " + image)
		g.ExpectGoesOn(mark)
		t.Xl("destroy " + g.Name)
		t.XlGone(g, goneLimit)
		t.Xl("restore " + image)
		t.Sh("rm " + image)
		g.WaitReady()
		g.ExpectGoesOn(mark)
	})
})

// A host saves its guests as it goes down, and restores them as it comes up (xendomains), on
// the next hypervisor where an upgrade has brought one.
var _ = check.Register("IX-SAVE-X", check.Spec{
	Asserts:  "PV and PVH guests that the Xen before saved go on under this one, and the other way round, unless that is refused without harm",
	Requires: stack,
	Hosts:    matrix.Hosts{Count: 2, Earlier: []matrix.Component{matrix.Libvirt, matrix.XenHyp}},
	Control:  sabotage.Guest(l2.ForgetWord),
}, func(t *steps.T) {
	before := t.On(1)
	for _, mode := range []string{"PV", "PVH"} {
		carries(t, mode, before, t)
		if refusal := carries(t, mode, t, before); refusal != "" {
			t.Note("%s refuses a %s guest that was saved here: %s", before.Cell, mode, refusal)
		}
	}
})

// carries has a guest that one host saved restored by the other. Where the older one refuses
// it, the guest must go on at home.
func carries(t *steps.T, mode string, from, to *steps.T) (refusal string) {
	g := from.XlGuest(modes[mode])
	mark, image := g.Mark(), g.XlSaved(to)
	moved, refusal := to.XlRestore(image, g)
	if refusal != "" && from == t {
		var again string
		moved, again = from.XlRestore(image, g)
		t.Expect(again).To(BeEmpty(), "what xl says of a guest that it saved itself")
	}
	if moved == nil {
		t.Fail(t.Layer, "a %s guest that %s saved cannot be restored by %s:\n%s", mode, from.Cell, to.Cell, refusal)
	}
	moved.ExpectGoesOn(mark)
	for _, host := range []*steps.T{from, to} {
		host.Run("xl destroy " + g.Name)
		host.XlGone(g, goneLimit)
	}
	return refusal
}

// A host that goes down has libvirt save its guests (libvirt-guests), and what lies in
// libvirt's folders is all that comes through the boot into the next release.
var _ = check.Register("IX-MSAVE-X", check.Spec{
	Asserts:  "A guest that libvirt of the release before saved for its next start is known, goes on and boots anew under this Xen and libvirt",
	Requires: []matrix.Requirement{matrix.XenStack},
	Hosts:    matrix.Hosts{Count: 2, Earlier: []matrix.Component{matrix.Libvirt, matrix.XenHyp}},
	Control:  sabotage.Guest(l2.ForgetWord),
}, func(t *steps.T) {
	old, g := t.On(1).Started()
	mark := g.Mark()
	old.ManagedSave()
	d := t.Inherit(old)
	t.Expect(d.HasManagedSave()).To(BeTrue(), "the domain that the daemon found has a saved state")
	d.Start()
	d.Guest().ExpectGoesOn(mark)
	t.Expect(d.HasManagedSave()).To(BeFalse(), "the guest that goes on still has a saved state")
	d.Destroy()
	d.Start()
	t.Expect(d.Guest().Tick().BootID).NotTo(Equal(mark.Tick.BootID), "boot of the guest that was started anew")
})

// eachMode asks of a guest of each mode, one after the other.
func eachMode(t *steps.T, ask func(*steps.Guest)) {
	for _, own := range []domain.XL{modes["PV"], modes["PVH"]} {
		g := t.XlGuest(own)
		ask(g)
		t.Xl("destroy " + g.Name)
		t.XlGone(g, goneLimit)
	}
}
