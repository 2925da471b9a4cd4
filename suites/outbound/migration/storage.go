package migration

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// diskBytes is the size of the disk that goes over.
const diskBytes = 4 << 20

var _ = check.Register("O-MIG-STO", check.Spec{
	Asserts:  "The content of a disk that the hosts do not share goes over with the guest, and what it writes then is written there alone",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "6.8.0")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU, "disk"),
	Hosts:    matrix.Hosts{Count: 2},
	Control:  forgetful,
}, func(t *steps.T) {
	image := t.DiskImage("disk", diskBytes)
	t.On(1).DiskImage("disk", diskBytes)
	movesDisk(t, image, "raw", libvirt.MIGRATE_NON_SHARED_DISK)
	t.Expect(t.On(1).ReadFile(image, 0, len(early))).To(Equal(early), "what was written before, in the image there")
	t.Expect(t.On(1).ReadFile(image, lateAt, len(late))).To(Equal(late), "what was written after, in the image there")
	t.Expect(t.Sh("grep -c "+late+" "+image+" || true")).To(Equal("0"), "lines of the image here that were written after")
})

var _ = check.Register("O-MIG-INC", check.Spec{
	Asserts:  "Of a disk above a base that both hosts have, what is above goes over, and the base stays as it was",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "6.8.0")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU, "disk"),
	Hosts:    matrix.Hosts{Count: 2},
	Control:  forgetful,
}, func(t *steps.T) {
	base, image := t.Scratch("base.img"), t.Scratch("above.qcow2")
	const filled = "yes base | head -c 4M"
	for _, h := range []*steps.T{t, t.On(1)} {
		h.RemoveAfter(base)
		h.RemoveAfter(image)
		h.Sh(filled + " > " + base + " && qemu-img create -q -f qcow2 -F raw -b " + base + " " + image)
	}
	movesDisk(t, image, "qcow2", libvirt.MIGRATE_NON_SHARED_INC)
	for _, h := range []*steps.T{t, t.On(1)} {
		h.Expect(h.Run(filled+" | cmp - "+base).OK()).To(BeTrue(), "the base, which stays as it was")
	}
})

// What the guest writes before and after, and where.
const (
	early  = "written-before-it-moved"
	late   = "written-after-it-moved"
	lateAt = 1 << 20
)

// movesDisk moves a guest with its disk, which reads there what it wrote here.
func movesDisk(t *steps.T, image, format string, flag libvirt.DomainMigrateFlags) {
	d, g := t.Started(domain.WithDisk(image, format))
	disk, mark := t.Settings().DiskName, g.Mark()
	g.WriteAt(disk, 0, early)
	moved := d.MigrateTo(t.On(1), libvirt.MIGRATE_LIVE|libvirt.MIGRATE_PEER2PEER|flag, steps.WithDisks(t.On(1))).Guest()
	moved.ExpectGoesOn(mark)
	t.Expect(moved.ReadAt(disk, 0, len(early))).To(Equal(early), "what the guest wrote before it moved")
	moved.WriteAt(disk, lateAt, late)
	t.Expect(moved.ReadAt(disk, lateAt, len(late))).To(Equal(late), "what the guest wrote after it moved")
	d.ExpectOff(libvirt.DOMAIN_SHUTOFF_MIGRATED)
	moved.Domain.Destroy()
}

// forgetful has the target lose the start of the images that it has.
var forgetful = sabotage.CommandOn("a target that loses what its images begin with", func(t *steps.T) string {
	t.On(1).Sh("(while :; do for f in " + host.ScratchDir + "/O-MIG-*.img; do dd if=/dev/zero of=$f bs=64 count=1 conv=notrunc,nocreat; done; sleep 0.1; done) >/dev/null 2>&1 &")
	return "true"
})
