package snapshots

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

const diskOnly = libvirt.DOMAIN_SNAPSHOT_CREATE_DISK_ONLY | libvirt.DOMAIN_SNAPSHOT_CREATE_ATOMIC

var _ = check.Register("O-SNAP-EXT", check.Spec{
	Asserts:  "External snapshots of a running guest's disk put an image on top: each holds what was written while it was",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "0.10.0")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU, matrix.XenHyp, "disk", "security"),
	Control:  sabotage.Alter("virDomainGetXMLDesc", "O-SNAP-EXT-over", "O-SNAP-EXT-other"),
}, func(t *steps.T) {
	if t.XenDomainLacks("create snapshot", create) {
		return
	}
	base, other, disk := t.QCOW2("base", one), t.QCOW2("second", one), t.Settings().DiskName
	over, top := t.Scratch("over"), t.Scratch("top")
	d, g := t.Started(domain.WithDisk(base, "qcow2"), domain.WithDisk(other, "qcow2"))
	mark := g.Mark()
	d.Snapshot("moment", diskOnly, steps.External(disk, over), steps.Without(second(t)))
	kept := t.Sh("sha256sum " + base)
	d.WaitDiskChain(disk, over, base)
	g.WriteAt(disk, 0, two)
	t.VirshSays("snapshot-create-as " + d.Name + " later --disk-only --atomic --diskspec " + disk + ",file=" + top + " --diskspec " + second(t) + ",snapshot=no")
	d.WaitDiskChain(disk, top, over, base)
	d.WaitDiskChain(second(t), other)
	g.WriteAt(disk, 0, three)
	g.ExpectGoesOn(mark)
	t.Expect(g.ReadAt(disk, 0, len(three))).To(Equal(three), "what the guest reads")
	t.Expect([]string{t.TextAt(base, 0, len(one)), t.TextAt(over, 0, len(two)), t.TextAt(top, 0, len(three))}).To(
		Equal([]string{one, two, three}), "what the images hold, from the base on")
	t.Expect(d.Dump(libvirt.DOMAIN_XML_INACTIVE)).To(ContainSubstring(top), "what the next start takes")
	d.Destroy()
	t.Expect(t.Sh("sha256sum "+base)).To(Equal(kept), "the base since the snapshot")
})

// The file of the memory is a saved image, which names the disks as they were.
var _ = check.Register("O-SNAP-MEM", check.Spec{
	Asserts:  "A guest whose memory and disk were kept in files of their own goes back to both",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "1.0.1")},
	Control:  sabotage.Guest(l2.ForgetWord),
}, func(t *steps.T) {
	if t.XenDomainLacks("create snapshot", create) {
		return
	}
	base, memory, over, disk := t.QCOW2("base", ""), t.Scratch("memory"), t.Scratch("over"), t.Settings().DiskName
	d, g := t.Started(domain.WithDisk(base, "qcow2"))
	g.WriteAt(disk, 0, one)
	mark := g.Mark()
	d.Snapshot("moment", libvirt.DOMAIN_SNAPSHOT_CREATE_LIVE, steps.MemoryIn(memory), steps.External(disk, over))
	d.WaitDiskChain(disk, over, base)
	g.ExpectGoesOn(mark)
	g.WriteAt(disk, 0, two)
	g.PutMemory(two)
	d.Destroy()
	t.Connection().Restore(memory)
	g.WaitReady()
	g.ExpectGoesOn(mark)
	t.Expect(g.ReadAt(disk, 0, len(one))).To(Equal(one), "what the guest reads after it went back")
	t.Expect(t.TextAt(over, 0, len(two))).To(Equal(two), "what was written later, and is not lost")
})

var _ = check.Register("O-SNAP-XMEM", check.Spec{
	Asserts:  "A guest goes back to the memory and disk of an external snapshot, from running and from off, and goes on when that is deleted with its files",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "9.9")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU, "disk", "security"),
	Control:  sabotage.Swallow("virDomainRevertToSnapshot"),
}, func(t *steps.T) {
	t.Sh("mkdir -p " + t.Scratch("images")) // where libvirt makes images of its own
	memory, disk := t.Scratch("images/memory"), t.Settings().DiskName
	d, g := t.Started(domain.WithDisk(t.QCOW2("images/base", ""), "qcow2"))
	g.WriteAt(disk, 0, one)
	mark := g.Mark()
	s := d.Snapshot("moment", libvirt.DOMAIN_SNAPSHOT_CREATE_LIVE, steps.MemoryIn(memory), steps.External(disk, t.Scratch("images/over")))
	for _, state := range []libvirt.DomainState{libvirt.DOMAIN_RUNNING, libvirt.DOMAIN_SHUTOFF} {
		g.WriteAt(disk, 0, two)
		g.PutMemory(two)
		if state == libvirt.DOMAIN_SHUTOFF {
			d.Destroy()
		}
		s.Revert(0)
		g.WaitReady()
		t.Expect(g.ReadAt(disk, 0, len(one))).To(Equal(one), "what the guest reads that went back, and was in state %d", state)
		g.ExpectGoesOn(mark)
	}
	s.Delete(0)
	t.Expect(d.Snapshots(0)).To(BeEmpty())
	t.Expect(t.Exists(memory)).To(BeFalse(), "the memory of the deleted snapshot is there")
	g.ExpectGoesOn(mark)
	t.Expect(g.ReadAt(disk, 0, len(one))).To(Equal(one), "what the guest reads after the snapshot was deleted")
})

