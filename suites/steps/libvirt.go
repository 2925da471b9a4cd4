package steps

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/internal/layout"
	"github.com/virtmatrix/virtmatrix/internal/libvirterr"
	"github.com/virtmatrix/virtmatrix/matrix"
	"libvirt.org/go/libvirt"
)

// callLimit bounds one libvirt call at scale 1. Starting a guest under an emulated
// host takes some 15 s, the first call after the daemon's start 25 s.
const callLimit = 3 * time.Minute

// Connection is a connection from L0 to libvirt's daemon in L1.
type Connection struct {
	t *T
	// Raw is the binding's, for calls that are to be refused.
	Raw *libvirt.Connect
}

// startEventLoop gives libvirt the event loop that it needs for events and
// keepalive. It must run before the first connection, once per process, and cannot
// be stopped (libvirt's virEventRegisterDefaultImpl).
var startEventLoop = sync.OnceValue(func() error {
	if err := libvirt.EventRegisterDefaultImpl(); err != nil {
		return err
	}
	go func() {
		for libvirt.EventRunDefaultImpl() == nil {
		}
	}()
	return nil
})

// require gets what a check needs before it can ask its question. If the product
// fails in that, the check is blocked: answer is the check that asks about it.
func (t *T) require(what, answer string, get func()) {
	err := caught(get)
	if v, _ := fault.Classify(err); v == matrix.Fail && t.Check != answer {
		err = &fault.Unmet{What: what, Check: answer, Err: err}
	}
	t.must(err, "get "+what)
}

// Connection is the connection that checks share, opened when there is none.
func (t *T) Connection() *Connection {
	if t.s.conn == nil {
		t.require("a connection to libvirt", "O-CONN", func() { t.s.conn = t.open(t.Manager().Socket, false) })
	}
	return &Connection{t, t.s.conn}
}

// NewConnection opens a connection for this check alone.
func (t *T) NewConnection() *Connection { return t.keep(t.open(t.Manager().Socket, false)) }

// ReadOnlyConnection opens the socket for readers, and the client library knows.
func (t *T) ReadOnlyConnection() *Connection { return t.keep(t.open(t.Manager().ReadOnly, true)) }

// ReaderSocket opens the socket for readers without telling the client library, so
// that what is refused on it is refused by the daemon.
func (t *T) ReaderSocket() *Connection { return t.keep(t.open(t.Manager().ReadOnly, false)) }

// keep has a connection closed when the check is over, unless that is done by then.
func (t *T) keep(conn *libvirt.Connect) *Connection {
	s := t.s
	s.more = append(s.more, conn)
	t.Cleanup(func() {
		if i := slices.Index(s.more, conn); i >= 0 {
			(&Connection{t, conn}).Close()
		}
	})
	return &Connection{t, conn}
}

func (t *T) open(socket string, readOnly bool) *libvirt.Connect {
	t.must(startEventLoop(), "start libvirt's event loop")
	local, err := t.Host().Forward(socket)
	t.must(err, "forward libvirt's socket")
	t.s.forwards = append(t.s.forwards, local)
	driver := "qemu"
	if t.Kind() == matrix.Xen {
		driver = "xen"
	}
	uri := fmt.Sprintf("%s+unix:///system?socket=%s", driver, local)
	open := libvirt.NewConnect
	if readOnly {
		open = libvirt.NewConnectReadOnly
	}
	return Get(t, "connect to "+t.URI(), func() (*libvirt.Connect, error) { return open(uri) })
}

// Get makes a libvirt call that must succeed and returns its answer.
func Get[V any](t *T, op string, call func() (V, error)) (v V) {
	t.Do(op, func() (err error) {
		v, err = call()
		return err
	})
	return v
}

// Do makes a libvirt call that must succeed.
func (t *T) Do(op string, call func() error) { t.doWithin(callLimit, op, call) }

func (t *T) doWithin(limit time.Duration, op string, call func() error) {
	if err := t.tryWithin(limit, op, call); err != nil {
		t.must(&fault.Product{Layer: matrix.LayerManagement, Op: op, Err: errors.New(Text(err))}, op)
	}
}

// Try makes a libvirt call and returns libvirt's error. It ends the attempt when the
// call was not answered: by a dead host or daemon, or in time.
func (t *T) Try(op string, call func() error) error { return t.tryWithin(callLimit, op, call) }

func (t *T) tryWithin(limit time.Duration, op string, call func() error) error {
	err := t.await(patience{op: op, limit: limit, layer: matrix.LayerManagement, who: "libvirt"},
		func(context.Context) error { return call() })
	if name, missing := libvirterr.MissingSymbol(err); missing {
		client, _ := libvirterr.ClientVersion()
		t.must(fault.Infraf(op, "libvirt's client library on L0, %s, lacks %s", client, name), op)
	}
	if err != nil && unanswered(err) && !t.ofAnother(err) {
		t.must(t.explain(op, err), op)
	}
	return err
}

// Refuses asserts that a libvirt call is refused with the given error number.
func (t *T) Refuses(op string, want libvirt.ErrorNumber, call func() error) {
	err := t.Try(op, call)
	if err == nil {
		t.Fail(matrix.LayerManagement, "%s succeeded, but must be refused with %s", op, named(want))
	}
	if got := Code(err); got != want {
		t.Fail(matrix.LayerManagement, "%s was refused with %s, not %s: %s", op, named(got), named(want), Text(err))
	}
}

