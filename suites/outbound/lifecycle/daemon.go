package lifecycle

import (
	"syscall"
	"time"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

var _ = check.Register("O-DAEMON", check.Spec{
	Asserts:  "A guest runs on while libvirt's daemon ends, at once or orderly, and the new daemon finds it as it was",
	Requires: []matrix.Requirement{matrix.KVMStack},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU),
	Control:  sabotage.Command("a daemon that forgets its guests", "(while :; do rm -f /run/libvirt/qemu/*.xml; sleep 0.1; done) >/dev/null 2>&1 &"),
}, func(t *steps.T) {
	g := t.Guest()
	id, uuid, mark := g.Domain.ID(), g.Domain.UUID(), g.Mark()
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		t.RestartLibvirt(signal)
		d := t.Connection().Lookup(g.Name)
		t.Expect(d.State()).To(Equal(libvirt.DOMAIN_RUNNING), "state of the guest after %s of the daemon", signal)
		t.Expect(d.ID()).To(Equal(id), "the domain's ID after %s of the daemon", signal)
		t.Expect(d.UUID()).To(Equal(uuid), "the domain's UUID after %s of the daemon", signal)
		g.ExpectGoesOn(mark)
		d.Suspend()
		d.Resume()
		g.ExpectGoesOn(mark)
	}
})

// The daemon answers before it is connected with the emulators that it finds (qemuProcessReconnect).
var _ = check.Register("O-DAEMON-FIRST", check.Spec{
	Asserts:  "What is asked of a guest as soon as a new daemon answers is done, and told as done",
	Requires: []matrix.Requirement{matrix.KVMStack},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU),
	Control:  sabotage.Swallow("virDomainSuspend"),
}, func(t *steps.T) {
	d, g := t.Started()
	mark := g.Mark()
	first := func() *steps.Domain {
		t.RestartManager(syscall.SIGTERM)
		return t.Connection().Lookup(d.Name)
	}
	suspended := first()
	suspended.Suspend()
	t.Expect(suspended.State()).To(Equal(libvirt.DOMAIN_PAUSED), "state of the guest that was suspended first")
	first().Resume()
	g.ExpectGoesOn(mark)
	ended := first()
	ended.Destroy()
	ended.ExpectOff(libvirt.DOMAIN_SHUTOFF_DESTROYED)
	t.Expect(t.HasProcess(d.Name)).To(BeFalse(), "the hypervisor runs the guest that was destroyed first")
})

// bus is how long the daemon is watched after its bus has ended, at scale 1.
const bus = 3 * time.Second

// GDBus ends a process with its connection unless it says otherwise
// (g_dbus_connection_set_exit_on_close).
var _ = check.Register("O-DAEMON-BUS", check.Spec{
	Asserts:  "The daemon goes on when the system's bus ends, and tells of its guest as before",
	Requires: []matrix.Requirement{matrix.KVMStack},
	Depends:  check.On(matrix.Libvirt),
	Control: sabotage.Command("a daemon that is bound to the bus", "(until pidof dbus-daemon; do sleep 0.05; done; while pidof dbus-daemon; do sleep 0.05; done; "+
		"kill $(pidof libvirtd virtqemud)) >/dev/null 2>&1 &"),
}, func(t *steps.T) {
	g := t.Guest()
	mark := g.Mark()
	t.StartBus()
	t.RestartManager(syscall.SIGTERM) // it looks for the bus at its start
	d, daemon := t.Connection().Lookup(g.Name), t.DaemonPID()
	t.EndBus()
	ended := time.Now()
	t.Until(2*bus, "the daemon has been without a bus for a while", func() bool {
		t.Expect(t.Exists("/proc/"+daemon+"/exe")).To(BeTrue(), "the daemon's process is there after its bus has ended")
		return time.Since(ended) >= t.Limit(bus)
	})
	t.Expect(d.State()).To(Equal(libvirt.DOMAIN_RUNNING), "state of the guest, as the daemon without a bus tells it")
	g.ExpectGoesOn(mark)
})
