package xen

import (
	"time"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// dumps is where xl writes the core of a guest that crashed, and coreLimit how long it
// may take for that.
const (
	dumps     = "/var/lib/xen/dump"
	coreLimit = 3 * time.Minute
)

// The word that the guest keeps is in its memory, and nowhere else: a core has it, or is
// none of this guest.
var _ = check.Register("IX-SNAP", check.Spec{
	Asserts:  "A running guest's core is dumped while it goes on, and that of a guest which panics before it boots anew, as its configuration says",
	Requires: stack,
	Depends:  depends,
	Control:  ignores("dump-core"),
}, func(t *steps.T) {
	t.Sh("mkdir -p " + dumps)
	g := t.XlGuest(domain.XL{"on_crash": "coredump-restart"})
	mark, core := g.Mark(), t.Scratch("core")
	holds := func(file string) {
		t.Expect(t.ReadFile(file, 0, 4)).To(Equal("\x7fELF"), "start of "+file)
		t.Expect(t.Holds(file, mark.Word)).To(BeTrue(), "the guest's word is in "+file)
		t.Sh("rm " + file)
	}
	t.Xl("dump-core " + g.Name + " " + core)
	holds(core)
	g.ExpectGoesOn(mark)

	id := g.DomID()
	t.Cleanup(func() { t.Sh("rm -f " + dumps + "/*" + g.Name + "*") })
	g.Panic()
	t.Until(coreLimit, g.Name+" is another domain", func() bool { return t.Run("id=$(xl domid " + g.Name + ") && test $id != " + id).OK() })
	g.WaitAnew(id, mark.Tick)
	holds(t.Sh("ls " + dumps + "/*" + g.Name + "*"))
})
