package blockjobs

import (
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/internal/layout"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// noBackup says that the check is over: on Xen, and with a libvirt that has the call
// and does not trust the emulator with it yet (before 7.2). There it is refused.
func noBackup(t *steps.T) bool {
	begin := func(d *libvirt.Domain) error { return d.BackupBegin("<domainbackup/>", "", 0) }
	if t.Kind() == matrix.KVM && !t.AtLeast(matrix.Libvirt, "7.2") {
		d := t.Create()
		t.Refuses("begin backup", libvirt.ERR_OPERATION_UNSUPPORTED, func() error { return begin(d.Raw) })
		return true
	}
	return t.XenDomainLacks("begin backup", begin)
}

// noCheckpoints says that the check is over: libvirt announces that it does no incremental
// backups with this emulator, as those of 7.2 and later do with qemu 5.2, and refuses one. It
// is believed of no emulator that was seen to do them (7.2).
func noCheckpoints(t *steps.T, d *steps.Domain, image string) bool {
	if t.AtLeast(matrix.QEMU, "7.2") || !strings.Contains(t.VirshSays("domcapabilities"), "<backup supported='no'/>") {
		return false
	}
	t.Refuses("begin a backup with a checkpoint", libvirt.ERR_OPERATION_UNSUPPORTED, func() error {
		return d.TryBackup(steps.Push(t.Settings().DiskName, image, ""), "c1")
	})
	t.Expect(d.Checkpoints()).To(BeEmpty(), "checkpoints after the refusal")
	return true
}

var _ = check.Register("O-BKP-FULL", check.Spec{
	Asserts:  "Backups of a running guest's disk, written by libvirt or read from it, hold what the disk held as they began",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "6.0.0")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU, matrix.XenHyp, "disk"),
	Control:  sabotage.Swallow("virDomainBackupBegin"),
}, func(t *steps.T) {
	if noBackup(t) {
		return
	}
	image, disk, pushed, scratch := t.NoisyQCOW2("disk", steps.SharedDiskBytes), t.Settings().DiskName, t.Scratch("pushed"), t.Scratch("scratch")
	d, g := t.Started(domain.WithDisk(image, "qcow2"))
	g.WriteAt(disk, 0, one)
	d.PushTo(disk, pushed, "", "")
	t.ExpectSameContent(image, pushed)

	socket, url := t.NBDSocket("export", disk)
	d.Backup(steps.Pull(disk, socket, scratch), "")
	g.WriteAt(disk, 0, two)
	t.Expect(t.TextAt(url, 0, len(one))).To(Equal(one), "what the export holds after the guest wrote on")
	t.Expect(t.VirshSays("backup-dumpxml " + d.Name)).To(ContainSubstring(socket))
	t.VirshSays("domjobabort " + d.Name)
	d.WaitBackup()
	t.Expect(t.Exists(scratch)).To(BeFalse(), "the scratch image of a backup that is over")
	t.Expect(g.ReadAt(disk, 0, len(two))).To(Equal(two), "what the guest reads after the backup")
	t.Expect(t.TextAt(pushed, 0, len(one))).To(Equal(one), "the backup that libvirt wrote")
})

var _ = check.Register("O-BKP-INC", check.Spec{
	Asserts:  "An incremental backup holds what was written since its checkpoint and no more, also over checkpoints that are deleted",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "6.0.0")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU, matrix.XenHyp, "disk"),
	Control:  sabotage.Swallow("virDomainCheckpointDelete"),
}, func(t *steps.T) {
	if noBackup(t) {
		return
	}
	image, disk := t.QCOW2("disk", one), t.Settings().DiskName
	full, first, last := t.Scratch("full"), t.Scratch("first"), t.Scratch("last")
	d, g := t.Started(domain.WithDisk(image, "qcow2"))
	if noCheckpoints(t, d, full) {
		return
	}
	d.PushTo(disk, full, "", "c1")
	g.WriteAt(disk, mib, two)
	d.PushTo(disk, first, "c1", "c2")
	g.WriteAt(disk, 2*mib, three)
	t.Expect(alone(t, first, 0, mib, 2*mib)).To(Equal([]string{"", two, ""}), "what the increment holds alone")
	ontop(t, first, full)
	t.Expect(heldAt(t, first, 0, mib, 2*mib)).To(Equal([]string{one, two, ""}), "what the increment holds on top of the full backup")

	t.Expect(d.Checkpoints()).To(Equal([]string{"c1", "c2"}))
	t.Expect(strings.Fields(t.VirshSays("checkpoint-list --tree " + d.Name))).To(Equal([]string{"c1", "|", "+-", "c2"}))
	t.VirshSays("checkpoint-create-as " + d.Name + " c3")
	g.WriteAt(disk, 3*mib, three)
	// What was written between the second and the third counts for the second from now on.
	t.Do("delete checkpoint", func() error { return d.TryDeleteCheckpoint("c3", 0) })
	t.Expect(d.Checkpoints()).To(Equal([]string{"c1", "c2"}))
	d.PushTo(disk, last, "c2", "")
	t.Expect(alone(t, last, mib, 2*mib, 3*mib)).To(Equal([]string{"", three, three}), "what the last increment holds alone")
	ontop(t, last, first)
	t.ExpectSameContent(image, last)
})

