package disks

import (
	"fmt"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

var _ = check.Register("O-BLK-STAT", check.Spec{
	Asserts:  "What a guest reads and writes is counted for its disk and for all of them, the same by the API and by virsh",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "0.9.10")},
	Depends:  stack,
	Control:  sabotage.Refuse("virDomainGetDiskErrors", libvirt.ERR_INTERNAL_ERROR, libvirt.FROM_QEMU),
}, func(t *steps.T) {
	d, g := t.Started(disk("vdb", t.DiskImage("counted", size), "raw"), disk("vdc", t.DiskImage("idle", size), "raw"))
	seen, _ := g.Disk("vdb")
	before, idle := d.BlockStats("vdb"), d.BlockStats("vdc")
	g.WriteAt(seen.Name, mib, word)
	g.ReadAt(seen.Name, 2*mib, 512)
	after := d.BlockStats("vdb")
	t.Expect(after.WrBytes-before.WrBytes).To(And(BeNumerically(">=", 512), BeNumerically("<=", mib)), "bytes that a write took")
	t.Expect(after.RdBytes-before.RdBytes).To(And(BeNumerically(">=", 512), BeNumerically("<=", mib)), "bytes that a read took")
	t.Expect([]int64{after.WrReq - before.WrReq, after.RdReq - before.RdReq, after.FlushReq - before.FlushReq}).To(HaveEach(BeNumerically(">", 0)), "writes, reads and flushes")
	t.Expect(*d.BlockStats("vdc")).To(Equal(*idle), "statistics of the disk that the guest left alone")
	t.Expect(d.BlockStats("").WrBytes).To(Equal(after.WrBytes+idle.WrBytes), "bytes written to all disks")
	t.Expect(t.VirshSays("domblkstat " + d.Name + " vdb")).To(ContainSubstring(fmt.Sprintf("vdb wr_bytes %d", after.WrBytes)))
	t.Expect(t.VirshSays("domblkinfo " + d.Name + " vdb")).To(MatchRegexp(`Capacity: +%d\n`, size))
	t.Expect(t.VirshSays("domblkerror " + d.Name)).To(Equal("No errors found"))
	t.Expect(d.DiskErrors()).To(BeEmpty())

	t.Refuses("ask for statistics of a disk that is not there", libvirt.ERR_INVALID_ARG, func() error { _, err := d.Raw.BlockStatsFlags("vdx", 0); return err })
	d.Destroy()
	t.Refuses("ask for statistics of a domain that is off", libvirt.ERR_OPERATION_INVALID, func() error { _, err := d.Raw.BlockStatsFlags("vdb", 0); return err })
	t.Refuses("ask for disk errors of a domain that is off", libvirt.ERR_OPERATION_INVALID, func() error { _, err := d.Raw.GetDiskErrors(0); return err })
	t.Expect(d.BlockInfo("vdb").Capacity).To(BeNumerically("==", size), "capacity of a disk of a domain that is off")
})

var _ = check.Register("O-BLK-FULL", check.Spec{
	Asserts:  "A guest whose disk finds no room on the host is paused for that, says so, and ends its write once there is room and it is resumed",
	Requires: kvm("0.9.10"),
	Depends:  stack,
	Control:  sabotage.Alter("virDomainGetDiskErrors", "vdb", "vdc"),
}, func(t *steps.T) {
	folder := smallFolder(t)
	image, filler := folder+"/O-BLK-FULL.img", folder+"/O-BLK-FULL.filler"
	t.RemoveAfter(image)
	t.RemoveAfter(filler)
	t.Sh(fmt.Sprintf("truncate -s %d %s", size, image))
	d, g := t.Started(disk("vdb", image, "raw"))
	seen, _ := g.Disk("vdb")
	mark := g.Mark()
	t.Sh("dd if=/dev/zero of=" + filler + " bs=64k status=none 2>/dev/null; test -s " + filler)
	wait := g.WriteLater(seen.Name, mib, word)
	d.WaitFor(libvirt.DOMAIN_PAUSED)
	_, reason := d.StateReason()
	t.Expect(libvirt.DomainPausedReason(reason)).To(Equal(libvirt.DOMAIN_PAUSED_IOERROR), "reason for being paused")
	t.Expect(d.DiskErrors()).To(Equal([]libvirt.DomainDiskError{{Disk: "vdb", Error: libvirt.DOMAIN_DISK_ERROR_NO_SPACE}}))
	t.Expect(t.VirshSays("domblkerror " + d.Name)).To(Equal("vdb: no space"))
	t.Sh("rm " + filler)
	d.Resume()
	wait()
	g.ExpectGoesOn(mark)
	t.Expect(t.ReadFile(image, mib, len(word))).To(Equal(word), "what the image holds")
})

// smallFolder is a folder on a file system that is soon full: Docker gives a container
// one of 64 MiB.
func smallFolder(t *steps.T) string {
	if t.Contained() {
		return "/dev/shm"
	}
	folder := t.Scratch("small")
	t.Sh("mkdir " + folder + " && mount -t tmpfs -o size=16m,mode=1777 tmpfs " + folder)
	t.Cleanup(func() { t.Sh("umount -l " + folder) })
	return folder
}
