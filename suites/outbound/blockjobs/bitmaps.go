package blockjobs

import (
	"syscall"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// A checkpoint is a bitmap in each image of the disk, which a commit has to bring along
// (qemuBlockBitmapsHandleCommitFinish, src/qemu/qemu_block.c).
var _ = check.Register("O-BKP-OVER", check.Spec{
	Asserts:  "Incremental backups hold all that was written since their checkpoint over a snapshot of the disk, a new start, and its commit into the base",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "7.2.0")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU, "disk"),
	Control:  sabotage.Swallow("virDomainBlockJobAbort"),
}, func(t *steps.T) {
	base, disk, over := t.QCOW2("disk", one), t.Settings().DiskName, t.Scratch("over")
	full, first, second, last := t.Scratch("full"), t.Scratch("first"), t.Scratch("second"), t.Scratch("last")
	d, g := t.Started(domain.WithDisk(base, "qcow2"))
	if noCheckpoints(t, d, full) {
		return
	}
	d.PushTo(disk, full, "", "c1")
	g.WriteAt(disk, mib, two)
	d.Snapshot("moment", libvirt.DOMAIN_SNAPSHOT_CREATE_DISK_ONLY|libvirt.DOMAIN_SNAPSHOT_CREATE_NO_METADATA, steps.External(disk, over))
	g.WriteAt(disk, 2*mib, three)
	d.PushTo(disk, first, "c1", "c2")
	t.Expect(alone(t, first, 0, mib, 2*mib)).To(Equal([]string{"", two, three}), "what the increment over a snapshot holds alone")

	d.Destroy()
	d.Start() // the bitmaps come from the images
	g.WaitReady()
	g.WriteAt(disk, 3*mib, two)
	d.PushTo(disk, second, "c2", "c3")
	t.Expect(alone(t, second, 0, mib, 2*mib, 3*mib)).To(Equal([]string{"", "", "", two}), "what the increment over a new start holds alone")

	g.WriteAt(disk, 0, three)
	t.Do("commit the active image", func() error { return d.Raw.BlockCommit(disk, "", "", 0, libvirt.DOMAIN_BLOCK_COMMIT_ACTIVE) })
	d.WaitBlockJobReady(disk)
	d.EndBlockJob(disk, libvirt.DOMAIN_BLOCK_JOB_ABORT_PIVOT)
	d.WaitDiskChain(disk, base)
	g.WriteAt(disk, 2*mib, one)
	d.PushTo(disk, last, "c3", "")
	for i, image := range []string{first, second, last} {
		ontop(t, image, []string{full, first, second}[i])
	}
	t.ExpectSameContent(base, last)
})

// What a backup is of, its export and its scratch image outlive the daemon in the emulator.
var _ = check.Register("O-DAEMON-BKP", check.Spec{
	Asserts:  "A backup that is read while the daemon is killed is known to the next one, still holds its moment, ends, and has left its checkpoint",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "7.2.0")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU),
	Control:  sabotage.Swallow("virDomainAbortJob"),
}, func(t *steps.T) {
	image, disk, scratch, pushed := t.QCOW2("disk", one), t.Settings().DiskName, t.Scratch("scratch"), t.Scratch("pushed")
	d, g := t.Started(domain.WithDisk(image, "qcow2"))
	if noCheckpoints(t, d, pushed) {
		return
	}
	mark := g.Mark()
	socket, url := t.NBDSocket("export", disk)
	d.Backup(steps.Pull(disk, socket, scratch), "c1")
	g.WriteAt(disk, 0, two)
	t.RestartLibvirt(syscall.SIGKILL)
	d = d.Again()
	t.Expect(t.VirshSays("backup-dumpxml "+d.Name)).To(ContainSubstring(socket), "the backup that the next daemon has")
	t.Expect(t.TextAt(url, 0, len(one))).To(Equal(one), "what the export holds after the guest wrote on and the daemon was killed")
	t.Do("end backup", d.Raw.AbortJob)
	d.WaitBackup()
	t.Expect(t.Exists(scratch)).To(BeFalse(), "the scratch image of a backup that is over")
	t.Expect(d.Checkpoints()).To(Equal([]string{"c1"}))
	d.PushTo(disk, pushed, "c1", "")
	t.Expect(alone(t, pushed, 0, mib)).To(Equal([]string{two, ""}), "what the increment since then holds alone")
	g.ExpectGoesOn(mark)
})