// named is an error number with its name.
func named(n libvirt.ErrorNumber) string { return fmt.Sprintf("%s (%d)", libvirterr.Code(n), n) }

// LacksOnXen says that the check is over on Xen: the libxl driver lacks the call, and
// says so (VIR_ERR_NO_SUPPORT).
func (t *T) LacksOnXen(op string, call func() error) bool {
	if t.Kind() != matrix.Xen {
		return false
	}
	t.Refuses(op+" on Xen", libvirt.ERR_NO_SUPPORT, call)
	return true
}

// noStream begins what a daemon answers that may not open what a stream is to be of
// (virFDStreamOpenFileInternal): its domain and code are those of a connection that broke.
const noStream = "Unable to open stream for "

// unanswered says that an error is about the way to the daemon, not an answer of it.
func unanswered(err error) bool {
	var e libvirt.Error
	if !errors.As(err, &e) {
		return true
	}
	switch e.Domain {
	case libvirt.FROM_RPC, libvirt.FROM_REMOTE, libvirt.FROM_STREAMS:
		if strings.HasPrefix(e.Message, noStream) {
			return false
		}
		return e.Code == libvirt.ERR_SYSTEM_ERROR || e.Code == libvirt.ERR_INTERNAL_ERROR || e.Code == libvirt.ERR_RPC
	}
	return e.Code == libvirt.ERR_NO_CONNECT
}

// ofAnother says that an error is the daemon's answer: it did not reach the daemon of
// another driver.
func (t *T) ofAnother(err error) bool {
	return slices.ContainsFunc(t.Daemons()[1:], func(d layout.Daemon) bool { return strings.Contains(err.Error(), "/"+d.Name+"-sock") })
}

// Daemons are those of libvirt's drivers, the one that manages guests first.
func (t *T) Daemons() []layout.Daemon {
	all, err := t.Layout().Drivers(t.Kind())
	t.must(err, "find libvirt's daemons")
	slices.Reverse(all)
	return all
}

// explain says why a call was not answered: L1 is dead, a daemon is, the daemon ended
// the connection while it runs on, or it was us.
func (t *T) explain(op string, err error) error {
	for _, d := range t.Daemons() {
		res, execErr := t.Host().Exec(t.ctx, "pidof "+d.Name+" || tail -n 20 "+agent.ServiceLog("agent")+" "+agent.ServiceLog(d.Name))
		if execErr != nil {
			return execErr
		}
		if len(res.Stdout) == 0 || res.Stdout[0] < '0' || res.Stdout[0] > '9' {
			return fault.Productf(matrix.LayerManagement, op, "%s is not running (%s); its log ends with:\n%s", d.Name, Text(err), res.Text())
		}
	}
	daemon := t.Manager().Name
	if end := t.s.hungUp(); end != nil && end.By == host.ByDaemon {
		return fault.Productf(matrix.LayerManagement, op, "%s, which is still running, ended the connection (%s): %s", daemon, end, Text(err))
	}
	return fault.Infraf(op, "the connection to %s broke, which is still running: %s", daemon, Text(err))
}

// Code returns the number of a libvirt error, 0 for none.
func Code(err error) libvirt.ErrorNumber {
	var e libvirt.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return 0
}

// Text is an error for people: of libvirt's, its message and the name of its code.
func Text(err error) string { return libvirterr.Text(err) }

// Close closes the connection; it must have been the last reference to it.
func (c *Connection) Close() {
	s := c.t.s
	s.more = slices.DeleteFunc(s.more, func(o *libvirt.Connect) bool { return o == c.Raw })
	left := Get(c.t, "close connection", c.Raw.Close)
	c.t.Expect(left).To(beZero, "references to the closed connection")
}

// Names lists the names of all domains.
func (c *Connection) Names() []string {
	return Get(c.t, "list domains", func() (names []string, err error) {
		all, err := c.Raw.ListAllDomains(0)
		for i := range all {
			name, nameErr := all[i].GetName()
			err = errors.Join(err, nameErr)
			names = append(names, name)
			_ = all[i].Free()
		}
		return names, err
	})
}

// Lookup finds a domain by its name.
func (c *Connection) Lookup(name string) *Domain {
	d := &Domain{t: c.t, Name: name}
	d.Raw = Get(c.t, "look domain up", func() (*libvirt.Domain, error) { return c.Raw.LookupDomainByName(name) })
	c.t.Cleanup(func() { _ = d.Raw.Free() })
	return d
}

// Define defines a domain of which nothing but the definition is wanted.
func (c *Connection) Define(xml string) {
	c.t.Do("define domain", func() error { return c.TryDefine(xml, 0) })
}

// TryDefine defines a domain and returns libvirt's error, without a step's patience.
func (c *Connection) TryDefine(xml string, flags libvirt.DomainDefineFlags) error {
	d, err := c.Raw.DomainDefineXMLFlags(xml, flags)
	if err == nil {
		_ = d.Free()
	}
	return err
}

// Restore restores a domain from the file that it was saved to.
func (c *Connection) Restore(file string) {
	c.t.Do("restore domain", func() error { return c.Raw.DomainRestoreFlags(file, "", 0) })
}
