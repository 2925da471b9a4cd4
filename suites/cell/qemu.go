package cell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/digitalocean/go-qemu/qemu"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/internal/console"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/internal/owner"
	"github.com/virtmatrix/virtmatrix/internal/qmp"
)

// Emulator is the cell's qemu as a command in L1: in a bundled cell too, it is
// the one under test.
const Emulator = "qemu-system-x86_64"

// How long an emulator may take at scale 1: to open its QMP socket or to end,
// and to answer one command. An emulated L1 links some 300 libraries for it.
const (
	emulatorLimit = 2 * time.Minute
	commandLimit  = time.Minute
)

// qemuDir is where the sockets and logs of emulators are in L1.
const qemuDir = "/run/virtmatrix"

// QEMU is the cell's emulator, started in L1 by a check itself and not by
// libvirt.
type QEMU struct {
	t    *T
	name string
	log  string
	conn *qmp.Conn
	// ended is closed when the process is gone; then result is how it ended,
	// or err why that is not known.
	ended  chan struct{}
	result agent.Result
	err    error
}

// StartQEMU starts the cell's emulator with no devices but those of args, and
// opens a QMP session to it. It is killed when the check is over.
//
// Its processors stand still until it is told to "cont", as libvirt starts it
// too: one that runs at once may announce that before it greets (7.2 does), which
// is not QMP.
func (t *T) StartQEMU(ctx context.Context, args ...string) *QEMU {
	t.emulators++
	name := fmt.Sprintf("qemu-%d", t.emulators)
	q := &QEMU{t: t, name: name, log: qemuDir + "/" + name + ".log", ended: make(chan struct{})}
	socket := qemuDir + "/" + name + ".qmp"
	t.Sh(ctx, "mkdir -p "+qemuDir+" && rm -f "+socket)
	t.KeepLog(name+".log", "cat "+q.log)
	argv := append([]string{
		Emulator, "-name", name, "-nodefaults", "-no-user-config", "-display", "none", "-S",
		"-qmp", "unix:" + socket + ",server=on,wait=off",
	}, args...)
	for i, arg := range argv {
		argv[i] = host.Quote(arg)
	}
	// Its life is the check's: a deadline of the check must not kill it before
	// the evidence is collected.
	running, kill := context.WithCancel(context.WithoutCancel(ctx))
	vm := t.Host(ctx)
	go func() {
		defer close(q.ended)
		q.result, q.err = vm.Exec(running, "exec "+strings.Join(argv, " ")+" >"+q.log+" 2>&1 </dev/null")
	}()
	t.Cleanup(func(context.Context) error {
		kill()
		<-q.ended
		return nil
	})
	q.connect(ctx, vm, socket)
	return q
}

// connect waits for the QMP socket and opens a session. Its transcript is part
// of the evidence.
func (q *QEMU) connect(ctx context.Context, vm Host, socket string) {
	const op = "open a QMP session to the started emulator"
	since := vm.Sched()
	opening, cancel := q.t.Within(ctx, emulatorLimit)
	defer cancel()
	rw, err := q.dial(opening, vm, socket)
	if err != nil {
		q.fault(ctx, op, since, err)
	}
	path := filepath.Join(vm.LogDir(), q.t.check.ID+"-"+q.name+"-qmp.ndjson")
	q.t.KeepFile(path)
	transcript, err := os.Create(path)
	q.t.must(err, "write QMP transcript")
	q.conn, err = qmp.New(opening, rw, qmp.Options{Transcript: transcript})
	if err != nil {
		_ = transcript.Close()
		q.fault(ctx, op, since, err)
	}
	conn := q.conn
	go func() {
		<-q.ended
		_ = conn.Close()
		_ = transcript.Close() // a transcript that is not whole changes no verdict
	}()
}

