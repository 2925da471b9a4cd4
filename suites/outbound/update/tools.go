package update

import (
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

func init() {
	register("U-TOOLS", matrix.Upgrade,
		"The new virsh works with the daemon from before an upgrade and the old one with the daemon from after it, and both tell which it is",
		sabotage.Spoil("a virsh that tells another daemon", `mv /usr/bin/virsh /usr/bin/virsh.real
printf '#!/bin/sh\n/usr/bin/virsh.real "$@" | sed "s/daemon: .*/daemon: 1.2.3/"\n' >/usr/bin/virsh; chmod 755 /usr/bin/virsh`), tools)
}

func tools(t *steps.T) {
	g := started(t)
	older, before := t.OldVirsh(), t.Version(matrix.Libvirt)
	works := func(who, daemon string, say func(string) string) {
		t.Expect(say("version --daemon")).To(ContainSubstring("daemon: "+daemon+"."), "version of the daemon that %s tells", who)
		t.Expect(strings.Fields(say("list --name"))).To(ContainElement(g.Name), "guests that %s lists", who)
		t.Expect(say("dumpxml "+g.Name)).To(ContainSubstring(g.Token), "XML of the guest by %s", who)
		mark := g.Mark()
		say("suspend " + g.Name)
		t.Expect(say("domstate "+g.Name)).To(ContainSubstring("paused"), "state of the guest by %s", who)
		say("resume " + g.Name)
		g.ExpectGoesOn(mark)
	}
	works("the old virsh", before, older.Say)
	t.HoldServices()
	t.Update()
	works("the new virsh with the old daemon", before, t.VirshSays)
	t.Note("between unpacking and the daemon's new start virsh version says: %s", strings.ReplaceAll(t.VirshSays("version"), "\n", "; "))
	restarted(t, g)
	works("the old virsh with the new daemon", t.Version(matrix.Libvirt), older.Say)
	works("the new virsh", t.Version(matrix.Libvirt), t.VirshSays)
}
