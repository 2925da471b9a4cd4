package update

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// registerDom0 adds a check of a dom0 whose toolstack and libvirt move. The hypervisor is the
// one from before until the host boots anew.
func registerDom0(id, asserts string, control *sabotage.Control, body func(*steps.T)) {
	check.Register(id, check.Spec{
		Asserts:  asserts,
		Requires: []matrix.Requirement{matrix.XenStack, matrix.Pristine},
		Hosts:    matrix.Hosts{Moves: matrix.Upgrade, Earlier: []matrix.Component{matrix.Libvirt, matrix.XenHyp}},
		Control:  control,
	}, body)
}

// forgetsDomains is a daemon that finds no guests of Xen when it starts.
var forgetsDomains = sabotage.Command("a daemon that forgets its guests", "(while :; do rm -f /run/libvirt/libxl/*.xml; sleep 0.1; done) >/dev/null 2>&1 &")

func init() {
	registerDom0("U-XEN-RUN", "A guest runs on while dom0's toolstack is upgraded, and xl of the running hypervisor pauses, saves, restores, ends and starts guests after it",
		sabotage.Spoil("an upgrade that takes the running hypervisor's toolstack away", "rm -r /usr/lib/xen-$(cat /sys/hypervisor/version/major).$(cat /sys/hypervisor/version/minor)"), toolstack)
	registerDom0("U-XEN-LIBVIRT", "A guest of libvirt runs on while libvirt and the toolstack are upgraded under it, and the new daemon takes it over before the host boots anew",
		forgetsDomains, libvirtInDom0)
	registerDom0("U-XEN-UNDO", "A guest of libvirt runs on while an upgrade of libvirt and the toolstack comes and is taken back, and the old daemon manages it in between and after it",
		forgetsDomains, undoneInDom0)
}

func toolstack(t *steps.T) {
	g := t.XlGuest(nil)
	id, pulse, image := g.DomID(), g.Feel(), t.Scratch("saved")
	t.HoldServices()
	t.Update()
	g.ExpectUndisturbed(pulse)
	t.Xl("list " + g.Name)
	t.Expect(g.DomID()).To(Equal(id), "the guest's domain")
	t.Xl("pause " + g.Name)
	t.Xl("unpause " + g.Name)
	g.ExpectGoesOn(pulse.Mark)
	t.Xl("save " + g.Name + " " + image)
	t.Xl("restore " + image)
	g.WaitReady()
	g.ExpectGoesOn(pulse.Mark)
	fresh := t.XlGuest(nil)
	for _, guest := range []*steps.Guest{g, fresh} {
		t.Xl("shutdown -w " + guest.Name)
		t.XlGone(guest, steps.PlugLimit)
	}
}

func libvirtInDom0(t *steps.T) {
	d, g := t.Started()
	pulse := g.Feel()
	t.HoldServices()
	t.Update()
	g.ExpectUndisturbed(pulse)
	t.Expect(d.State()).To(Equal(libvirt.DOMAIN_RUNNING), "state of the guest before the daemon is started anew")
	expectManaged(t, g, pulse)
}

func undoneInDom0(t *steps.T) {
	d, g := t.Started()
	pulse := g.Feel()
	t.HoldServices()
	t.Update()
	d.Suspend()
	d.Resume()
	g.ExpectGoesOn(pulse.Mark)
	pulse = g.Feel() // it stood still while it was paused
	t.Undo()
	g.ExpectUndisturbed(pulse)
	expectManaged(t, g, pulse)
}

// expectManaged starts the daemon anew and asserts that it has the guest as it is, and ends it.
func expectManaged(t *steps.T, g *steps.Guest, pulse steps.Pulse) {
	expectTakenOver(t, g, pulse)
	d := g.Domain.Again()
	d.Shutdown(libvirt.DOMAIN_SHUTDOWN_DEFAULT)
	d.WaitFor(libvirt.DOMAIN_SHUTOFF)
}
