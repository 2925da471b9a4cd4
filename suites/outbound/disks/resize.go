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

var _ = check.Register("O-BLK-RESIZE", check.Spec{
	Asserts:  "A disk that grows while the guest runs is larger for the guest, which writes to its new end, and for all who ask",
	Requires: kvm("0.9.8"),
	Depends:  stack,
	Control:  sabotage.Swallow("virDomainBlockResize"),
}, func(t *steps.T) {
	paths := map[string]string{"vdb": t.NewImage("grows", "raw", size), "vdc": t.NewImage("grows", "qcow2", size)}
	d, g := t.Started(disk("vdb", paths["vdb"], "raw"), disk("vdc", paths["vdc"], "qcow2"))
	for dev, path := range paths {
		d.ResizeDisk(dev, 2*size)
		seen := g.WaitDiskSize(dev, 2*size)
		g.WriteAt(seen.Name, 2*size-512, word)
		t.Expect(d.BlockInfo(dev).Capacity).To(BeNumerically("==", 2*size), "capacity of %s", dev)
		t.Expect(t.ImageInfo(path).Bytes).To(BeNumerically("==", 2*size), "size in the image of %s", dev)
		t.VirshSays(fmt.Sprintf("blockresize %s %s %dB", d.Name, path, 3*size))
		g.WaitDiskSize(dev, 3*size)
		t.Expect(g.ReadAt(seen.Name, 2*size-512, len(word))).To(Equal(word), "what the guest wrote to %s before it grew on", dev)
	}
	extendsOnly(t, d, g)
	resize := func(dev string) func() error {
		return func() error { return d.Raw.BlockResize(dev, size, libvirt.DOMAIN_BLOCK_RESIZE_BYTES) }
	}
	t.Refuses("resize a disk that is not there", libvirt.ERR_INVALID_ARG, resize("vdx"))
	d.Destroy()
	t.Refuses("resize a disk of a domain that is off", libvirt.ERR_OPERATION_INVALID, resize("vdb"))
	t.Expect(t.ReadFile(paths["vdb"], 2*size-512, len(word))).To(Equal(word), "what the image holds")
})

// extendsOnly: who says that a disk is to grow is refused a smaller size.
func extendsOnly(t *steps.T, d *steps.Domain, g *steps.Guest) {
	if t.AtLeast(matrix.Libvirt, "12.3") {
		t.Expect(t.Virsh(fmt.Sprintf("blockresize --extend %s vdb %dB", d.Name, size)).Code).To(Equal(1), "status of virsh blockresize --extend to a smaller size")
		g.WaitDiskSize("vdb", 3*size)
	}
}

var _ = check.Register("O-BLK-SHRINK", check.Spec{
	Asserts:  "A raw disk that shrinks and grows while the guest runs keeps what is below its end and loses what was above, and sizes are told as they are",
	Requires: kvm("0.9.8"),
	Depends:  stack,
	Control:  sabotage.Swallow("virDomainBlockResize"),
}, func(t *steps.T) {
	full, sparse, qcow2 := t.DiskImage("full", size), t.DiskImage("sparse", size), t.NewImage("image", "qcow2", size)
	t.Sh(fmt.Sprintf("fallocate -l %d %s", size, full))
	defined := t.Define(disk("vdb", full, "raw"), disk("vdc", sparse, "raw"), disk("vdd", qcow2, "qcow2"))
	tellsSizes(t, defined)
	defined.Start()
	g := defined.Guest()
	tellsSizes(t, defined)
	seen, _ := g.Disk("vdb")
	g.WriteAt(seen.Name, 0, word)
	g.WriteAt(seen.Name, size-512, word)
	for _, bytes := range []int64{size / 2, size} {
		defined.ResizeDisk("vdb", uint64(bytes))
		g.WaitDiskSize("vdb", bytes)
		t.Expect(t.Sh("stat -c %s "+full)).To(Equal(fmt.Sprint(bytes)), "size of the file")
		t.Expect(g.ReadAt(seen.Name, 0, len(word))).To(Equal(word), "what is below the end of the disk")
	}
	t.Expect(g.ReadAt(seen.Name, size-512, len(word))).To(Equal(string(make([]byte, len(word)))), "what was cut off")
})

// tellsSizes asserts what libvirt tells of disks: the allocation of a running guest's
// image of qcow2 is where it was written last (virDomainGetBlockInfo).
func tellsSizes(t *steps.T, d *steps.Domain) {
	for dev, allocated := range map[string]uint64{"vdb": size, "vdc": 0, "vdd": 0} {
		info := d.BlockInfo(dev)
		t.Expect(info.Capacity).To(BeNumerically("==", size), "capacity of %s", dev)
		t.Expect(info.Allocation).To(And(BeNumerically(">=", allocated), BeNumerically("<=", allocated+512*kib)), "allocation of %s", dev)
		if dev != "vdd" {
			t.Expect(info.Physical).To(BeNumerically("==", size), "physical size of %s", dev)
		}
	}
}