var _ = check.Register("O-SNAP-XDEL", check.Spec{
	Asserts:  "External snapshots are deleted and reverted to, and where libvirt cannot yet, it refuses and changes nothing",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "0.9.5")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU, matrix.XenHyp, "disk", "security"),
	Control:  sabotage.Swallow("virDomainSnapshotDelete"),
}, func(t *steps.T) {
	if t.XenDomainLacks("create snapshot", create) {
		return
	}
	base, over, top, disk := t.QCOW2("base", one), t.Scratch("over"), t.Scratch("top"), t.Settings().DiskName
	d, g := t.Started(domain.WithDisk(base, "qcow2"))
	s := d.Snapshot("moment", diskOnly, steps.External(disk, over))
	g.WriteAt(disk, 0, two)
	deletes(t, d, s, over, base)
	t.Expect(g.ReadAt(disk, 0, len(two))).To(Equal(two), "what the guest reads after the snapshot was deleted")

	under := d.DiskChain(disk)
	s = d.Snapshot("later", diskOnly, steps.External(disk, top))
	g.WriteAt(disk, 0, three)
	reverted := two
	if t.AtLeast(matrix.Libvirt, "9.9") {
		s.Revert(libvirt.DOMAIN_SNAPSHOT_REVERT_RUNNING)
		g.WaitReady()
	} else {
		t.Refuses("revert to external snapshot", libvirt.ERR_CONFIG_UNSUPPORTED, func() error { return s.Raw.RevertToSnapshot(libvirt.DOMAIN_SNAPSHOT_REVERT_RUNNING) })
		reverted = three
		d.WaitDiskChain(disk, append([]string{top}, under...)...)
	}
	t.Expect(g.ReadAt(disk, 0, len(reverted))).To(Equal(reverted), "what the guest reads after the revert, if there is one")
	t.Expect(t.TextAt(under[0], 0, len(two))).To(Equal(two), "what the image holds that the snapshot kept")
})

// deletes has a snapshot deleted: its image goes into the base, and then away.
func deletes(t *steps.T, d *steps.Domain, s *steps.Snapshot, over, base string) {
	if t.AtLeast(matrix.Libvirt, "9.0") {
		s.Delete(0)
		d.WaitDiskChain(t.Settings().DiskName, base)
		t.Expect(t.Exists(over)).To(BeFalse(), "the image of the deleted snapshot is there")
		t.Expect(d.Snapshots(0)).To(BeEmpty())
		return
	}
	t.Refuses("delete external snapshot", libvirt.ERR_CONFIG_UNSUPPORTED, func() error { return s.Raw.Delete(0) })
	d.WaitDiskChain(t.Settings().DiskName, over, base)
	t.Expect(d.Snapshots(0)).To(Equal([]string{s.Name}))
	s.Delete(libvirt.DOMAIN_SNAPSHOT_DELETE_METADATA_ONLY)
}

var _ = check.Register("O-SNAP-MIX", check.Spec{
	Asserts:  "After internal and external snapshots of one disk, going back to the internal one is right or refused, and loses no image",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "0.10.0")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU),
	Control:  sabotage.Swallow("virDomainRevertToSnapshot"),
}, func(t *steps.T) {
	image, over, disk := t.QCOW2("disk", ""), t.Scratch("over"), t.Settings().DiskName
	d, g := t.Started(withBIOS, domain.WithDisk(image, "qcow2"))
	g.WriteAt(disk, 0, one)
	inside := d.Snapshot("inside", 0)
	g.WriteAt(disk, 0, two)
	d.Snapshot("outside", diskOnly, steps.External(disk, over))
	g.WriteAt(disk, 0, three)
	want := one
	if err := t.Try("revert to internal snapshot", func() error { return inside.Raw.RevertToSnapshot(0) }); err != nil {
		t.Note("the revert is refused: %s", steps.Text(err))
		t.Expect(steps.Code(err)).NotTo(Equal(libvirt.ERR_INTERNAL_ERROR), "what refuses the revert: %s", steps.Text(err))
		want = three
	}
	t.Expect(d.State()).To(Equal(libvirt.DOMAIN_RUNNING), "state after the revert, which was done or refused")
	g.WaitReady()
	t.Expect(g.ReadAt(disk, 0, len(want))).To(Equal(want), "what the guest reads")
	t.Expect(t.TextAt(over, 0, len(three))).To(Equal(three), "what the external snapshot's image holds")
	t.Expect(snapshotsIn(t, image)).To(ContainSubstring("inside"), "snapshots in the base")
	t.Expect(d.Snapshots(0)).To(Equal([]string{"inside", "outside"}))
})
