package blockjobs

import (
	"fmt"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/internal/layout"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// holeDisk is how large a disk is of which holeData are written, both in bytes; a copy may take
// holeSlack more of the host's disk, for its tables and whole clusters.
const (
	holeDisk  = 64 * mib
	holeData  = 1 * mib
	holeSlack = 2 * mib
)

var _ = check.Register("O-HOLES", check.Spec{
	Asserts:  "What was never written of a disk takes no room of the host's disk either once the disk is copied, backed up, cloned or flattened",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "7.0")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU),
	Control:  sabotage.Wrap(layout.QEMUImg, "a qemu-img that writes zeros", `case "$1" in convert) shift; exec $REAL convert -S 0 "$@";; esac; exec $REAL "$@"`),
}, func(t *steps.T) {
	disk, full := t.Settings().DiskName, []string{}
	thin := func(what, file string) {
		if used := t.SizeOnDisk(file); used > holeData+holeSlack {
			full = append(full, fmt.Sprintf("%s: %d MiB", what, used/mib))
		}
	}
	for _, format := range []string{"raw", "qcow2"} {
		image := t.NewImage("thin-"+format, format, holeDisk)
		t.Sh(fmt.Sprintf("%s -f %s -c 'write -P 120 %d %d' %s && chmod 600 %s", t.Program("qemu-io"), format, 8*mib, holeData, image, image))
		thin("the "+format+" disk itself", image)
		d, g := t.Started(domain.WithDisk(image, format))
		for _, to := range []string{"raw", "qcow2"} {
			copied := t.Scratch("copy-" + format + "-" + to)
			d.CopyDisk(disk, domain.NewDisk(copied, to), 0)
			d.WaitBlockJobReady(disk)
			d.EndBlockJob(disk, 0)
			d.WaitDiskChain(disk, image)
			thin("the copy of a "+format+" disk as "+to, copied)
			t.ExpectSameContent(image, copied)
		}
		if t.AtLeast(matrix.Libvirt, "7.2") {
			backup := t.Scratch("backup-" + format)
			d.PushTo(disk, backup, "", "")
			thin("the backup of a "+format+" disk", backup)
			t.ExpectSameContent(image, backup)
		}
		d.Snapshot("over", libvirt.DOMAIN_SNAPSHOT_CREATE_DISK_ONLY|libvirt.DOMAIN_SNAPSHOT_CREATE_NO_METADATA, steps.External(disk, t.Scratch("over-"+format)))
		g.WriteAt(disk, 0, one)
		t.Do("pull disk", func() error { return d.Raw.BlockPull(disk, 0, 0) })
		d.WaitDiskChain(disk, t.Scratch("over-"+format))
		thin("what a "+format+" disk was pulled into", t.Scratch("over-"+format))
		d.Destroy()
		d.Undefine()

		folder := t.Scratch("pool-" + format)
		t.Sh("mkdir " + folder)
		p := t.DefinePoolAt(folder)
		t.Sh("cp --sparse=always " + image + " " + p.Path + "/from")
		p.Refresh()
		for _, to := range []string{"raw", "qcow2"} {
			cloned := p.Create("clone-"+to, to, holeDisk, p.Volume("from"))
			thin("the clone of a "+format+" volume as "+to, cloned.Path)
		}
	}
	t.Expect(full).To(BeEmpty(), "what takes more of the host's disk than the %d MiB that were written", holeData/mib)
})
