// Package blockjobs holds the checks of jobs that work on the disks of running guests.
package blockjobs

import (
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// What guests write, one over the other: the words are equally long.
const (
	one   = "word one"
	two   = "word two"
	three = "word six"
)

const mib = 1 << 20

// chained is a running guest whose disk is three images: the base begins with a word,
// the middle has letters at 1 MiB, and the guest has written another word at 2 MiB.
func chained(t *steps.T) (g *steps.Guest, top, mid, base string) {
	base = t.QCOW2("base", one)
	mid = t.Overlay("mid", base)
	t.FillImage(mid, mib, 'm', 512)
	top = t.Overlay("top", mid)
	_, g = t.Started(domain.WithDisk(top, "qcow2"))
	g.WriteAt(t.Settings().DiskName, 2*mib, two)
	return g, top, mid, base
}

// expectAll asserts that there is all of the chain's content, read by the guest and in
// the image that now has it.
func expectAll(t *steps.T, g *steps.Guest, image string) {
	guestHasAll(t, g)
	g.WriteAt(t.Settings().DiskName, 4*mib, one) // its flush writes down what the emulator remembers
	for at, want := range content {
		t.Expect(t.TextAt(image, int64(at)*mib, len(want))).To(Equal(want), "what is in the image at %d MiB", at)
	}
}

// content is what a guest that is chained has at each mebibyte.
var content = []string{one, strings.Repeat("m", len(one)), two}

func guestHasAll(t *steps.T, g *steps.Guest) {
	for at, want := range content {
		t.Expect(g.ReadAt(t.Settings().DiskName, int64(at)*mib, len(want))).To(Equal(want), "what the guest reads at %d MiB", at)
	}
}

var _ = check.Register("O-BLK-PULL", check.Spec{
	Asserts:  "Content of backing images is pulled into the running guest's disk, in part and whole, and they are needed no longer",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "0.9.10")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU, matrix.XenHyp, "disk", "security"),
	Control:  sabotage.Swallow("virDomainBlockRebase"),
}, func(t *steps.T) {
	if t.XenDomainLacks("pull disk", func(d *libvirt.Domain) error { return d.BlockPull("xvda", 0, 0) }) {
		return
	}
	g, top, mid, base := chained(t)
	d, disk := g.Domain, t.Settings().DiskName
	jobs, kept := d.WatchBlockJobs(), t.Sh("sha256sum "+base)
	t.Do("pull disk down to its base", func() error { return d.Raw.BlockRebase(disk, base, 0, 0) })
	d.WaitDiskChain(disk, top, base)
	jobs.Wait("the pull is complete", func(e libvirt.DomainEventBlockJob) bool {
		return e == libvirt.DomainEventBlockJob{Disk: disk, Type: libvirt.DOMAIN_BLOCK_JOB_TYPE_PULL, Status: libvirt.DOMAIN_BLOCK_JOB_COMPLETED}
	})
	t.VirshSays("blockpull --wait " + d.Name + " " + disk)
	d.WaitDiskChain(disk, top)
	t.Expect(t.Sh("sha256sum "+base)).To(Equal(kept), "the base from which was pulled")
	t.Sh("rm " + base + " " + mid)
	expectAll(t, g, top)
})

// What an emulator only remembers of its image is lost when it is killed.
var _ = check.Register("O-KILL-PULL", check.Spec{
	Asserts:  "What a finished pull brought into the guest's disk is still there after the emulator was killed",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "0.9.4")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU),
	Control:  sabotage.Swallow("virDomainBlockPull"),
}, func(t *steps.T) {
	g, top, _, _ := chained(t)
	d := g.Domain
	t.Do("pull disk", func() error { return d.Raw.BlockPull(t.Settings().DiskName, 0, 0) })
	d.WaitDiskChain(t.Settings().DiskName, top)
	d.Kill()
	d.WaitFor(libvirt.DOMAIN_SHUTOFF)
	d.Start()
	g.WaitReady()
	guestHasAll(t, g)
})

var _ = check.Register("O-BLK-COMMIT", check.Spec{
	Asserts:  "A running guest's images are committed into their base, the active one too, and the guest goes on with the base",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "1.2.7")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU, matrix.XenHyp, "disk", "security"),
	Control:  sabotage.Swallow("virDomainBlockJobAbort"),
}, func(t *steps.T) {
	if t.XenDomainLacks("commit disk", func(d *libvirt.Domain) error { return d.BlockCommit("xvda", "", "", 0, 0) }) {
		return
	}
	g, top, mid, base := chained(t)
	d, disk := g.Domain, t.Settings().DiskName
	t.Do("commit the image in the middle", func() error { return d.Raw.BlockCommit(disk, base, mid, 0, 0) })
	d.WaitDiskChain(disk, top, base)
	t.Do("commit the active image", func() error { return d.Raw.BlockCommit(disk, "", "", 0, libvirt.DOMAIN_BLOCK_COMMIT_ACTIVE) })
	d.WaitBlockJobReady(disk)
	g.WriteAt(disk, 3*mib, three)
	d.EndBlockJob(disk, libvirt.DOMAIN_BLOCK_JOB_ABORT_PIVOT)
	d.WaitDiskChain(disk, base)
	expectAll(t, g, base)
	t.Expect(t.TextAt(base, 3*mib, len(three))).To(Equal(three), "what was written before the pivot")
	t.Expect(d.Dump(libvirt.DOMAIN_XML_INACTIVE)).To(And(ContainSubstring(base), Not(ContainSubstring(top))), "what the next start takes")

	over := t.Scratch("over")
	t.VirshSays("snapshot-create-as " + d.Name + " --disk-only --no-metadata --diskspec " + disk + ",file=" + over)
	g.WriteAt(disk, 3*mib, two)
	t.VirshSays("blockcommit --active --pivot " + d.Name + " " + disk)
	d.WaitDiskChain(disk, base)
	t.Expect(t.TextAt(base, 3*mib, len(two))).To(Equal(two), "what virsh committed")
})
