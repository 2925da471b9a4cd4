package connection

import (
	"maps"
	"slices"
	"syscall"
	"time"

	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// A driver that has a daemon of its own is reached through the one that manages guests, by
// one connection for each client (remoteOpenConn, src/remote/remote_daemon_dispatch.c).
var _ = check.Register("O-CONN-DRV", check.Spec{
	Asserts: "A client that stays connected while one of libvirt's daemons starts anew is answered by all drivers, or told that its connection has ended",
	Depends: check.On(matrix.Libvirt),
	Control: sabotage.Lasting(),
}, func(t *steps.T) {
	for _, daemon := range t.Daemons() {
		conn := t.NewConnection()
		for driver, list := range conn.Lists() {
			t.Do("list what the driver "+driver+" has", list)
		}
		t.RestartDaemon(daemon, syscall.SIGTERM)
		answered(t, conn, daemon.Name)
	}
})

// toldLimit is how long a call may take over a connection that was lost, and the word of it.
const toldLimit = 10 * time.Second

// answered asks each driver through a connection of before the restart of a daemon.
func answered(t *steps.T, conn *steps.Connection, daemon string) {
	lists := conn.Lists()
	for _, driver := range slices.Sorted(maps.Keys(lists)) {
		op := "list what the driver " + driver + " has over a connection of before the restart of " + daemon
		err := t.Begin(op, lists[driver]).End(toldLimit)
		if err == nil {
			continue
		}
		t.Until(toldLimit, "the connection has ended, over which to "+op+" fails: "+steps.Text(err), func() bool {
			alive, err := conn.Raw.IsAlive()
			return err == nil && !alive
		})
		return
	}
}
