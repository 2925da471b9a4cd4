// Package update holds the checks of guests under which packages move in place: the host's
// package manager takes libvirt and the emulator to another version while they run.
package update

import (
	"fmt"
	"syscall"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// register adds a check of a host whose packages move, which nobody else can use then.
// What it needs beyond a container is one that may make networks.
func register(id string, way matrix.Move, asserts string, control *sabotage.Control, body func(*steps.T)) {
	registerOn(matrix.Hosts{}, id, way, asserts, control, body)
}

// registerOn does so where the host is something more.
func registerOn(hosts matrix.Hosts, id string, way matrix.Move, asserts string, control *sabotage.Control, body func(*steps.T)) {
	hosts.Moves, hosts.Earlier, hosts.Network = way, []matrix.Component{matrix.Libvirt, matrix.QEMU}, true
	check.Register(id, check.Spec{
		Asserts:  asserts,
		Requires: []matrix.Requirement{matrix.KVMStack, matrix.Contained, matrix.Pristine},
		Hosts:    hosts,
		Control:  control,
	}, body)
}

// forgetful is a daemon that finds no guests when it starts.
var forgetful = sabotage.Command("a daemon that forgets its guests", "(while :; do rm -f /run/libvirt/qemu/*.xml; sleep 0.1; done) >/dev/null 2>&1 &")

func init() {
	register("U-RUN", matrix.Upgrade,
		"A guest runs on while its packages are upgraded, and the new daemon takes it over: the same process, no moment missed", forgetful, runs)
	register("U-DOWN", matrix.Downgrade,
		"A guest runs on while its packages are downgraded, and the older daemon takes it over: none is lost, none runs twice", forgetful, runs)
}

// runs looks at processes and at what the guest says of itself first: libvirt may be wrong
// about both.
func runs(t *steps.T) {
	g := started(t, domain.WithDisk(t.DiskImage("disk", 1<<20), "raw"))
	pulse := g.Feel()
	t.HoldServices()
	t.Update()
	g.ExpectUndisturbed(pulse)
	t.Expect(g.Domain.Again().State()).To(Equal(libvirt.DOMAIN_RUNNING), "state of the guest before the daemon is started anew")

	expectTakenOver(t, g, pulse)
}

// expectTakenOver starts the daemon anew and asserts that it has the guest as it is.
func expectTakenOver(t *steps.T, g *steps.Guest, pulse steps.Pulse) {
	id, uuid := g.Domain.ID(), g.Domain.UUID()
	d := restarted(t, g)
	g.ExpectUndisturbed(pulse)
	if state := d.State(); state != libvirt.DOMAIN_RUNNING {
		t.Fail(t.Layer, "the daemon says that the guest is in state %d, and its emulator runs as process %s; %s", state, pulse.Process, doubled(t, g, pulse))
	}
	t.Expect(d.ID()).To(Equal(id), "the domain's ID")
	t.Expect(d.UUID()).To(Equal(uuid), "the domain's UUID")
	t.Refuses("start a guest that runs", libvirt.ERR_OPERATION_INVALID, d.Raw.Create)
	g.ExpectUndisturbed(pulse)
}

// doubled starts a guest whose emulator runs unknown to libvirt, and tells what comes of
// it. Who has two of them has lost the disk.
func doubled(t *steps.T, g *steps.Guest, was steps.Pulse) string {
	err := t.Try("start the guest once more", g.Domain.Again().Raw.Create)
	said := "a second start goes well"
	if err != nil {
		said = "a second start is refused: " + steps.Text(err)
	}
	return fmt.Sprintf("%s; processes: %q", said, g.Emulators())
}

// started is a running guest that both stacks can have: its machine is one of the older.
func started(t *steps.T, opts ...domain.Option) *steps.Guest {
	older := t
	if goal := t.Goal(); matrix.Compare(goal.Version(matrix.QEMU), t.Version(matrix.QEMU)) < 0 {
		older = goal
	}
	g := t.NewGuest()
	d := t.DefineXML(g, t.Marshal(older.Describe(g, opts...)))
	d.Start()
	return d.Guest()
}

// restarted has the new daemon take the old one's place, and returns what it says of the
// guest.
func restarted(t *steps.T, g *steps.Guest) *steps.Domain {
	t.RestartLibvirt(syscall.SIGTERM)
	return known(t, g)
}

// known returns what the new daemon says of the guest. Why it does not know one that runs
// is in nothing but its log.
func known(t *steps.T, g *steps.Guest) *steps.Domain {
	err := t.Try("look the guest up", func() error {
		d, err := t.Connection().Raw.LookupDomainByName(g.Domain.Name)
		if err == nil {
			err = d.Free()
		}
		return err
	})
	if steps.Code(err) == libvirt.ERR_NO_DOMAIN {
		t.Fail(t.Layer, "the daemon has lost the guest: %s; its emulator runs as process %s; the daemon's log:\n%s",
			steps.Text(err), g.Emulators(), t.Sh("grep -h ' error : ' /var/log/virtmatrix/*.log | tail -n 3"))
	}
	g.Domain = g.Domain.Again()
	return g.Domain
}

// updated moves the packages as users do, and starts the daemon anew where their scripts
// do not. It returns what the new one says of the guest.
func updated(t *steps.T, g *steps.Guest) *steps.Domain {
	if !t.Update() {
		return restarted(t, g)
	}
	return known(t, g)
}
