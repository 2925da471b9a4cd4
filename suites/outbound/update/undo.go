package update

import (
	"syscall"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

func init() {
	register("U-UNDO", matrix.Upgrade,
		"A guest runs on while an upgrade comes and is taken back before anyone starts the daemon anew, and the old daemon takes it over", forgetful, undone)
	register("U-BACK", matrix.Upgrade,
		"A guest runs on while an upgrade is taken back after the new daemon had it, and the old daemon takes it over: it is not lost, and does not run twice", forgetful, back)
	registerOn(matrix.Hosts{Over: 1}, "U-SKIP", matrix.Upgrade,
		"A guest runs on while its packages are upgraded over a version, and the new daemon takes it over: the same process, no moment missed", forgetful, runs)
}

func undone(t *steps.T) {
	g := started(t)
	pulse := g.Feel()
	t.HoldServices()
	t.Update()
	t.Undo()
	g.ExpectUndisturbed(pulse)
	t.RestartLibvirt(syscall.SIGTERM)
	g.ExpectUndisturbed(pulse)
	t.Expect(g.Domain.Again().State()).To(Equal(libvirt.DOMAIN_RUNNING), "state of the guest")
	_, fresh := t.Started()
	g.ExpectUndisturbed(pulse)
	t.Expect(fresh.Emulators()).NotTo(BeEmpty(), "emulators of a new guest")
}

func back(t *steps.T) {
	g := started(t)
	pulse := g.Feel()
	updated(t, g)
	g.ExpectUndisturbed(pulse)
	t.HoldServices()
	t.Undo()
	g.ExpectUndisturbed(pulse)
	expectTakenOver(t, g, pulse)
}
