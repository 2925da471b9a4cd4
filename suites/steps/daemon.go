package steps

import (
	"context"
	"slices"
	"syscall"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/layout"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// RestartLibvirt ends libvirt's daemon by a signal, starts it again as it was, and
// waits until it answers. One that does not fails the check. Where drivers have daemons
// of their own it is done to all of them, as an update does.
func (t *T) RestartLibvirt(signal syscall.Signal) {
	for _, d := range slices.Backward(t.Daemons()) {
		t.restart(d.Name, signal)
	}
	t.reconnect()
}

// startLibvirt starts those of libvirt's daemons that do not run any more, and says whether
// the one that manages guests was among them.
func (t *T) startLibvirt() (manager bool) {
	all, err := t.Layout().Start(t.Kind())
	t.must(err, "find libvirt's daemons")
	for _, d := range all {
		if t.Run("pidof " + d.Name).OK() {
			continue
		}
		if d.Name == t.Manager().Name {
			t.s.foreign, manager = false, true
		}
		t.Note("%s did not run any more", d.Name)
		t.restart(d.Name, syscall.SIGTERM)
	}
	return manager
}

// RestartManager does so to the daemon that manages guests alone.
func (t *T) RestartManager(signal syscall.Signal) { t.RestartDaemon(t.Manager(), signal) }

// RestartDaemon does so to one of libvirt's daemons.
func (t *T) RestartDaemon(d layout.Daemon, signal syscall.Signal) {
	t.restart(d.Name, signal)
	t.reconnect()
}

// restart ends a daemon by a signal and starts it again as it was.
func (t *T) restart(daemon string, signal syscall.Signal) {
	op := "restart " + daemon
	if t.s.foreign { // the agent ends only what it started
		t.endDaemon(t.Manager())
		t.s.foreign = false
	}
	vm := t.Host()
	t.must(t.await(patience{op: op, limit: callLimit, layer: matrix.LayerManagement, who: "the daemon"}, func(ctx context.Context) error {
		return vm.Restart(ctx, daemon, signal)
	}), op)
}

// reexecuteLimit is how long a daemon may take to execute its program anew, at scale 1.
const reexecuteLimit = 10 * time.Second

// Reexecute has a daemon that others keep something open in execute its program anew, as an
// upgrade of its package does, and says whether it is there then.
func (t *T) Reexecute(name, pid string) (there bool) {
	maps := "head -n 1 /proc/" + pid + "/maps" // a program lies where it did not before
	old := t.Sh(maps)
	t.Sh("kill -USR1 " + pid)
	t.Until(reexecuteLimit, name+" has executed its program anew, or ended", func() bool { return t.Run(maps).Text() != old })
	return t.Exists("/proc/" + pid + "/exe")
}

// disconnect forgets the connection to a daemon that was ended: it leads nowhere any more, and
// says so.
func (t *T) disconnect() {
	if old := t.s.conn; old != nil {
		t.s.conn, t.s.more = nil, append(t.s.more, old)
	}
}

// reconnect gives checks a connection to the new daemon.
func (t *T) reconnect() {
	t.disconnect()
	t.s.conn = t.open(t.Manager().Socket, false)
}
