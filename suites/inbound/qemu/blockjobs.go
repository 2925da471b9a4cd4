package qemu

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

var _ = check.Register("IQ-SAVEVM", check.Spec{
	Asserts:  "A running guest goes back to an internal snapshot, memory and disk alike, and a snapshot that is deleted is gone",
	Requires: []matrix.Requirement{matrix.KVMStack},
	Depends:  guestRuns,
	Control:  sabotage.SwallowQMP("human-monitor-command"),
}, func(t *steps.T) {
	image := t.QCOW2("disk", "")
	q, g := t.StartGuest(disk(image, "qcow2")...)
	people := func(word string) func() { return func() { q.HMP(word + " it") } }
	ways := [][3]func(){{people("savevm"), people("loadvm"), people("delvm")}}
	if t.AtLeast(matrix.QEMU, "6.0") {
		job := func(name string, more map[string]any) func() {
			args := merged(map[string]any{"tag": "it", "devices": []string{"disk"}}, more)
			return func() { q.Job("snapshot-"+name, args) }
		}
		vmstate := map[string]any{"vmstate": "disk"}
		ways = append(ways, [3]func(){job("save", vmstate), job("load", vmstate), job("delete", nil)})
	}
	for _, way := range ways {
		g.WriteAt(vda, 0, one)
		mark := g.Mark()
		way[0]()
		t.Expect(snapshots(t, image)).To(ContainSubstring("it"), "snapshots in the image")
		g.PutMemory("another word")
		g.WriteAt(vda, 0, two)
		way[1]()
		g.ExpectGoesOn(mark)
		t.Expect(g.ReadAt(vda, 0, len(one))).To(Equal(one), "what the disk holds after the way back")
		way[2]()
		t.Expect(snapshots(t, image)).To(BeEmpty(), "snapshots in the image")
	}
	q.Quit()
	t.Expect(t.TextAt(image, 0, len(one))).To(Equal(one), "what the image holds")
	t.Sh(t.QEMUImg() + " check -q " + image)
})

// snapshots is what qemu-img lists of the internal snapshots of an image.
func snapshots(t *steps.T, image string) string {
	return t.Sh(t.QEMUImg() + " snapshot -l -U " + image)
}

// increment marks with bitmaps what changed, and copies that alone.
var _ = check.Register("IQ-BLKJOB", check.Spec{
	Asserts:  "Commit, mirror, stream and incremental backup of a running guest's disk leave each image with what belongs there, and the guest with all",
	Requires: []matrix.Requirement{matrix.KVMStack},
	Depends:  check.On(matrix.QEMU),
	Control:  sabotage.SwallowQMP("block-commit"),
}, func(t *steps.T) {
	image, overlay, next := t.QCOW2("disk", ""), t.Scratch("overlay"), t.Scratch("next")
	q, g := t.StartGuest(disk(image, "qcow2")...)
	snapshot := func(node, file, above string) {
		q.Do("blockdev-snapshot-sync", map[string]any{"node-name": node, "snapshot-file": file, "snapshot-node-name": above, "format": "qcow2"}, nil)
	}
	add := func(node, file string) {
		q.Do("blockdev-add", map[string]any{"driver": "qcow2", "node-name": node, "file": map[string]any{"driver": "file", "filename": file}}, nil)
	}
	g.WriteAt(vda, 0, one)
	snapshot("disk", overlay, "overlay")
	g.WriteAt(vda, mib, two)
	t.Expect(zeroless(t.TextAt(image, mib, len(two)))).To(BeEmpty(), "what the image holds that is below an overlay")
	q.Job("block-commit", map[string]any{"device": "overlay"})
	t.Expect(t.TextAt(image, mib, len(two))).To(Equal(two), "what was committed to the image")

	copied := t.NewImage("copy", "qcow2", steps.SharedDiskBytes)
	add("copy", copied)
	q.BeginJob("blockdev-mirror", map[string]any{"device": "disk", "target": "copy", "sync": "full"})
	g.WriteAt(vda, 2*mib, three)
	q.EndJob()
	t.ExpectSameContent(image, copied)
	g.WriteAt(vda, 0, two)
	t.Expect(t.TextAt(image, 0, len(one))).To(Equal(one), "what the image holds that the guest went away from")

	snapshot("copy", next, "next")
	q.Job("block-stream", map[string]any{"device": "next"})
	g.WriteAt(vda, 0, two) // has what the emulator knows of the image written to it
	t.Expect(t.Chain(next)).To(HaveLen(1), "images of a disk that was streamed")
	t.ExpectSameContent(copied, next)
	increment(t, q, g, add)
	for at, text := range map[int64]string{0: two, mib: two, 2 * mib: three} {
		t.Expect(g.ReadAt(vda, at, len(text))).To(Equal(text), "what the guest reads at %d", at)
	}
	q.Quit()
	t.Sh(t.QEMUImg() + " check -q " + next)
})

// increment copies from the node "next" what is marked in either of two bitmaps.
func increment(t *steps.T, q *steps.QEMU, g *steps.Guest, add func(node, file string)) {
	bitmap := func(command, name string, more map[string]any) {
		q.Do("block-dirty-bitmap-"+command, merged(map[string]any{"node": "next", "name": name}, more), nil)
	}
	bitmap("add", "first", nil)
	g.WriteAt(vda, 4*mib, one)
	bitmap("disable", "first", nil)
	bitmap("add", "second", nil)
	g.WriteAt(vda, 5*mib, two)
	bitmap("disable", "second", nil)
	g.WriteAt(vda, 6*mib, three)
	bitmap("add", "both", map[string]any{"disabled": true})
	q.Do("block-dirty-bitmap-merge", map[string]any{"node": "next", "target": "both", "bitmaps": []string{"first", "second"}}, nil)
	bitmap("enable", "both", nil)
	changed := t.NewImage("changed", "qcow2", steps.SharedDiskBytes)
	add("changed", changed)
	q.Job("blockdev-backup", map[string]any{"device": "next", "target": "changed", "sync": "incremental", "bitmap": "both"})
	q.Do("blockdev-del", map[string]any{"node-name": "changed"}, nil)
	for at, text := range map[int64]string{0: "", 4 * mib: one, 5 * mib: two, 6 * mib: ""} {
		t.Expect(zeroless(t.TextAt(changed, at, len(one)))).To(Equal(zeroless(text)), "what the increment holds at %d", at)
	}
}
