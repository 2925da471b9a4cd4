package snapshots

import (
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// A guest's memory that cannot be compressed, in MiB, and how fast it may be written in
// bytes a second: the job takes several times as long as an answer may.
const (
	dirtyMiB  = 32
	slowWrite = 8 << 20
	slowCopy  = 2 << 20
)

// late is the control of these checks: what libvirt 11.0 to 11.4 did to who asked for
// the XML.
func late() *sabotage.Control { return sabotage.Delay("virDomainGetXMLDesc", 4*steps.AnswerLimit) }

// The emulator itself answers nothing meanwhile, and who asks for its statistics may
// say that he does not wait.
var _ = check.Register("O-BUSY-SNAP", check.Spec{
	Asserts:  "While an internal snapshot is written slowly, calls that only read are answered in time",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "4.5.0")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU),
	Control:  late(),
}, func(t *steps.T) {
	d, g := t.Started(withBIOS, t.SlowDisk("disk", slowWrite))
	g.Dirty(dirtyMiB)
	mark, questions := g.Mark(), d.Questions(false)
	job := t.Begin("create internal snapshot", func() error { return create(d.Raw) })
	d.AnswersUntil(job.Over, questions)
	t.Do("create internal snapshot", func() error { return job.Try(steps.AnswerLimit) })
	g.ExpectGoesOn(mark)
})

var _ = check.Register("O-BUSY-COPY", check.Spec{
	Asserts:  "While a disk is copied slowly, calls that only read are answered in time, the emulator's statistics too",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "1.2.8")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU),
	Control:  late(),
}, func(t *steps.T) {
	disk := t.Settings().DiskName
	d, g := t.Started(domain.WithDisk(t.NoisyQCOW2("disk", steps.SharedDiskBytes), "qcow2"))
	g.Dirty(dirtyMiB)
	mark, questions := g.Mark(), d.Questions(true)
	d.CopyDisk(disk, domain.NewDisk(t.Scratch("copy"), "qcow2"), t.Slow(slowCopy))
	d.AnswersUntil(func() bool { job := d.BlockJob(disk); return job.Cur == job.End }, questions)
	d.EndBlockJob(disk, libvirt.DOMAIN_BLOCK_JOB_ABORT_PIVOT)
	g.ExpectGoesOn(mark)
})
