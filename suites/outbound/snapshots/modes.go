package snapshots

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// What a guest keeps to itself must not become everybody's to read by being copied.
var _ = check.Register("O-SNAP-MODE", check.Spec{
	Asserts:  "No image that libvirt makes of a guest's disk or memory is more readable than the disk was",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "1.2.8")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU, "security"),
	Control:  sabotage.Wrap("find", "a search that finds what nobody may read", `[[ "$*" == *-perm* ]] && echo 644 image; exec $REAL "$@"`),
}, func(t *steps.T) {
	base, disk := t.QCOW2("base", ""), t.Settings().DiskName
	off, running, memory, saved, copied := t.Scratch("off"), t.Scratch("running"), t.Scratch("memory"), t.Scratch("saved"), t.Scratch("copied")
	files := []string{base, off, running, memory, copied, saved}
	d := t.Define(domain.WithDisk(base, "qcow2"))
	s := d.Snapshot("off", diskOnly, steps.External(disk, off))
	d.Start()
	d.Snapshot("running", 0, steps.MemoryIn(memory), steps.External(disk, running))
	d.CopyDisk(disk, domain.NewDisk(copied, "qcow2"), 0)
	d.WaitBlockJobReady(disk)
	d.EndBlockJob(disk, 0)
	if t.AtLeast(matrix.Libvirt, "7.2") {
		pushed := t.Scratch("pushed")
		files = append(files, pushed)
		d.PushTo(disk, pushed, "", "")
	}
	d.Save(saved)
	t.Expect(t.OpenToOthers(files...)).To(BeEmpty(), "images of a disk with mode 600 that others may read or write, with their modes")
	if t.AtLeast(matrix.Libvirt, "9.9") {
		s.Revert(0) // onto an image that libvirt makes and names
		chain := d.DiskChain(disk)
		t.RemoveAfter(chain[0])
		t.Expect(t.OpenToOthers(chain...)).To(BeEmpty(), "images of a disk with mode 600 that went back, which others may read or write, with their modes")
	}
})
