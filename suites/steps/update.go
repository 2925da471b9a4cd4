package steps

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"github.com/virtmatrix/virtmatrix/internal/console"
	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/internal/layout"
	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// updateLimit bounds how long packages may take to move, at scale 1.
const updateLimit = 5 * time.Minute

// Transition is what moves in words, as in "libvirt 9.0 to 11.3, qemu 7.2 to 10.0".
func Transition(from, to *matrix.Cell) string {
	var words []string
	for _, was := range from.Stack {
		if now, ok := to.Choice(was.Component); ok && was.Component != matrix.Linux && now.Package != was.Package {
			words = append(words, fmt.Sprintf("%s %s to %s", was.Component, was.Version, now.Version))
		}
	}
	return strings.Join(words, ", ")
}

// Goal is the host as it will be: what is made for it, both stacks can have.
func (t *T) Goal() *T {
	if t.Env.Goal == nil {
		t.must(fault.Infraf("ask where packages move", "the check has no such host"), "")
	}
	return &T{t.attempt, t.s, t.Env.Goal}
}

// Update has the host's package manager move components in place, all if none is named,
// with the packages' own scripts, whatever runs there. From then on the host is of what it
// has. It says whether the scripts have started libvirt's daemon anew.
func (t *T) Update(components ...matrix.Component) (restarted bool) {
	if len(components) == 0 {
		components = slices.Sorted(maps.Keys(t.leading()))
	}
	from, daemon := t.Cell, t.DaemonPID()
	t.bringManager()
	t.moved = Transition(from, t.reached(components))
	took := t.movePackages(components...)
	t.adapt()
	words := "libvirt's daemon runs on"
	if restarted = t.meetDaemon(daemon); restarted {
		words = "their scripts started libvirt's daemon anew"
	}
	t.Note("packages moved from %s in %s, and %s", t.moved, took, words)
	t.spoilPackages()
	if t.origin == nil {
		t.origin = from
	}
	t.become(t.reached(t.movedNow(components)))
	return restarted
}

// become has the host be of what it has.
func (t *T) become(cell *matrix.Cell) { t.Cell, t.s.Cell = cell, cell }

// meetDaemon waits for libvirt's daemon, and says whether it is another than before.
func (t *T) meetDaemon(before string) (anew bool) {
	t.Until(callLimit, "libvirt's daemon answers", func() bool { return t.Virsh("uri").OK() })
	if t.DaemonPID() == before {
		return false
	}
	t.s.foreign = true
	t.reconnect()
	return true
}

// Undo has the package manager take back all that moved. From then on the host is of what
// it was.
func (t *T) Undo() {
	daemon := t.DaemonPID()
	res := t.RunWithin(updateLimit, supplied(source.SupplyUndo)+" 2>&1")
	t.KeepText("undo.log", string(res.Stdout))
	if !res.OK() {
		t.Fail(matrix.LayerDelivery, "packages cannot be taken back: status %d:\n%s", res.Code, console.Tail(res.Stdout, 20))
	}
	t.adapt()
	for component, ask := range t.leading() {
		if said := t.Sh(ask); !isOf(said, t.origin, component) {
			t.Fail(matrix.LayerDelivery, "%s is not what it was once its upgrade was taken back: %q", component, said)
		}
	}
	if t.meetDaemon(daemon) {
		t.Note("the scripts started libvirt's daemon anew")
	}
	t.become(t.origin)
}

// adapt does again to what packages brought what the harness does to an emulated host. A file
// that they did not bring the daemon will miss itself.
func (t *T) adapt() {
	if t.Kind() == matrix.Xen && t.Accel != "kvm" {
		t.Run(host.ReduceCPUMap(t.Layout()))
	}
}

// leading are the components that move, each with the command that tells of which version it
// is. A toolstack's programs tell the hypervisor's instead, its packages do not.
func (t *T) leading() map[matrix.Component]string {
	asked := map[matrix.Component]string{matrix.Libvirt: t.Manager().Path + " --version"}
	if t.Cell.Kind == matrix.Xen {
		asked[matrix.XenHyp] = supplied(source.SupplyList) + " | grep -E '^xen-(utils-common|runtime) '"
	} else {
		asked[matrix.QEMU] = t.Program(layout.Emulator) + " --version"
	}
	return asked
}

// supplied is one of the programs of a supply.
func supplied(program string) string { return host.PackagesDir + "/" + program }

// bringManager has the root's own package manager in it. Where it is there, nothing is done.
func (t *T) bringManager() {
	if res := t.RunWithin(updateLimit, supplied(source.SupplyManager)); !res.OK() {
		t.must(fault.Infraf("bring the package manager", "%s", console.Tail([]byte(res.Text()), 20)), "")
	}
}

// movePackages has it install parts of the supply, and tells how long that took.
func (t *T) movePackages(parts ...matrix.Component) time.Duration {
	began, move := time.Now(), supplied(source.SupplyMove)
	for _, part := range parts {
		move += " " + string(part)
	}
	res := t.RunWithin(updateLimit, move+" 2>&1")
	t.KeepText("update.log", string(res.Stdout))
	if !res.OK() {
		t.Fail(matrix.LayerDelivery, "packages cannot be installed: status %d:\n%s", res.Code, console.Tail(res.Stdout, 20))
	}
	return time.Since(began).Round(time.Second)
}