// dial connects to the socket as soon as it is there.
func (q *QEMU) dial(ctx context.Context, vm Host, socket string) (io.ReadWriteCloser, error) {
	start := time.Now()
	defer func() { q.t.cell.spent(time.Since(start)) }()
	for {
		rw, err := vm.Dial(socket)
		if err == nil {
			return rw, nil
		}
		if dead := vm.Alive(); dead != nil {
			return nil, dead
		}
		select {
		case <-q.ended:
			return nil, fmt.Errorf("%w: it ended before its socket was there", qmp.ErrGone)
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", context.Cause(ctx), err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Greeting is what the emulator said of itself when the session was opened.
func (q *QEMU) Greeting() qmp.Greeting { return q.conn.Greeting() }

// Domain is the emulator as go-qemu sees it. It uses this session and ends with
// it; calls on it belong into Ask.
func (q *QEMU) Domain(ctx context.Context) *qemu.Domain {
	var d *qemu.Domain
	q.Ask(ctx, "open go-qemu's domain", func() (err error) {
		d, err = qemu.NewDomain(q.conn, q.name)
		return err
	})
	return d
}

// Ask makes a call on the session that must succeed.
func (q *QEMU) Ask(ctx context.Context, op string, call func() error) {
	q.accepted(op, q.ask(ctx, op, func(context.Context) error { return call() }))
}

// Do runs a QMP command that must succeed and decodes what it returned into
// reply, a pointer; nil discards it. args become its arguments unless nil.
func (q *QEMU) Do(ctx context.Context, command string, args, reply any) {
	q.accepted("QMP command "+command, q.Try(ctx, command, args, reply))
}

// Try runs a QMP command and returns the emulator's refusal, nil when it did
// what it was told.
func (q *QEMU) Try(ctx context.Context, command string, args, reply any) *qmp.Error {
	return q.ask(ctx, "run QMP command "+command, func(ctx context.Context) error {
		return q.conn.Do(ctx, command, args, reply)
	})
}

func (q *QEMU) accepted(op string, refusal *qmp.Error) {
	if refusal != nil {
		q.t.Fail(q.t.layer, "the emulator refuses %s: %v", op, refusal)
	}
}

// ask returns the emulator's refusal; whatever else goes wrong ends the
// attempt.
func (q *QEMU) ask(ctx context.Context, op string, call func(context.Context) error) *qmp.Error {
	since, start := q.t.Host(ctx).Sched(), time.Now()
	asking, cancel := q.t.Within(ctx, commandLimit)
	defer cancel()
	err := call(asking)
	q.t.cell.spent(time.Since(start))
	var refusal *qmp.Error
	if err != nil && !errors.As(err, &refusal) {
		q.fault(ctx, op, since, err)
	}
	return refusal
}

// Quit tells the emulator to end, and asserts that it does so with status 0.
func (q *QEMU) Quit(ctx context.Context) {
	q.Do(ctx, "quit", nil, nil)
	since := q.t.Host(ctx).Sched()
	if !q.over(ctx, emulatorLimit) {
		q.t.late(since, "wait for the emulator to end after it agreed to quit")
	}
	if !q.result.OK() {
		q.t.Fail(q.t.layer, "the emulator agreed to quit and ended with %s", q.lastWords(ctx))
	}
}

// over waits until the process has ended, and says whether it has.
func (q *QEMU) over(ctx context.Context, limit time.Duration) bool {
	limited, cancel := q.t.Within(ctx, limit)
	defer cancel()
	select {
	case <-q.ended:
		q.t.must(q.err, "wait for the emulator")
		return true
	case <-limited.Done():
		if ctx.Err() != nil {
			q.t.must(context.Cause(ctx), "wait for the emulator")
		}
		return false
	}
}

// lastWords says how the process ended and what it printed.
func (q *QEMU) lastWords(ctx context.Context) string {
	said := q.t.Run(ctx, "tail -c 4096 "+q.log)
	return fmt.Sprintf("status %d%s, and said:\n%s", q.result.Code, signalWords(q.result.Signal), console.Tail(said.Stdout, 20))
}

// fault ends the attempt because of an error that is not the emulator's
// refusal of a command.
func (q *QEMU) fault(ctx context.Context, op string, since owner.Sched, err error) {
	if ctx.Err() != nil {
		q.t.must(context.Cause(ctx), op)
	}
	if dead := q.t.Host(ctx).Alive(); dead != nil {
		q.t.must(dead, op)
	}
	switch {
	case errors.Is(err, qmp.ErrGone):
		if q.over(ctx, commandLimit) {
			q.t.Fail(q.t.layer, "cannot %s: the emulator ended with %s", op, q.lastWords(ctx))
		}
		q.t.Fail(q.t.layer, "cannot %s: %v, but the emulator's process is still there", op, err)
	case errors.Is(err, qmp.ErrProtocol):
		q.t.Fail(q.t.layer, "cannot %s: %v", op, err)
	case errors.Is(err, context.DeadlineExceeded):
		q.t.late(since, fmt.Sprintf("%s: %v", op, err))
	}
	q.t.must(err, op)
}

// Meets waits for the first word of the guest that the emulator was started
// with, see domain.Arguments. An emulator that takes over a guest meets it
// again.
func (q *QEMU) Meets(ctx context.Context, who domain.Guest) *Guest {
	for _, g := range q.t.guests {
		if g.Name == who.Name {
			g.Meets(ctx)
			return g
		}
	}
	t, socket := q.t, domain.ConsoleSocket(who.Name)
	g := &Guest{t: t, Name: who.Name, Token: who.Token, log: domain.ConsoleLog(who.Name), bare: true,
		dial: func(ctx context.Context) (io.ReadWriteCloser, error) { return t.Host(ctx).Dial(socket) }}
	t.guests = append(t.guests, g)
	t.RemoveAfter(g.log)
	t.RemoveAfter(socket)
	g.Meets(ctx)
	return g
}
