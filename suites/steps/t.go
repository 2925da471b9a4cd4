// Package steps is the language of checks: T is one attempt of a check on its
// hosts, and typed nouns (Domain, Guest, Pool, Volume, QEMU, ...) have a method for
// each call.
//
// Steps return values and no errors. What goes wrong ends the attempt with a fault
// that is classified where it happens: the product's, or ours. Every step is
// bounded, so a product that hangs fails its check.
package steps

import (
	"context"
	"fmt"
	"net"
	"runtime/debug"
	"strings"
	"time"

	"github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/layout"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// Env is what an attempt works with.
type Env struct {
	Cell *matrix.Cell
	// Check is the ID of the check, Layer what its assertions are about.
	Check string
	Layer matrix.Layer
	// Attempt counts from 1. Stalled says that the one before may have failed
	// because of the L0 emulator.
	Attempt int
	Stalled bool
	// Accel is L0's accelerator, Scale the machine's time factor.
	Accel string
	Scale float64
	// Against is the cell whose version the check compares this one's with; nil if it
	// compares none. Captures has what their images hold.
	Against  *matrix.Cell
	Captures Captures
	// Goal is the cell whose packages the host moves to; nil if none move.
	Goal *matrix.Cell
	// AddOns are the packages that the host can have above its stack.
	AddOns []string
	// Deliver is how the packages of a candidate's cell come to a host.
	Deliver func(context.Context, *matrix.Cell) (Deliveries, error)
	// Kernel returns what uname -r prints under the cell's kernel.
	Kernel func() (string, error)
	// Digests returns the SHA-256 of the files that the cell's kernel and root are in,
	// by name, and of the commits on its medium, by branch.
	Digests func() (map[string]string, error)
	// Transcripts is the folder of L0 for what is written down during the attempt.
	Transcripts string
}

// T is one attempt of a check, on one of its hosts.
type T struct {
	*attempt
	s *Session
	// Cell is the one whose stack the host has.
	Cell *matrix.Cell
}

// attempt is what the views of all hosts of an attempt share.
type attempt struct {
	Env
	ctx      context.Context
	gomega   *gomega.WithT
	sessions []*Session

	said, notes []string
	cleanups    []func()
	guests      []*Guest
	logs        []l1Log
	files       []string
	emulators   int
	// texts are evidence that the check made itself, by name.
	texts map[string]string
	// planted says that the older version is to have a fact that no image has.
	planted bool
	// delivery is the cell's, once it was asked for.
	delivery *Delivery
	// moved is what packages moved, spoil what a control does once some moved or came.
	moved string
	// met is the process of libvirt's daemon before a mishap.
	met string
	// origin is what the host was before that.
	origin *matrix.Cell
	spoil  func()
	// judged is what Judge found.
	judged error
	// silent is set when a host answers nothing any more.
	silent bool
	// guestFaults are how guests are to misbehave; none as a rule.
	guestFaults l2.Faults
	// swallowed is the command that emulators never get; nil as a rule.
	swallowed *Swallowed
	// spent is the time that passed in L1 and L2.
	spent time.Duration
}

// stop ends an attempt.
type stop struct{ err error }

// New begins an attempt on hosts; the first one is that of T. It ends with ctx. A
// check without hosts has none.
func New(ctx context.Context, env Env, sessions ...*Session) *T {
	a := &attempt{Env: env, ctx: ctx, sessions: sessions, texts: map[string]string{}}
	a.gomega = gomega.NewGomega(func(message string, _ ...int) {
		panic(stop{fault.Productf(a.Layer, "hold "+a.Check, "%s", strings.TrimSpace(message))})
	}).(*gomega.WithT)
	for _, s := range sessions {
		s.begin()
	}
	if len(sessions) == 0 {
		return &T{attempt: a, Cell: env.Cell}
	}
	return (&T{attempt: a}).On(0)
}

// Others are the attempt as seen from each host after the first.
func (t *T) Others() []*T {
	var others []*T
	for i := 1; i < len(t.sessions); i++ {
		others = append(others, t.On(i))
	}
	return others
}

// On returns the attempt as seen from its i-th host, counted from 0.
func (t *T) On(i int) *T { return t.view(t.sessions[i]) }

// Expect asserts something about the product.
func (t *T) Expect(actual any, extra ...any) types.Assertion {
	return t.gomega.Expect(actual, extra...)
}

// Fail ends the attempt: the product did not behave.
func (t *T) Fail(layer matrix.Layer, format string, args ...any) {
	panic(stop{fault.Productf(layer, "hold "+t.Check, format, args...)})
}

// Judge finds, when a check has looked at all that it asks about and has nothing left on its
// hosts, that the product did not behave. The attempt fails by it as by Fail, but its way
// back is walked, and the next check goes on with the hosts.
func (t *T) Judge(layer matrix.Layer, format string, args ...any) {
	t.judged = fault.Productf(layer, "hold "+t.Check, format, args...)
}

// Judged says whether an attempt failed by what Judge found, and by nothing else.
func (t *T) Judged(failed error) bool { return failed != nil && failed == t.judged }

// must ends the attempt when err is set. An error that nobody classified is ours.
func (t *T) must(err error, op string) {
	if err == nil {
		return
	}
	if v, _ := fault.Classify(err); v == matrix.Infra && !classifiedInfra(err) {
		err = fault.Infraf(op, "%w", err)
	}
	panic(stop{err})
}

func classifiedInfra(err error) bool {
	_, ok := err.(*fault.Infra)
	return ok
}

// Note keeps a fact that decides nothing.
func (t *T) Note(format string, args ...any) {
	t.notes = append(t.notes, fmt.Sprintf(format, args...))
}

// Notes are the facts that decide nothing, Said what guests said of themselves.
func (t *T) Notes() []string { return t.notes }

// Said is what guests said of themselves.
func (t *T) Said() []string { return t.said }

// Spent is the time that passed in L1 and L2.
func (t *T) Spent() time.Duration { return t.spent }

// Kind is the hypervisor kind of the cell.
func (t *T) Kind() matrix.Kind { return t.Cell.Kind }

// Contained says that the cell's hosts are containers.
func (t *T) Contained() bool { return t.Cell.Tier == matrix.Container }

// Version is the upstream number of a component ("9.0").
func (t *T) Version(c matrix.Component) string { return t.choice(c).Upstream() }

// Package is the full version of a component's leading package.
func (t *T) Package(c matrix.Component) string { return t.choice(c).Package }

// AtLeast says whether the cell has a version of the component, or a newer one.
func (t *T) AtLeast(c matrix.Component, version string) bool {
	return matrix.Compare(t.Version(c), version) >= 0
}

// choice returns the version of a component in this cell. To ask for one that the
// stack lacks is our own fault.
func (t *T) choice(c matrix.Component) matrix.Choice {
	ch, ok := t.Cell.Choice(c)
	if !ok {
		t.must(fault.Infraf("ask for "+string(c), "cell %s has none", t.Cell.ID), "")
	}
	return ch
}

// KernelRelease is what uname -r must print in L1 and in L2.
func (t *T) KernelRelease() string {
	r, err := t.Kernel()
	t.must(err, "ask for kernel release")
	return r
}

// Settings are what the cell's settings make of its kvm guests.
func (t *T) Settings() domain.Settings {
	s, err := domain.Read(t.Cell, t.Accel)
	t.must(err, "read settings")
	return s
}

// Machine is the versioned machine type of the cell's guests.
func (t *T) Machine() string { return t.Settings().Seen.Machine }

// guestAccel is what runs the cell's guests. A plan with settings that cannot be
// read is refused before a cell is opened.
func (t *T) guestAccel() string { return GuestAccel(t.Cell, t.Accel) }

// GuestAccel is what runs the guests of a cell where L0 has an accelerator.
func GuestAccel(cell *matrix.Cell, l0 string) string {
	if cell.Kind == matrix.Xen {
		return "xen-pv"
	}
	s, _ := domain.Read(cell, l0)
	return s.Accel
}

// Limit is a duration at scale 1 in this machine's time.
func (t *T) Limit(d time.Duration) time.Duration {
	return time.Duration(float64(d) * max(t.Scale, 1))
}

// Host is the host that this view of the attempt works on. It ends the attempt when
// the host has died.
func (t *T) Host() Host {
	if t.s == nil {
		t.must(fault.Infraf("work on host", "check %s asked for none", t.Check), "")
	}
	t.must(t.s.Host.Alive(), "work on host")
	return t.s.Host
}

// Layout is where the host of this view has its things.
func (t *T) Layout() layout.Manifest { return t.s.Host.Layout() }

// Program is where the host has a program, which may be outside of PATH. That it has
// none is our own fault.
func (t *T) Program(name string) string {
	path, err := t.Layout().Program(name)
	t.must(err, "find program")
	return path
}

// Manager is the daemon of libvirt that manages the host's guests.
func (t *T) Manager() layout.Daemon {
	d, err := t.Layout().Manager(t.Kind())
	t.must(err, "find libvirt's daemon")
	return d
}

// DaemonPID is the process of the daemon. One that runs a command is two for a moment,
// and the child is the younger.
func (t *T) DaemonPID() string {
	return t.Sh("pidof " + t.Manager().Name + " | tr ' ' '\\n' | sort -n | head -n 1 | grep .")
}

// DaemonSays is what went wrong last in a part of libvirt, as functions' names begin, by the
// log of its daemon.
func (t *T) DaemonSays(part string) string {
	return t.Sh("grep -h ': error : " + part + "' " + agent.ServiceLog(t.Manager().Name) + " | tail -n 3 | cut -c 1-300")
}

// Cleanup has steps run when the attempt has held, the last ones first. What the
// product refuses there fails the check.
func (t *T) Cleanup(undo func()) { t.cleanups = append(t.cleanups, undo) }

// caught runs f and returns what ended the attempt in it: a stop, or a mistake of
// ours that would end the whole process.
func caught(f func()) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case stop:
			err = r.err
		default:
			err = fault.Infraf("run check", "the harness panicked: %v\n%s", r, debug.Stack())
		}
	}()
	f()
	return nil
}

// Ours runs steps that are not the product's to fail in: what goes wrong there is our
// own fault.
func (t *T) Ours(op string, steps func()) error {
	if err := caught(steps); err != nil {
		return fault.Infraf(op, "%w", err)
	}
	return nil
}

// SetGuestFaults has the guests of this attempt misbehave.
func (t *T) SetGuestFaults(faults l2.Faults) { t.guestFaults = faults }

// TapLibvirt has new connections to libvirt's daemons tampered with.
func (t *T) TapLibvirt(tap func(daemon net.Conn) net.Conn) {
	for i, s := range t.sessions {
		tapped, ok := s.Host.(Tapped)
		if !ok || s.conn != nil {
			t.must(fault.Infraf("tamper with connections to libvirt", "the host has no taps, or a connection is open"), "")
		}
		tapped.Tap(t.On(i).Manager().Socket, tap)
	}
}
