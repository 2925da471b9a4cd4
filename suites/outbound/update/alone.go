package update

import (
	"syscall"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"github.com/virtmatrix/virtmatrix/internal/layout"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

func init() {
	register("U-QEMU", matrix.Upgrade,
		"Once the emulator alone is upgraded, the daemon that runs on starts guests with it, and moves a guest from before to it by save and restore",
		sabotage.Guest(l2.ForgetWord), emulatorAlone)
	register("U-LIBVIRT", matrix.Upgrade,
		"Once libvirt alone is upgraded, the new daemon takes a running guest over and starts others with the emulator from before",
		forgetful, libvirtAlone)
}

func emulatorAlone(t *steps.T) {
	g, file := started(t), t.Scratch("saved")
	pulse := g.Feel()
	t.HoldServices()
	t.Update(matrix.QEMU)
	g.ExpectUndisturbed(pulse)
	_, fresh := t.Started()
	t.Expect(emulatorOf(t, fresh)).To(Equal(t.Program(layout.Emulator)), "program of the emulator of a new guest")

	g.Domain.Save(file)
	t.Connection().Restore(file)
	g.WaitReady()
	g.ExpectGoesOn(pulse.Mark)
	t.Expect(emulatorOf(t, g)).To(Equal(t.Program(layout.Emulator)), "program of the restored guest's emulator")
}

func libvirtAlone(t *steps.T) {
	g := started(t)
	pulse := g.Feel()
	t.HoldServices()
	t.Update(matrix.Libvirt)
	t.RestartLibvirt(syscall.SIGTERM)
	g.ExpectUndisturbed(pulse)
	t.Expect(g.Domain.Again().State()).To(Equal(libvirt.DOMAIN_RUNNING), "state of the guest")
	_, fresh := t.Started()
	t.Expect(emulatorOf(t, fresh)).To(Equal(t.Program(layout.Emulator)), "program of the emulator of a new guest")
}

// emulatorOf is the program that a guest's emulator runs, as the kernel tells it: the one
// from before has been deleted.
func emulatorOf(t *steps.T, g *steps.Guest) string {
	return t.Sh("readlink /proc/" + g.Emulators() + "/exe")
}
