package snapshots

import (
	"fmt"
	"slices"
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

// The image that is merged away is deleted, and the one below it holds all by then or nothing does.
var _ = check.Register("O-KILL-DEL", check.Spec{
	Asserts:  "An emulator killed at any moment of an external snapshot's deletion leaves a call that returns, the daemon, and the disk with its content",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "9.0")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU),
	Control:  anotherDaemon(),
}, func(t *steps.T) {
	m := newMerge(t)
	d, content, disk, daemon := m.d, m.content, m.disk, t.DaemonPID()
	s := m.runs()
	began := time.Now()
	s.Delete(0)
	took := time.Since(began)
	for i := range steps.Moments {
		d.Destroy()
		s = m.runs()
		t.InPart(i, steps.Moments, took, func(after time.Duration) error {
			return d.KillDuring("the deletion", after, func() error { return s.Raw.Delete(0) })
		})
		t.Expect(t.DaemonPID()).To(Equal(daemon), "process of the daemon")
		t.ExpectSameContent(content, d.DiskChain(disk)[0])
		if slices.Contains(d.Snapshots(0), s.Name) {
			t.Note("a second deletion: %s", steps.Outcome(t.Try("delete snapshot again", func() error { return s.Raw.Delete(0) })))
			t.ExpectSameContent(content, d.DiskChain(disk)[0])
		}
		if slices.Contains(d.Snapshots(0), s.Name) {
			s.Delete(libvirt.DOMAIN_SNAPSHOT_DELETE_METADATA_ONLY)
		}
		d.Start()
	}
	d.Guest()
})

// The merge goes on in the emulator while nobody waits for it.
var _ = check.Register("O-DAEMON-DEL", check.Spec{
	Asserts:  "A daemon killed at any moment of an external snapshot's deletion leaves the guest running, its disk whole, and what the next daemon deletes",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "9.0")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU),
	Control:  sabotage.Swallow("virDomainSnapshotDelete"),
}, func(t *steps.T) {
	m := newMerge(t)
	s := m.runs()
	began := time.Now()
	s.Delete(0)
	took := time.Since(began)
	for i := range steps.Moments / 2 {
		m.d.Destroy()
		s = m.runs()
		g := m.d.Guest()
		mark := g.Mark()
		t.InPart(i, steps.Moments/2, took, func(after time.Duration) error {
			return t.KillDaemonDuring("the deletion", after, func() error { return s.Raw.Delete(0) })
		})
		m.d = m.d.Settled()
		m.d.ExpectKept()
		g.ExpectGoesOn(mark)
		t.UntilDone(steps.KillLimit, "the next daemon deletes the snapshot", func() error {
			if len(m.d.Snapshots(0)) == 0 {
				return nil
			}
			s := m.d.LookupSnapshot("moment")
			return t.Try("delete snapshot again", func() error { return s.Raw.Delete(0) })
		})
		m.d.WaitDiskChain(m.disk, m.folder+"/base")
		t.ExpectSameContent(m.content, m.folder+"/base")
		g.ExpectGoesOn(mark)
	}
})

// mergeBytes are merged when the snapshot is deleted: what takes a tenth of a second can be
// interrupted.
const mergeBytes = 128 << 20

// merge is a domain with one external snapshot, whose deletion brings all that the disk holds
// into an image that is empty.
type merge struct {
	t                     *steps.T
	d                     *steps.Domain
	folder, disk, defined string
	content               string // an image that holds what the disk does
}

func newMerge(t *steps.T) *merge {
	m := &merge{t: t, folder: t.Scratch("files"), disk: t.Settings().DiskName, content: t.NoisyQCOW2("content", mergeBytes)}
	m.d = t.Define(withBIOS, domain.WithDisk(m.folder+"/base", "qcow2"))
	m.defined = m.d.Dump(libvirt.DOMAIN_XML_INACTIVE)
	return m
}

// runs starts the domain that is off, with its images and its snapshot made anew.
func (m *merge) runs() *steps.Snapshot {
	base, over := m.folder+"/base", m.folder+"/over"
	m.t.Sh("rm -rf " + m.folder + " && install -d -m 777 " + m.folder + " && " + m.t.Program(layout.QEMUImg) + fmt.Sprintf(" create -q -f qcow2 %s %d", base, mergeBytes))
	m.t.Connection().Define(m.defined)
	s := m.d.Snapshot("moment", diskOnly, steps.External(m.disk, over))
	m.t.Sh(m.t.Program(layout.QEMUImg) + " convert -n -O qcow2 " + m.content + " " + over)
	m.d.Start()
	return s
}
