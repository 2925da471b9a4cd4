package blockjobs

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

var _ = check.Register("O-BLK-COPY", check.Spec{
	Asserts:  "A running guest's disk is copied, to another format too, and the guest moves to the copy when it is told to",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "1.2.8")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU, matrix.XenHyp, "disk", "security"),
	Control:  sabotage.Swallow("virDomainBlockJobAbort"),
}, func(t *steps.T) {
	if t.XenDomainLacks("copy disk", func(d *libvirt.Domain) error {
		return d.BlockCopy("xvda", `<disk type="file"><source file="/nowhere"/></disk>`, &libvirt.DomainBlockCopyParameters{}, 0)
	}) {
		return
	}
	image, raw, moved, disk := t.NoisyQCOW2("disk", steps.SharedDiskBytes), t.Scratch("raw"), t.Scratch("moved"), t.Settings().DiskName
	d, g := t.Started(domain.WithDisk(image, "qcow2"))
	g.WriteAt(disk, 0, one)
	d.CopyDisk(disk, domain.NewDisk(raw, "raw"), 0)
	d.WaitBlockJobReady(disk)
	g.WriteAt(disk, mib, two) // what is written meanwhile is copied, too
	d.EndBlockJob(disk, 0)
	d.WaitDiskChain(disk, image)
	t.Expect(t.ReadFile(raw, mib, len(two))).To(Equal(two), "what the raw copy holds")
	t.ExpectSameContent(image, raw)
	g.WriteAt(disk, 0, three)
	t.Expect(t.ReadFile(raw, 0, len(one))).To(Equal(one), "the copy after its job has ended")

	d.CopyDisk(disk, domain.NewDisk(moved, "qcow2"), 0)
	d.WaitBlockJobReady(disk)
	d.EndBlockJob(disk, libvirt.DOMAIN_BLOCK_JOB_ABORT_PIVOT)
	d.WaitDiskChain(disk, moved)
	g.WriteAt(disk, 0, two)
	t.Expect(g.ReadAt(disk, mib, len(two))).To(Equal(two), "what the guest reads of the copy")
	t.Expect(t.TextAt(moved, 0, len(two))).To(Equal(two), "what the guest wrote to the copy")
	t.Expect(t.TextAt(image, 0, len(three))).To(Equal(three), "what it had written to where it came from")
})

// The job is slow enough to be looked at, and too slow to end by itself meanwhile.
var _ = check.Register("O-BLK-JOB", check.Spec{
	Asserts:  "A disk's job tells of its progress, takes another speed, and is given up with an event, changing nothing",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "1.2.9")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU, matrix.XenHyp),
	Control:  sabotage.Swallow("virDomainBlockJobSetSpeed"),
}, func(t *steps.T) {
	if t.XenDomainLacks("ask for a disk's job", func(d *libvirt.Domain) error { _, err := d.GetBlockJobInfo("xvda", 0); return err }) {
		return
	}
	base, disk := t.NoisyQCOW2("base", steps.SharedDiskBytes), t.Settings().DiskName
	top := t.Overlay("top", base)
	d, g := t.Started(domain.WithDisk(top, "qcow2"))
	g.WriteAt(disk, 0, one)
	t.Expect(d.BlockJob(disk).Type).To(Equal(libvirt.DOMAIN_BLOCK_JOB_TYPE_UNKNOWN), "job before there is one")
	jobs := d.WatchBlockJobs()
	pull := func() error { return d.Raw.BlockPull(disk, mib, libvirt.DOMAIN_BLOCK_PULL_BANDWIDTH_BYTES) }
	t.Do("pull disk", pull)
	job := d.BlockJob(disk)
	t.Expect([]any{job.Type, job.Bandwidth}).To(Equal([]any{libvirt.DOMAIN_BLOCK_JOB_TYPE_PULL, uint64(mib)}), "type and speed of the job")
	t.Expect(job.Cur).To(BeNumerically("<", job.End), "what is done, and all")
	t.Expect(t.Try("pull disk twice at once", pull)).To(HaveOccurred())
	t.Do("set speed of the job", func() error {
		return d.Raw.BlockJobSetSpeed(disk, 2*mib, libvirt.DOMAIN_BLOCK_JOB_SPEED_BANDWIDTH_BYTES)
	})
	t.Expect(d.BlockJob(disk).Bandwidth).To(BeNumerically("==", 2*mib), "speed of the job")
	t.Expect(t.VirshSays("blockjob --raw " + d.Name + " " + disk)).To(ContainSubstring("type=Block Pull"))
	t.Until(jobMoves, "the job makes progress", func() bool { return d.BlockJob(disk).Cur > job.Cur })
	d.EndBlockJob(disk, libvirt.DOMAIN_BLOCK_JOB_ABORT_ASYNC)
	jobs.Wait("the job was given up", func(e libvirt.DomainEventBlockJob) bool {
		return e == libvirt.DomainEventBlockJob{Disk: disk, Type: libvirt.DOMAIN_BLOCK_JOB_TYPE_PULL, Status: libvirt.DOMAIN_BLOCK_JOB_CANCELED}
	})
	t.Expect(d.BlockJob(disk).Type).To(Equal(libvirt.DOMAIN_BLOCK_JOB_TYPE_UNKNOWN), "job after it was given up")
	d.WaitDiskChain(disk, top, base)
	t.Expect(g.ReadAt(disk, 0, len(one))).To(Equal(one), "what the guest reads")
})
