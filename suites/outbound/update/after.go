package update

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

const (
	serial = "hotplugged"
	word   = "written by the guest"
	mib    = 1 << 20
)

func init() {
	register("U-AFTER", matrix.Upgrade,
		"A guest from before an upgrade is all that others are to the new daemon: paused, plugged, saved, restored and shut down",
		sabotage.Swallow("virDomainAttachDeviceFlags"), after)
	register("U-SAVED", matrix.Upgrade,
		"A guest that was saved for its next start before an upgrade goes on from there after it, with its memory and disk",
		sabotage.Guest(l2.ForgetWord), saved)
	register("U-JOB", matrix.Upgrade,
		"A disk's copy that is under way goes through an upgrade and the daemon's new start, and the guest can move to it",
		sabotage.Swallow("virDomainBlockJobAbort"), copies)
}

func after(t *steps.T) {
	image, file := t.DiskImage("plugged", 4*mib), t.Scratch("saved")
	g := started(t, domain.WithRootPorts(4))
	mark := g.Mark()
	d := updated(t, g)
	g.WaitReady() // on a console that is opened anew
	d.Suspend()
	t.Expect(d.State()).To(Equal(libvirt.DOMAIN_PAUSED))
	d.Resume()
	g.ExpectGoesOn(mark)

	disk := domain.NewDisk(image, "raw", domain.At("vdz", "virtio"), domain.Serial(serial))
	d.Attach(disk)
	g.WriteAt(g.WaitDisk(serial, steps.PlugLimit).Name, mib, word)
	t.Expect(t.ReadFile(image, mib, len(word))).To(Equal(word), "what the image holds where the guest wrote")
	d.Detach(disk)
	g.WaitNoDisk(serial, steps.PlugLimit)
	t.Until(steps.PlugLimit, "the disk is gone from the domain's XML", func() bool { return !d.Has(serial) })

	d.Save(file)
	t.Connection().Restore(file)
	g.WaitReady()
	g.ExpectGoesOn(mark)
	d.Shutdown(libvirt.DOMAIN_SHUTDOWN_ACPI_POWER_BTN)
	d.WaitFor(libvirt.DOMAIN_SHUTOFF)
	d.ExpectOff(libvirt.DOMAIN_SHUTOFF_SHUTDOWN)
}

func saved(t *steps.T) {
	disk := t.Settings().DiskName
	g := started(t, domain.WithDisk(t.DiskImage("disk", mib), "raw"))
	g.WriteAt(disk, 0, word)
	mark := g.Mark()
	g.Domain.ManagedSave()
	d := updated(t, g)
	t.Expect(d.HasManagedSave()).To(BeTrue(), "there is what was saved before the upgrade")
	d.Start()
	g.WaitReady()
	g.ExpectGoesOn(mark)
	t.Expect(g.ReadAt(disk, 0, len(word))).To(Equal(word), "what the guest reads of its disk")
}

func copies(t *steps.T) {
	image, moved, disk := t.NoisyQCOW2("disk", steps.SharedDiskBytes), t.Scratch("moved"), t.Settings().DiskName
	g := started(t, domain.WithDisk(image, "qcow2"))
	g.Domain.CopyDisk(disk, domain.NewDisk(moved, "qcow2"), 0)
	g.Domain.WaitBlockJobReady(disk)
	pulse := g.Feel()
	d := updated(t, g)
	g.ExpectUndisturbed(pulse)
	t.Expect(d.BlockJob(disk).Type).To(Equal(libvirt.DOMAIN_BLOCK_JOB_TYPE_COPY), "the job of the disk after the upgrade")
	g.WriteAt(disk, mib, word)
	d.WaitBlockJobReady(disk)
	d.EndBlockJob(disk, libvirt.DOMAIN_BLOCK_JOB_ABORT_PIVOT)
	d.WaitDiskChain(disk, moved)
	t.Expect(t.TextAt(moved, mib, len(word))).To(Equal(word), "what the copy holds where the guest wrote")
	g.ExpectGoesOn(pulse.Mark)
}