// Moved is what moved in words, as in "qemu 7.2 to 10.0"; empty before that.
func (t *T) Moved() string { return t.moved }

// reached is the cell of the host once components are those of its goal.
func (t *T) reached(components []matrix.Component) *matrix.Cell {
	goal, cell := t.Goal().Cell, *t.Cell
	cell.Stack = slices.Clone(cell.Stack)
	for i, c := range cell.Stack {
		if slices.Contains(components, c.Component) {
			cell.Stack[i], _ = goal.Choice(c.Component)
		}
	}
	if Transition(&cell, goal) == "" {
		return goal
	}
	return &cell
}

// HoldServices has packages' scripts start and stop nothing, as an administrator may
// have it (Debian's invoke-rc.d(8)). Without an init to ask, others do nothing anyway.
func (t *T) HoldServices() {
	const policy = "/usr/sbin/policy-rc.d"
	t.Sh("printf '#!/bin/sh\\nexit 101\\n' >" + policy + " && chmod 755 " + policy)
}

// movedNow are the components that have moved: those that were asked for, and what the package
// manager took along, because packages hold the versions of both together.
func (t *T) movedNow(asked []matrix.Component) (moved []matrix.Component) {
	goal := t.Goal().Cell
	for component, ask := range t.leading() {
		said, want := t.Sh(ask), slices.Contains(asked, component)
		switch {
		case !isOf(said, goal, component):
			if want {
				c, _ := goal.Choice(component)
				t.must(fault.Infraf("move packages", "%s is not of %s afterwards: %q", component, c.Version, said), "")
			}
			continue
		case !want && !isOf(said, t.Cell, component):
			t.Note("the package manager took %s along", component)
		}
		moved = append(moved, component)
	}
	return moved
}

// isOf says that what a program prints of its version is that of a cell's component.
func isOf(said string, cell *matrix.Cell, component matrix.Component) bool {
	c, _ := cell.Choice(component)
	return strings.Contains(said, " "+UpstreamVersion(c.Package)) || strings.Contains(said, " "+c.Version)
}

// SpoilUpdate has something done once packages moved or came, as a control.
func (t *T) SpoilUpdate(spoil func()) { t.spoil = spoil }

func (t *T) spoilPackages() {
	if t.spoil != nil {
		t.spoil()
	}
}

// Pulse is where a guest stood, and the process of its emulator.
type Pulse struct {
	Mark
	Process string
	felt    sample
}

// Feel marks the guest and remembers its emulator.
func (g *Guest) Feel() Pulse {
	mark := g.Mark()
	return Pulse{mark, g.Emulators(), g.t.now()}
}

// Emulators are the processes of the guest's emulator, one as a rule.
func (g *Guest) Emulators() string { return g.t.Sh(emulatorOf(g.Name) + " || true") }

// pauseLimit bounds how long a guest that nobody paused may stand still, at scale 1.
const pauseLimit = 2 * time.Second

// ExpectUndisturbed asserts that the guest ran on all the time, by its own clock, which
// stands still with it, and in the same process.
func (g *Guest) ExpectUndisturbed(p Pulse) {
	if now := g.Emulators(); now != p.Process {
		g.t.Fail(g.t.Layer, "the guest's emulator was process %q, and now there is %q", p.Process, now)
	}
	after := g.ExpectGoesOn(p.Mark)
	if stood := stoodStill(p.felt.at, p.Tick, after); stood > g.t.Limit(pauseLimit) {
		g.t.late(matrix.LayerL2, p.felt, fmt.Sprintf("the guest stood still for %s of %s", stood.Round(time.Millisecond), time.Since(p.felt.at).Round(time.Second)))
	}
}

// stoodStill is by how much a guest's own clock is behind since it was felt.
func stoodStill(felt time.Time, was, is l2.Tick) time.Duration {
	return time.Since(felt) - time.Duration(is.UptimeMS-was.UptimeMS)*time.Millisecond
}

// Virsh is one that runs on as it was started, whatever takes its program's place.
type Virsh struct {
	t         *T
	folder    string
	questions int
}

// OldVirsh starts a virsh that takes its commands from a pipe, until the host ends.
func (t *T) OldVirsh() *Virsh {
	v := &Virsh{t: t, folder: t.Scratch("virsh")}
	t.Sh(fmt.Sprintf("mkdir %[1]s && mkfifo %[1]s/in && { setsid virsh -q -c %[2]s <>%[1]s/in >%[1]s/out 2>&1 & }", v.folder, t.URI()))
	t.KeepLog("old-virsh.log", "cat "+v.folder+"/out")
	return v
}

// Say gives virsh a command and returns what it prints. It prints its prompt and the
// command before, and the prompt right behind what echo says.
func (v *Virsh) Say(command string) (said string) {
	mark := func() string { return fmt.Sprintf("over-%d.", v.questions) }
	before := mark()
	v.questions++
	v.t.Sh(fmt.Sprintf("printf '%%s\\n' %s 'echo %s' >%s/in", host.Quote(command), mark(), v.folder))
	v.t.Until(callLimit, "the old virsh has answered "+command, func() (over bool) {
		said, _, over = strings.Cut(v.t.Sh("cat "+v.folder+"/out"), "\n"+mark())
		return over
	})
	if _, rest, asked := strings.Cut(said, "\n"+before); asked {
		return rest
	}
	return said
}
