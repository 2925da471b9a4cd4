package xen

import (
	"time"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// pause is how long the guest stands still at least.
const pause = 5 * time.Second

// A domain of which a page is still held stays in the list, without a name. That of a
// guest which was destroyed may be seen for a moment.
var _ = check.Register("IX-LIFE", check.Spec{
	Asserts:  "xl pauses, reboots, shuts down and destroys a guest, and no domain without a name is left",
	Requires: stack,
	Depends:  depends,
	Control:  ignores("pause"),
}, func(t *steps.T) {
	g := t.XlGuest(nil)
	used := func() string { return t.Sh("xl list " + g.Name + " | awk 'NR == 2 { print $5, $6 }'") }
	mark := g.Mark()
	t.Xl("pause " + g.Name)
	before, paused := used(), time.Now()
	t.Expect(before).To(HavePrefix("--p--- "), "state and seconds of the paused guest")
	t.Until(2*pause, "the guest was paused for a while", func() bool { return time.Since(paused) >= pause })
	t.Expect(used()).To(Equal(before), "state and seconds of the guest, which stands still")
	t.Xl("unpause " + g.Name)
	g.ExpectGoesOn(mark)

	id, tick := g.DomID(), g.Tick()
	t.Xl("reboot " + g.Name)
	g.WaitAnew(id, tick)
	t.Xl("shutdown -w " + g.Name)
	t.XlGone(g, goneLimit)

	g = t.XlCreate(t.NewGuest(), nil, "-p")
	t.Xl("destroy " + g.Name)
	t.XlGone(g, goneLimit)
	t.Until(goneLimit, "no domain without a name is left", func() bool { return !t.Run("xl list | grep -F '(null)'").OK() })
})
