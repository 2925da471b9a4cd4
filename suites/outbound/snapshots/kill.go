package snapshots

import (
	"fmt"
	"time"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/internal/layout"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// killed registers a check of a job in whose middle the emulator is killed. The job may
// make files in a folder, and is told how often it ran before.
func killed(id, what string, control *sabotage.Control, job func(t *steps.T, folder string) func(d *libvirt.Domain, before int) error) *check.Check {
	return check.Register(id, check.Spec{
		Asserts:  "An emulator killed at any moment of " + what + " leaves a call that returns, the daemon, and a domain that starts",
		Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "1.2.8")},
		Depends:  check.On(matrix.Libvirt, matrix.QEMU),
		Control:  control,
	}, func(t *steps.T) {
		folder := t.Scratch("files")
		survives(t, folder, job(t, folder))
	})
}

func survives(t *steps.T, folder string, job func(*libvirt.Domain, int) error) {
	image := t.NoisyQCOW2("disk", steps.SharedDiskBytes)
	d := t.Define(withBIOS, domain.WithDisk(image, "qcow2"))
	defined, daemon := d.Dump(libvirt.DOMAIN_XML_INACTIVE), t.DaemonPID()
	starts := func() {
		t.Sh("rm -rf " + folder + " && install -d -m 777 " + folder)
		t.Connection().Define(defined)
		d.Start()
		left := steps.Get(t, "ask for a job", d.Raw.GetJobInfo)
		t.Expect(left.Type).To(Equal(libvirt.DOMAIN_JOB_NONE), "job of a domain that was just started")
	}
	starts()
	whole := time.Now()
	t.Do("do the job once undisturbed", func() error { return t.Begin("the job", func() error { return job(d.Raw, 0) }).Try(steps.KillLimit) })
	took := time.Since(whole)
	for i := range steps.Moments {
		if d.Active() {
			d.Destroy()
		}
		starts()
		t.InPart(i, steps.Moments, took, func(after time.Duration) error {
			return d.KillDuring("the job", after, func() error { return job(d.Raw, i+1) })
		})
		t.Expect(t.DaemonPID()).To(Equal(daemon), "process of the daemon")
		// 3 is an image with clusters that nobody uses, which a crash may leave.
		said := t.Run(t.Program(layout.QEMUImg) + " check " + image)
		t.Expect(said.Code).To(BeElementOf(0, 3), "what qemu-img check says of the image: %s", said.Text())
	}
	starts()
	d.Guest()
}

// anotherDaemon is a daemon that was started again whenever it is looked at.
func anotherDaemon() *sabotage.Control {
	return sabotage.Wrap("pidof", "another daemon each time", "echo $RANDOM$RANDOM")
}

var _ = killed("O-KILL-INT", "an internal snapshot", anotherDaemon(), func(t *steps.T, _ string) func(*libvirt.Domain, int) error {
	return func(d *libvirt.Domain, before int) error {
		_, err := d.CreateSnapshotXML(fmt.Sprintf("<domainsnapshot><name>s%d</name></domainsnapshot>", before), 0)
		return err
	}
})

var _ = killed("O-KILL-MEM", "a snapshot of memory and disk", sabotage.Hang("virDomainSnapshotCreateXML"), func(t *steps.T, folder string) func(*libvirt.Domain, int) error {
	xml := t.DescribeSnapshot("moment", steps.MemoryIn(folder+"/memory"), steps.External(t.Settings().DiskName, folder+"/over"))
	return func(d *libvirt.Domain, _ int) error {
		_, err := d.CreateSnapshotXML(xml, libvirt.DOMAIN_SNAPSHOT_CREATE_NO_METADATA)
		return err
	}
})

var _ = killed("O-KILL-FILE", "a save to a file", anotherDaemon(), func(_ *steps.T, folder string) func(*libvirt.Domain, int) error {
	return func(d *libvirt.Domain, _ int) error { return d.SaveFlags(folder+"/saved", "", 0) }
})

var _ = killed("O-KILL-COPY", "a copy of its disk", anotherDaemon(), func(t *steps.T, folder string) func(*libvirt.Domain, int) error {
	disk, to := t.Settings().DiskName, t.Marshal(domain.NewDisk(folder+"/copy", "qcow2"))
	return func(d *libvirt.Domain, _ int) error { return copyAndPivot(d, disk, to) }
})

// copyAndPivot moves a disk to a new place.
func copyAndPivot(d *libvirt.Domain, disk, to string) error {
	if err := d.BlockCopy(disk, to, &libvirt.DomainBlockCopyParameters{}, libvirt.DOMAIN_BLOCK_COPY_TRANSIENT_JOB); err != nil {
		return err
	}
	if err := steps.AwaitBlockJob(d, disk); err != nil {
		return err
	}
	return steps.PivotBlockJob(d, disk)
}
