package update

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"github.com/virtmatrix/virtmatrix/internal/layout"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// taking is an update that does not go well and takes the guests along.
var taking = sabotage.Command("an update whose end takes the guests along", `(until [ -e /run/virtmatrix-move.done ]; do sleep 0.1; done; pkill -KILL -f '[g]uest=') >/dev/null 2>&1 &`)

// small is the room below /usr, in MiB, that no new version of libvirt and QEMU fits in.
const small = 4

func init() {
	register("U-KILL", matrix.Upgrade,
		"A guest runs on when the package manager is killed in the middle of an upgrade, twice; it repairs what it left, and the next try succeeds",
		taking, killed)
	register("U-CUT", matrix.Upgrade,
		"After the power failed in the middle of an upgrade the package manager repairs it, and guests start from their disks and from what was saved",
		sabotage.Guest(l2.ForgetWord), cut)
	register("U-NOREPO", matrix.Upgrade,
		"A guest runs on when the repository vanishes in the middle of an upgrade; the package manager says so, and the next try succeeds",
		forgetful, vanished)
	register("U-SCRIPT", matrix.Upgrade,
		"A guest runs on when a script of its packages fails; the package manager says which, and the next try succeeds", forgetful, trapped)
	registerOn(matrix.Hosts{Mounts: true}, "U-FULL", matrix.Upgrade,
		"A guest runs on when the disk is full in the middle of an upgrade; the package manager says so, and the next try succeeds once there is room",
		forgetful, full)
}

func killed(t *steps.T) {
	g := started(t)
	pulse := g.Feel()
	for _, program := range []string{t.Manager().Path, t.Program(layout.Emulator)} {
		if tried := t.TryUpdate(program, steps.Killed); !tried.InTime {
			t.Note("%s was there already", program)
		}
		g.ExpectUndisturbed(pulse)
		noteAudit(t, "the kill")
		t.RepairPackages()
		g.ExpectUndisturbed(pulse)
	}
	recovers(t, g, pulse)
}

func cut(t *steps.T) {
	disk := t.Settings().DiskName
	asleep, awake := started(t, domain.WithDisk(t.DiskImage("asleep", mib), "raw")), started(t, domain.WithDisk(t.DiskImage("awake", mib), "raw"))
	mark := asleep.Mark()
	asleep.Domain.ManagedSave()
	awake.WriteAt(disk, 0, word)
	t.Expect(t.TryUpdate(t.Manager().Path, steps.PowerCut).InTime).To(BeTrue(), "the power failed before the end")
	noteAudit(t, "the power cut")
	t.RepairPackages()
	for _, g := range []*steps.Guest{asleep, awake} {
		g.Domain = g.Domain.Again()
		t.Expect(g.Domain.State()).To(Equal(libvirt.DOMAIN_SHUTOFF), "state of a guest after the power cut")
	}
	updated(t, awake)
	awake.Domain.Start()
	t.Expect(awake.Domain.Guest().ReadAt(disk, 0, len(word))).To(Equal(word), "what the guest reads of its disk")
	d := asleep.Domain.Again()
	d.Start()
	asleep.WaitReady()
	asleep.ExpectGoesOn(mark)
}

func vanished(t *steps.T) {
	g := started(t)
	pulse := g.Feel()
	tried := t.TryUpdate(t.Manager().Path, steps.Vanished)
	expectFails(t, tried, `(?i)no such file|cannot open|not found|unable to`)
	g.ExpectUndisturbed(pulse)
	noteAudit(t, "that")
	recovers(t, g, pulse)
}

func trapped(t *steps.T) {
	g := started(t)
	pulse := g.Feel()
	t.SetTrap()
	tried := t.TryUpdate("", "")
	expectFails(t, tried, `(?i)post-installation script|scriptlet`)
	g.ExpectUndisturbed(pulse)
	noteAudit(t, "that")
	t.ReleaseTrap()
	recovers(t, g, pulse)
}

func full(t *steps.T) {
	g := started(t)
	pulse := g.Feel()
	t.LimitDisk("/usr", small)
	tried := t.TryUpdate("", "")
	expectFails(t, tried, `(?i)no space left|more space|enough free space`)
	g.ExpectUndisturbed(pulse)
	noteAudit(t, "that")
	t.FreeDisk()
	recovers(t, g, pulse)
}

// noteAudit notes in which state packages are.
func noteAudit(t *steps.T, after string) {
	t.Note("after %s the package manager says: %.500q", after, t.Audit())
}

// expectFails asserts that an update says that it failed, and why.
func expectFails(t *steps.T, tried steps.Tried, why string) {
	if tried.Status == 0 {
		t.Fail(matrix.LayerDelivery, "the package manager says that all went well:\n%s", tried.Said)
	}
	t.Expect(tried.Said).To(MatchRegexp(why), "what the package manager says")
}

// recovers repairs what an update left that did not go well, and goes the whole way. The
// guest from before is known to the new daemon and goes on, and others start.
func recovers(t *steps.T, g *steps.Guest, pulse steps.Pulse) {
	t.RepairPackages()
	g.ExpectUndisturbed(pulse)
	d := updated(t, g)
	g.ExpectUndisturbed(pulse)
	t.Expect(d.State()).To(Equal(libvirt.DOMAIN_RUNNING), "state of the guest after the upgrade")
	_, fresh := t.Started()
	t.Expect(emulatorOf(t, fresh)).To(Equal(t.Program(layout.Emulator)), "program of the emulator of a new guest")
}
