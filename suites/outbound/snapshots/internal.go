// Package snapshots holds the checks of states of a domain that are kept to go back to.
package snapshots

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/internal/layout"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"
)

// What guests write, one over the other: the words are equally long.
const (
	one   = "word one"
	two   = "word two"
	three = "word six"
)

// create is any snapshot, for drivers that have none.
func create(d *libvirt.Domain) error {
	_, err := d.CreateSnapshotXML("<domainsnapshot/>", 0)
	return err
}

// withBIOS gives a guest a BIOS, whatever the cell's firmware: the variables of UEFI are raw,
// and cannot be kept in an internal snapshot.
func withBIOS(d *libvirtxml.Domain) { d.OS.Loader, d.OS.NVRam = nil, nil }

// second is the name of a guest's second disk.
func second(t *steps.T) string { return t.Settings().DiskName[:2] + "b" }

var _ = check.Register("O-SNAP-INT", check.Spec{
	Asserts:  "A guest reverted to an internal snapshot has the memory and the disk of that moment, and goes on",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "0.8.0")},
	Control:  sabotage.Swallow("virDomainRevertToSnapshot"),
}, func(t *steps.T) {
	if t.XenDomainLacks("create snapshot", create) {
		return
	}
	image, disk := t.QCOW2("disk", ""), t.Settings().DiskName
	d, g := t.Started(domain.WithDisk(image, "qcow2"))
	if t.Settings().NVRAM {
		t.Refuses("create internal snapshot of a guest with UEFI", libvirt.ERR_OPERATION_UNSUPPORTED, func() error { return create(d.Raw) })
		return
	}
	g.WriteAt(disk, 0, one)
	mark := g.Mark()
	s := d.Snapshot("moment", 0)
	t.Expect(s.IsCurrent()).To(BeTrue(), "the snapshot is current")
	t.Expect(snapshotsIn(t, image)).To(ContainSubstring("moment"), "snapshots in the image")
	g.ExpectGoesOn(mark)
	g.WriteAt(disk, 0, two)
	g.PutMemory(two)
	s.Revert(0)
	g.WaitReady()
	t.Expect(g.ReadAt(disk, 0, len(one))).To(Equal(one), "what the guest reads after it went back")
	g.ExpectGoesOn(mark)

	t.VirshSays("snapshot-delete " + d.Name + " moment")
	t.Expect(d.Snapshots(0)).To(BeEmpty())
	t.Expect(snapshotsIn(t, image)).To(BeEmpty(), "snapshots in the image after they were deleted")
	g.ExpectGoesOn(mark)
})

// snapshotsIn is what qemu-img says of the snapshots in an image.
func snapshotsIn(t *steps.T, image string) string {
	return t.Sh(t.Program(layout.QEMUImg) + " snapshot -U -l " + image)
}

var _ = check.Register("O-SNAP-OFF", check.Spec{
	Asserts:  "A domain that is off goes back to its snapshot, and starts with the disk of that moment",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "0.8.0")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU, matrix.XenHyp, "disk", "firmware"),
	Control:  sabotage.Swallow("virDomainRevertToSnapshot"),
}, func(t *steps.T) {
	if t.XenDomainLacks("create snapshot", create) {
		return
	}
	image, disk := t.QCOW2("disk", one), t.Settings().DiskName
	d := t.Define(withBIOS, domain.WithDisk(image, "qcow2"))
	s := d.Snapshot("moment", 0, steps.Internal(disk))
	d.Start()
	g := d.Guest()
	g.WriteAt(disk, 0, two)
	d.Destroy()
	s.Revert(0)
	t.Expect(d.State()).To(Equal(libvirt.DOMAIN_SHUTOFF))
	d.Start()
	g.WaitReady()
	t.Expect(g.ReadAt(disk, 0, len(one))).To(Equal(one), "what the guest reads of the disk that went back")
	d.Destroy()
	s.Delete(0)
	t.Sh(t.Program(layout.QEMUImg) + " check -q " + image)
})
