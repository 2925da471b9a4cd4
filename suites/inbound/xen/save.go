package xen

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

var _ = check.Register("IX-SAVE", check.Spec{
	Asserts:  "PV and PVH guests are saved and restored where they were, go on after a checkpoint, and an image that is cut short is refused and leaves no domain",
	Requires: stack,
	Depends:  depends,
	Control:  sabotage.Guest(l2.ForgetWord),
}, func(t *steps.T) {
	eachMode(t, func(g *steps.Guest) {
		mark, image := g.Mark(), t.Scratch(g.Name)
		t.Xl("save -c " + g.Name + " " + image + ".checkpoint")
		g.ExpectGoesOn(mark)
		t.Xl("save " + g.Name + " " + image)
		t.Expect(t.HasProcess(g.Name)).To(BeFalse(), "a saved guest is still a domain")
		t.Sh("truncate -s 8M " + image + ".checkpoint")
		t.Expect(t.TryXl("restore "+image+".checkpoint").OK()).To(BeFalse(), "an image that is cut short is restored")
		t.Expect(t.HasProcess(g.Name)).To(BeFalse(), "a domain is left of an image that is cut short")
		t.Xl("restore " + image)
		t.Sh("rm " + image + " " + image + ".checkpoint")
		g.WaitReady()
		g.ExpectGoesOn(mark)
	})
})

// With an empty command to reach a host by, the host is the command that receives.
func init() {
	for id, mode := range map[string]string{"IX-MIG": "PV", "IX-MIG-PVH": "PVH"} {
		check.Register(id, check.Spec{
			Asserts:  "A " + mode + " guest migrates to its own host, where it goes on as another domain and the only one of its name",
			Requires: stack,
			Depends:  depends,
			Control:  sabotage.Guest(l2.ForgetWord),
		}, func(t *steps.T) { migrates(t, t.XlGuest(modes[mode])) })
	}
}

func migrates(t *steps.T, g *steps.Guest) {
	mark, before := g.Mark(), g.DomID()
	t.Xl("migrate -s '' " + g.Name + " 'xl migrate-receive'")
	t.Expect(g.DomID()).NotTo(Equal(before), "the domain's number before and after")
	g.WaitReady()
	g.ExpectGoesOn(mark)
	t.Expect(t.Sh("xl list | grep -c "+g.Name)).To(Equal("1"), "domains of the guest's name, whole or with more after it")
}

// eachMode asks of a guest of each mode, one after the other.
func eachMode(t *steps.T, ask func(*steps.Guest)) {
	for _, own := range []domain.XL{modes["PV"], modes["PVH"]} {
		g := t.XlGuest(own)
		ask(g)
		t.Xl("destroy " + g.Name)
		t.XlGone(g, goneLimit)
	}
}
