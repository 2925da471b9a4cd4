package snapshots

import (
	"fmt"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// A domain that is off has its images merged by an emulator that libvirt starts for it.
var _ = check.Register("O-SNAP-XOFF", check.Spec{
	Asserts:  "A domain that is off goes back to an external snapshot, and starts with its disk as it was when both of its snapshots are deleted",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "9.9")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU, "disk", "security"),
	Control:  sabotage.Swallow("virDomainRevertToSnapshot"),
}, func(t *steps.T) {
	folder, disk := t.Scratch("images"), t.Settings().DiskName
	t.Sh("mkdir -p " + folder) // where libvirt makes images of its own
	d := t.Define(domain.WithDisk(t.QCOW2("images/base", one), "qcow2"))
	starts := func(reads, writes string) {
		d.Start()
		g := d.Guest()
		t.Expect(g.ReadAt(disk, 0, len(reads))).To(Equal(reads), "what the guest reads")
		g.WriteAt(disk, 0, writes)
		d.Destroy()
	}
	first := d.Snapshot("first", diskOnly, steps.External(disk, folder+"/first"))
	starts(one, two)
	second := d.Snapshot("second", diskOnly, steps.External(disk, folder+"/second"))
	starts(two, three)
	second.Revert(0)
	t.Expect(d.State()).To(Equal(libvirt.DOMAIN_SHUTOFF), "state of the domain that was off and went back")
	starts(two, three)
	first.Delete(0)
	second.Delete(0)
	t.Expect(d.State()).To(Equal(libvirt.DOMAIN_SHUTOFF), "state of the domain whose snapshots were deleted while it was off")
	t.Expect(t.Sh("ls "+folder)).To(Equal("base"), "images of the disk once its snapshots are gone")
	starts(three, two)
})

// An image that one branch of a tree is done with may be what another one stands on.
var _ = check.Register("O-SNAP-XTREE", check.Spec{
	Asserts:  "Each external snapshot of a tree holds its moment after others were gone back to and deleted, and what cannot be deleted is refused and stays",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "9.9")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU, "disk", "security"),
	Control:  sabotage.Swallow("virDomainRevertToSnapshot"),
}, func(t *steps.T) {
	t.Sh("mkdir -p " + t.Scratch("tree")) // where libvirt makes images of its own
	b := branches{t: t, disk: t.Settings().DiskName, moments: map[string]moment{}}
	b.d, b.g = t.Started(domain.WithDisk(t.QCOW2("tree/base", word(0)), "qcow2"))
	for _, name := range []string{"root", "middle", "leaf"} {
		b.takes(name)
	}
	b.holds("root")
	b.takes("branch") // the root's second
	for _, name := range []string{"root", "middle", "leaf", "branch"} {
		if !b.deletes(name) {
			continue
		}
		for _, other := range b.d.Snapshots(0) {
			b.holds(other)
		}
	}
})

// branches is a guest whose disk has snapshots, each with the text that was there then.
type branches struct {
	t       *steps.T
	d       *steps.Domain
	g       *steps.Guest
	disk    string
	texts   int
	moments map[string]moment
}

type moment struct {
	snapshot *steps.Snapshot
	text     string
}

// word is a text of a disk, which has one after the other.
func word(n int) string { return fmt.Sprintf("moment %04d", n) }

// takes makes a snapshot, and has the guest write another text.
func (b *branches) takes(name string) {
	now := b.g.ReadAt(b.disk, 0, len(word(0)))
	b.moments[name] = moment{b.d.Snapshot(name, diskOnly, steps.External(b.disk, b.t.Scratch("tree/"+name))), now}
	b.writes()
}

func (b *branches) writes() {
	b.texts++
	b.g.WriteAt(b.disk, 0, word(b.texts))
}

// holds goes back to a snapshot, and has the guest write another text there.
func (b *branches) holds(name string) {
	b.moments[name].snapshot.Revert(libvirt.DOMAIN_SNAPSHOT_REVERT_RUNNING)
	b.g.WaitReady()
	b.t.Expect(b.g.ReadAt(b.disk, 0, len(word(0)))).To(Equal(b.moments[name].text), "what the guest reads that went back to %s", name)
	b.writes()
}

// deletes says whether a snapshot was deleted. What refuses it must change nothing.
func (b *branches) deletes(name string) bool {
	before := b.d.Snapshots(0)
	err := b.t.Try("delete snapshot "+name, func() error { return b.moments[name].snapshot.Raw.Delete(0) })
	if err == nil {
		b.t.Expect(b.d.Snapshots(0)).NotTo(ContainElement(name), "the snapshot that was deleted")
		return true
	}
	b.t.Note("to delete %s is refused: %s", name, steps.Text(err))
	b.t.Expect(steps.Code(err)).To(BeElementOf(libvirt.ERR_CONFIG_UNSUPPORTED, libvirt.ERR_OPERATION_UNSUPPORTED, libvirt.ERR_OPERATION_INVALID), "what refuses to delete %s: %s", name, steps.Text(err))
	b.t.Expect(b.d.Snapshots(0)).To(Equal(before), "snapshots after one was not deleted")
	return false
}
