package xen

import (
	"time"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"github.com/virtmatrix/virtmatrix/internal/console"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

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

// A link that breaks in the middle of a guest's memory, and one that breaks once the receiver
// said that it is there: the whole guest is sent, and no word comes back.
const (
	breaksEarly = "head -c 8M | xl migrate-receive"
	breaksLate  = "xl migrate-receive | head -n 1"
)

var _ = check.Register("IX-MIG-CUT", check.Spec{
	Asserts:  "PV and PVH guests whose migration breaks off in its middle or at its end go on where they were",
	Requires: stack,
	Depends:  depends,
	Control:  sabotage.Guest(l2.ForgetWord),
}, func(t *steps.T) {
	eachMode(t, func(g *steps.Guest) {
		mark, before := g.Mark(), g.DomID()
		for _, receiver := range []string{breaksEarly, breaksLate} {
			migratesNot(t, g, receiver)
			g.ExpectGoesOn(mark)
			t.Expect(g.DomID()).To(Equal(before), "the domain's number before and after")
			if receiver == breaksEarly {
				receiverEnds(t, g)
			}
			t.Run("xl destroy " + g.Name + incoming)
		}
	})
})

var _ = check.Register("IX-MIG-LEFT", check.Spec{
	Asserts:  "The receiver of a migration that breaks off at its end leaves no domain",
	Requires: stack,
	Depends:  depends,
	Control:  sabotage.Wrap("xl", "an xl that finds each domain", `[ "$1" != domid ] || exec echo 9; exec $REAL "$@"`),
}, func(t *steps.T) {
	g := t.XlGuest(modes["PVH"])
	migratesNot(t, g, breaksLate)
	receiverEnds(t, g)
})

const (
	// incoming is what xl migrate-receive adds to the name of a guest that is not there yet.
	incoming = "--incoming"
	// leftLimit bounds how long a receiver that has told of its error may take to clean up, at
	// scale 1.
	leftLimit = 5 * time.Second
)

// receiverEnds waits until the receiver has no domain any more.
func receiverEnds(t *steps.T, g *steps.Guest) {
	t.Until(leftLimit, "the receiver's domain is gone", func() bool { return !t.HasProcess(g.Name + incoming) })
}

// migratesNot migrates a guest over a link that breaks.
func migratesNot(t *steps.T, g *steps.Guest, receiver string) {
	t.Cleanup(func() { t.Run("xl destroy " + g.Name + incoming + " 2>/dev/null") })
	broken := t.TryXl("migrate -s '' " + g.Name + " '" + receiver + "'")
	t.Expect(broken.OK()).To(BeFalse(), "xl says that a guest migrated over a link that broke (%s)", receiver)
	t.Note("%s: %s", receiver, console.Tail([]byte(broken.Text()), 3))
}