// heldAt is what an image holds at each place, "" for nothing.
func heldAt(t *steps.T, image string, places ...int64) (texts []string) {
	for _, at := range places {
		texts = append(texts, strings.Trim(t.TextAt(image, at, len(one)), "\x00"))
	}
	return texts
}

// alone is what an increment holds at each place by itself: its backing image is the
// guest's disk (qemuBackupDiskPrepareDataOne), which has gone on since.
func alone(t *steps.T, image string, places ...int64) []string {
	t.Note("the backing images of %s are %q", image, t.Chain(image)[1:])
	t.Sh(t.Program(layout.QEMUImg) + " rebase -u -f qcow2 -b '' " + image)
	return heldAt(t, image, places...)
}

// ontop puts an increment on top of the backup before it.
func ontop(t *steps.T, image, base string) {
	t.Sh(t.Program(layout.QEMUImg) + " rebase -u -f qcow2 -F qcow2 -b " + base + " " + image)
}

// A bitmap is written to the image when an emulator ends, and not when it is killed.
var _ = check.Register("O-BKP-KILL", check.Spec{
	Asserts:  "After the emulator was killed an incremental backup is right or refused, and checkpoints can be deleted and begun anew",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "7.2.0")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU),
	Control:  sabotage.Swallow("virDomainCheckpointDelete"),
}, func(t *steps.T) {
	image, disk := t.QCOW2("disk", one), t.Settings().DiskName
	full, broken, again, since := t.Scratch("full"), t.Scratch("broken"), t.Scratch("again"), t.Scratch("since")
	d, g := t.Started(domain.WithDisk(image, "qcow2"))
	if noCheckpoints(t, d, full) {
		return
	}
	d.PushTo(disk, full, "", "c1")
	g.WriteAt(disk, mib, two)
	d.Kill()
	d.WaitFor(libvirt.DOMAIN_SHUTOFF)
	d.Start()
	g.WaitReady()
	g.WriteAt(disk, 2*mib, three)
	if err := d.TryBackup(steps.Push(disk, broken, "c1"), "c2"); err != nil {
		t.Note("an incremental backup is refused: %s", steps.Text(err))
		t.Expect(steps.Code(err)).NotTo(Equal(libvirt.ERR_INTERNAL_ERROR), "what refuses the incremental backup: %s", steps.Text(err))
		t.Expect(d.Checkpoints()).To(Equal([]string{"c1"}), "checkpoints after the refusal")
	} else if d.WaitBackup() {
		ontop(t, broken, full)
		t.ExpectSameContent(image, broken)
	}
	for _, name := range d.Checkpoints() {
		if err := d.TryDeleteCheckpoint(name, 0); err != nil {
			t.Note("checkpoint %s is deleted with its metadata only: %s", name, steps.Text(err))
			t.Do("delete metadata of checkpoint", func() error { return d.TryDeleteCheckpoint(name, libvirt.DOMAIN_CHECKPOINT_DELETE_METADATA_ONLY) })
		}
	}
	t.Expect(d.Checkpoints()).To(BeEmpty())
	d.PushTo(disk, again, "", "c4")
	g.WriteAt(disk, 3*mib, two)
	d.PushTo(disk, since, "c4", "")
	ontop(t, since, again)
	t.ExpectSameContent(image, since)
})
