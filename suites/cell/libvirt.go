package cell

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/matrix"
	"libvirt.org/go/libvirt"
)

// callLimit bounds one libvirt call at scale 1. Starting a guest under an
// emulated host takes some 15 s, the first call after the daemon's start 25 s.
const callLimit = 3 * time.Minute

// links are the libvirt connections of L0 to one host's daemon.
type links struct {
	// conn is the one that checks share.
	conn *libvirt.Connect
	// more are those that checks opened and have not given back.
	more []*libvirt.Connect
	// calls are under way, also when nobody waits for them any more.
	calls sync.WaitGroup
}

// close closes the connections in the background: one that is closed under a
// call brings the whole process down. A call that hangs ends when the forwarded
// socket does, with the host.
func (l *links) close() {
	go func() {
		l.calls.Wait()
		if l.conn != nil {
			_, _ = l.conn.Close()
		}
		for _, c := range l.more {
			_, _ = c.Close()
		}
	}()
}

// giveBack closes a connection that a check opened.
func (l *links) giveBack(conn *libvirt.Connect) error {
	l.more = slices.DeleteFunc(l.more, func(c *libvirt.Connect) bool { return c == conn })
	_, err := conn.Close()
	return err
}

var eventLoop sync.Once

// startEventLoop gives libvirt the event loop it needs for events and
// keepalive. It must run before the first connection, once per process, and
// cannot be stopped (libvirt's virEventRegisterDefaultImpl).
func startEventLoop() error {
	var err error
	eventLoop.Do(func() {
		if err = libvirt.EventRegisterDefaultImpl(); err != nil {
			return
		}
		go func() {
			for {
				if libvirt.EventRunDefaultImpl() != nil {
					return
				}
			}
		}()
	})
	return err
}

// URI is the libvirt URI of the cell's driver, as a user in L1 gives it.
func (t *T) URI() string {
	if t.Kind() == matrix.Xen {
		return "xen:///system"
	}
	return "qemu:///system"
}

// Connect returns the cell's connection from L0 to libvirtd in L1, opening it
// when there is none.
func (t *T) Connect(ctx context.Context) *libvirt.Connect {
	vm := t.Host(ctx)
	if t.cell.links.conn == nil {
		t.cell.links.conn = t.open(ctx, vm, host.LibvirtSocket, false)
	}
	return t.cell.links.conn
}

// ConnectAnew opens a read-write connection that the check closes itself.
func (t *T) ConnectAnew(ctx context.Context) *libvirt.Connect {
	return t.open(ctx, t.Host(ctx), host.LibvirtSocket, false)
}

// ConnectReadOnly opens a connection of its own to the socket for readers.
func (t *T) ConnectReadOnly(ctx context.Context) *libvirt.Connect {
	return t.openForReading(ctx, true)
}

// ConnectUnaware opens the socket for readers without telling the client
// library, so that what is refused on it is refused by the daemon.
func (t *T) ConnectUnaware(ctx context.Context) *libvirt.Connect {
	return t.openForReading(ctx, false)
}

func (t *T) openForReading(ctx context.Context, readOnly bool) *libvirt.Connect {
	conn := t.open(ctx, t.Host(ctx), host.LibvirtROSocket, readOnly)
	links := t.cell.links
	links.more = append(links.more, conn)
	t.Cleanup(func(context.Context) error { return links.giveBack(conn) })
	return conn
}

func (t *T) open(ctx context.Context, vm Host, socket string, readOnly bool) *libvirt.Connect {
	t.must(startEventLoop(), "start libvirt's event loop")
	local, err := vm.Forward(socket)
	t.must(err, "forward libvirt's socket")
	driver := "qemu"
	if t.Kind() == matrix.Xen {
		driver = "xen"
	}
	uri := fmt.Sprintf("%s+unix:///system?socket=%s", driver, local)
	var conn *libvirt.Connect
	t.Do(ctx, "connect to "+t.URI(), func() (err error) {
		if readOnly {
			conn, err = libvirt.NewConnectReadOnly(uri)
		} else {
			conn, err = libvirt.NewConnect(uri)
		}
		return err
	})
	return conn
}

