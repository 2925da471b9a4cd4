package blockjobs

import (
	"fmt"
	"time"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// A disk has one job at a time; who comes beside it is refused, whatever comes between.
var _ = check.Register("O-CONC-JOB", check.Spec{
	Asserts:  "A disk whose snapshots, pulls and ends of jobs clients ask for at once has one job at a time, and in the end all of its content",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "1.2.8")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU),
	Control:  sabotage.Refuse("virDomainSnapshotCreateXML", libvirt.ERR_OPERATION_INVALID, libvirt.FROM_QEMU),
}, func(t *steps.T) {
	const turns = 8
	g, _, _, _ := chained(t)
	d, disk := g.Domain, t.Settings().DiskName
	may := []libvirt.ErrorNumber{libvirt.ERR_OPERATION_INVALID, libvirt.ERR_OPERATION_UNSUPPORTED, libvirt.ERR_OPERATION_FAILED, libvirt.ERR_INTERNAL_ERROR}
	var xmls []string
	for i := range turns {
		xmls = append(xmls, t.DescribeSnapshot(fmt.Sprintf("moment%d", i), steps.External(disk, t.Scratch(fmt.Sprintf("over%d", i)))))
	}
	snapshots := d.Racers(1, "snapshot the disk", func(own *libvirt.Domain, i int) error {
		s, err := own.CreateSnapshotXML(xmls[i], libvirt.DOMAIN_SNAPSHOT_CREATE_DISK_ONLY|libvirt.DOMAIN_SNAPSHOT_CREATE_NO_METADATA)
		if err == nil {
			_ = s.Free()
		}
		return err
	}, may...)
	pulls := d.Racers(1, "pull all into the disk", func(own *libvirt.Domain, _ int) error { return own.BlockPull(disk, 0, 0) }, may...)
	ends := d.Racers(1, "end the disk's job", func(own *libvirt.Domain, _ int) error { return own.BlockJobAbort(disk, 0) }, append(may, libvirt.ERR_INVALID_ARG)...)
	asks := d.Racers(1, "ask for the disk's job", func(own *libvirt.Domain, _ int) error { _, err := own.GetBlockJobInfo(disk, 0); return err })
	t.Race(turns, append(snapshots, pulls...), append(ends, asks...)...)
	t.Expect(steps.Done(snapshots...)).To(BeNumerically(">", 0), "snapshots that were made")
	t.Until(time.Minute, "the disk has no job", func() bool { return d.BlockJob(disk).Type == libvirt.DOMAIN_BLOCK_JOB_TYPE_UNKNOWN })
	chain := d.DiskChain(disk)
	t.Note("the disk's images are %d", len(chain))
	expectAll(t, g, chain[0])
	t.Expect(t.Chain(chain[0])).To(Equal(chain), "images as their heads name them, beside those of the XML")
	d.Destroy()
	for _, image := range chain {
		t.Sh(t.QEMUImg() + " check -q " + image)
	}
	d.Start()
	guestHasAll(t, d.Guest())
})
