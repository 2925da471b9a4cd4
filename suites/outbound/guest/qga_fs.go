package guest

import (
	"path"
	"strings"
	"time"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

func init() {
	qga("O-QGA-FS", "A file system that libvirt freezes by QEMU's agent holds writes back until it is thawed, and gives its free room back when it is trimmed",
		sabotage.Swallow("virDomainFSTrim"), freezes)
	qga("O-QGA-SNAP", "A quiesced snapshot has file systems that need no recovery; whether it is taken or fails, the guest writes on",
		sabotage.Refuse("virDomainSnapshotCreateXML", libvirt.ERR_OPERATION_FAILED, libvirt.FROM_QEMU), snapshots)
}

const (
	dataFile = steps.AgentData + "/word"
	// held is how many ticks of 50 ms a write is watched that must wait.
	held = 40
	// freezeLimit bounds how long a write may take that waits no more, at scale 1.
	freezeLimit = 20 * time.Second
)

// expectHeld asserts that the guest's write over its channel waits, and goes on by what
// thaws.
func expectHeld(t *steps.T, g, over *steps.AgentGuest, thaw func()) {
	const later = "written while frozen"
	before, from := g.In(dataFile), g.Tick().Count
	written := over.PutLater(dataFile, later)
	t.Until(freezeLimit, "the guest has ticked on", func() bool { return g.Tick().Count >= from+held })
	t.Expect(g.In(dataFile)).To(Equal(before), "what a file holds whose file system is frozen")
	thaw()
	written()
	t.Expect(g.In(dataFile)).To(Equal(later), "what the file holds once it is thawed")
}

// expectHook asserts that the agent called its hook so since the last time.
func expectHook(t *steps.T, g *steps.AgentGuest, calls string) {
	t.Expect(strings.Join(strings.Fields(g.In(steps.AgentHook)), " ")).To(Equal(calls), "calls of the agent's hook")
	g.Put(steps.AgentHook, "")
}

func freezes(t *steps.T) {
	d, g := t.StartedWithQEMUAgent(domain.WithChannel)
	over := g.Over(d)
	g.Put(dataFile, "written before")
	t.Do("freeze a file system", func() error { return d.Raw.FSFreeze([]string{steps.AgentData}, 0) })
	g.Put("/home/word", "the root goes on")
	expectHeld(t, g, over, func() { t.Do("thaw all", func() error { return d.Raw.FSThaw(nil, 0) }) })
	expectHook(t, g, "freeze thaw")

	t.Expect(t.VirshSays("domfsfreeze " + d.Name)).To(ContainSubstring("Froze 2 filesystem"))
	t.Expect(d.AgentStatus()).To(Equal("frozen"))
	err := t.Try("ask a frozen guest for its name", func() error { _, err := d.Raw.GetHostname(libvirt.DOMAIN_GET_HOSTNAME_AGENT); return err })
	t.Expect(err).To(HaveOccurred(), "the agent is asked for what it may not do while frozen")
	t.Note("what a frozen guest's agent may not do: %s", steps.Text(err))
	expectHeld(t, g, over, func() { t.Expect(t.VirshSays("domfsthaw " + d.Name)).To(ContainSubstring("Thawed 2 filesystem")) })
	expectHook(t, g, "freeze thaw")

	g.Put(steps.AgentHookDoes, "exit 3")
	t.Expect(t.Try("freeze what the guest's hook refuses", func() error { return d.Raw.FSFreeze(nil, 0) })).To(HaveOccurred())
	t.Expect(d.AgentStatus()).To(Equal("thawed"))
	g.Put(dataFile, "written after a refusal")

	before := t.SizeOnDisk(g.Data)
	t.Do("trim the guest's file systems", func() error { return d.Raw.FSTrim("", 0, 0) })
	t.Expect(t.SizeOnDisk(g.Data)).To(BeNumerically("<", before/2), "bytes that the image takes once it is trimmed, of %d", before)
	t.Expect(g.In(dataFile)).To(Equal("written after a refusal"))
}

// ext4 marks what must be recovered while it is mounted, and takes that back when it is
// frozen (ext4_freeze).
const recovery = "needs_recovery"

func snapshots(t *steps.T) {
	d, g := t.StartedWithQEMUAgent()
	features := func() string { return t.Sh("dumpe2fs -h " + g.Data + " 2>/dev/null | grep features:") }
	parts := func(dir string) (parts []steps.SnapshotPart) {
		for dev, image := range imagesOf(d) {
			parts = append(parts, steps.External(dev, path.Join(dir, path.Base(image)+".top")))
		}
		return parts
	}
	const quiesce = libvirt.DOMAIN_SNAPSHOT_CREATE_DISK_ONLY | libvirt.DOMAIN_SNAPSHOT_CREATE_QUIESCE
	g.Put(dataFile, "before")
	g.Put(steps.AgentHook, "")
	t.Expect(features()).To(ContainSubstring(recovery), "features of a file system that is mounted")
	nowhere := t.DescribeSnapshot("nowhere", parts(t.Scratch("nowhere"))...)
	err := t.Try("take a snapshot where there is no folder", func() error { _, err := d.Raw.CreateSnapshotXML(nowhere, quiesce); return err })
	t.Expect(err).To(HaveOccurred())
	t.Note("a snapshot that fails: %s", steps.Text(err))
	t.Expect(d.AgentStatus()).To(Equal("thawed"), "file systems after a snapshot that failed")
	expectHook(t, g, "freeze thaw")
	g.Put(dataFile, "after a failure")
	t.Expect(imagesOf(d)).To(ContainElement(g.Data), "images after a snapshot that failed")

	tops := t.Scratch("tops")
	t.Sh("mkdir -m 777 " + tops)
	d.Snapshot("quiesced", quiesce, parts(tops)...)
	expectHook(t, g, "freeze thaw")
	t.Expect(features()).NotTo(ContainSubstring(recovery), "features of the file system in a quiesced snapshot")
	t.Expect(d.AgentStatus()).To(Equal("thawed"))
	g.Put(dataFile, "after the snapshot")
	t.Expect(g.In(dataFile)).To(Equal("after the snapshot"))
	t.Expect(t.OnImage(g.Data, "cat /"+path.Base(dataFile))).To(Equal("after a failure"), "what the file holds in the snapshot")

	g.Put(steps.AgentHookDoes, "exit 3")
	refused := t.DescribeSnapshot("refused", parts(t.Scratch("refused"))...)
	t.Expect(t.Try("take a snapshot that the guest's hook refuses", func() error { _, err := d.Raw.CreateSnapshotXML(refused, quiesce); return err })).To(HaveOccurred())
	t.Expect(d.AgentStatus()).To(Equal("thawed"), "file systems after a snapshot that the guest refused")
	g.Put(dataFile, "after a refusal")
	t.Expect(d.Snapshots(0)).To(Equal([]string{"quiesced"}), "snapshots of the domain")
}