// Do makes a libvirt call that must succeed.
func (t *T) Do(ctx context.Context, op string, call func() error) {
	if err := t.Try(ctx, op, call); err != nil {
		panic(stop{&fault.Product{Layer: matrix.LayerManagement, Op: op, Err: err}})
	}
}

// Try makes a libvirt call and returns libvirt's error. It ends the attempt
// when the call was not answered: by a dead host or daemon, or in time.
func (t *T) Try(ctx context.Context, op string, call func() error) error {
	vm := t.Host(ctx)
	since, start := vm.Sched(), time.Now()
	type outcome struct {
		thrown *stop
		err    error
	}
	done, calls := make(chan outcome, 1), &t.cell.links.calls
	calls.Add(1)
	go func() {
		defer calls.Done()
		thrown, err := caught(call)
		done <- outcome{thrown, err}
	}()
	limit := time.NewTimer(t.cell.limit(callLimit))
	defer limit.Stop()
	var got outcome
	for answered, granted := false, false; !answered; {
		select {
		case got = <-done:
			answered = true
		case <-limit.C:
			if lost := t.lost(since, t.cell.limit(callLimit)); lost > 0 && !granted {
				limit.Reset(lost)
				granted = true
				continue
			}
			t.cell.spent(time.Since(start))
			t.layer = matrix.LayerManagement
			t.late(since, fmt.Sprintf("%s: libvirt did not answer within %s", op, time.Since(start).Round(time.Second)))
		case <-ctx.Done():
			t.must(context.Cause(ctx), op)
		}
	}
	t.cell.spent(time.Since(start))
	if got.thrown != nil {
		panic(*got.thrown)
	}
	if got.err != nil && unanswered(got.err) {
		t.must(t.lostDaemon(ctx, op, got.err), op)
	}
	return got.err
}

// unanswered says that an error is about the way to the daemon, not an answer
// of it.
func unanswered(err error) bool {
	var e libvirt.Error
	if !errors.As(err, &e) {
		return true
	}
	switch e.Domain {
	case libvirt.FROM_RPC, libvirt.FROM_REMOTE, libvirt.FROM_STREAMS:
		return e.Code == libvirt.ERR_SYSTEM_ERROR || e.Code == libvirt.ERR_INTERNAL_ERROR || e.Code == libvirt.ERR_RPC
	}
	return e.Code == libvirt.ERR_NO_CONNECT
}

// lostDaemon explains a connection that broke: L1 is dead, its daemon is, or
// it was us.
func (t *T) lostDaemon(ctx context.Context, op string, err error) error {
	res, execErr := t.Host(ctx).Exec(ctx, "pidof libvirtd || tail -n 20 "+agent.ServiceLog("agent")+" "+agent.ServiceLog("libvirtd"))
	if execErr != nil {
		return execErr
	}
	if !startsWithDigit(res.Stdout) {
		return fault.Productf(matrix.LayerManagement, op, "libvirtd is not running (%w); its log ends with:\n%s", err, res.Text())
	}
	return fault.Infraf(op, "the connection to libvirtd broke, which is still running: %w", err)
}

func startsWithDigit(b []byte) bool { return len(b) > 0 && b[0] >= '0' && b[0] <= '9' }

// Code returns the number of a libvirt error, 0 for none.
func Code(err error) libvirt.ErrorNumber {
	var e libvirt.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return 0
}

// Refuses asserts that a libvirt call is refused with the given error number.
func (t *T) Refuses(ctx context.Context, op string, want libvirt.ErrorNumber, call func() error) {
	err := t.Try(ctx, op, call)
	if err == nil {
		t.Fail(matrix.LayerManagement, "%s succeeded, but must be refused with error %d", op, want)
	}
	if got := Code(err); got != want {
		t.Fail(matrix.LayerManagement, "%s was refused with error %d, not %d: %v", op, got, want, err)
	}
}
