package snapshots

import (
	"math/rand/v2"
	"slices"
	"time"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/internal/layout"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// The image that is merged away is deleted, and the one below it holds all by then or nothing does.
var _ = check.Register("O-KILL-DEL", check.Spec{
	Asserts:  "An emulator killed at any moment of an external snapshot's deletion leaves a call that returns, the daemon, and the disk with its content",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "9.0")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU),
	Control:  anotherDaemon(),
}, func(t *steps.T) {
	folder, disk, below, content := t.Scratch("files"), t.Settings().DiskName, t.NoisyQCOW2("below"), t.NoisyQCOW2("content")
	d := t.Define(withBIOS, domain.WithDisk(folder+"/base", "qcow2"))
	defined, daemon := d.Dump(libvirt.DOMAIN_XML_INACTIVE), t.DaemonPID()
	runs := func() *steps.Snapshot {
		t.Sh("rm -rf " + folder + " && install -d -m 777 " + folder + " && cp " + below + " " + folder + "/base")
		t.Connection().Define(defined)
		s := d.Snapshot("moment", diskOnly, steps.External(disk, folder+"/over"))
		t.Sh(t.Program(layout.QEMUImg) + " convert -n -O qcow2 " + content + " " + folder + "/over")
		d.Start()
		return s
	}
	s := runs()
	began := time.Now()
	s.Delete(0)
	took := time.Since(began)
	for i := range moments {
		d.Destroy()
		s = runs()
		after := time.Duration(float64(took) * (float64(i) + rand.Float64()) / moments)
		err := d.KillDuring("the deletion", after, func() error { return s.Raw.Delete(0) })
		t.Note("killed %s after it began, of %s: %s", after.Round(time.Millisecond), took.Round(time.Millisecond), outcome(err))
		t.Expect(t.DaemonPID()).To(Equal(daemon), "process of the daemon")
		t.ExpectSameContent(content, d.DiskChain(disk)[0])
		if slices.Contains(d.Snapshots(0), s.Name) {
			t.Note("a second deletion: %s", outcome(t.Try("delete snapshot again", func() error { return s.Raw.Delete(0) })))
			t.ExpectSameContent(content, d.DiskChain(disk)[0])
		}
		if slices.Contains(d.Snapshots(0), s.Name) {
			s.Delete(libvirt.DOMAIN_SNAPSHOT_DELETE_METADATA_ONLY)
		}
		d.Start()
	}
	d.Guest()
})
