package steps

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
	"github.com/virtmatrix/virtmatrix/internal/layout"
	"github.com/virtmatrix/virtmatrix/internal/qmp"
)

// How long an emulator may take at scale 1: to open its QMP socket or to end, and to
// answer one command. An emulated L1 links some 300 libraries for it.
const (
	emulatorLimit = 2 * time.Minute
	qmpLimit      = time.Minute
)

// qemuDir is where the sockets and logs of emulators are in L1.
const qemuDir = "/run/virtmatrix"

// QEMU is the cell's emulator, started in L1 by a check itself and not by libvirt.
type QEMU struct {
	t    *T
	name string
	log  string
	args []string
	conn *qmp.Conn
	// ended is closed when the process is gone; then result is how it ended, or err
	// why that is not known.
	ended  chan struct{}
	result agent.Result
	err    error
}

// StartQEMU starts the cell's emulator with no devices but those of args, and opens a
// QMP session to it. It is killed when the check is over.
//
// Its processors stand still until it is told to "cont", as libvirt starts it too:
// one that runs at once may announce that before it greets (7.2 does), which is not
// QMP.
func (t *T) StartQEMU(args ...string) *QEMU {
	t.emulators++
	name := fmt.Sprintf("qemu-%d", t.emulators)
	q := &QEMU{t: t, name: name, log: qemuDir + "/" + name + ".log", args: args, ended: make(chan struct{})}
	socket := qemuDir + "/" + name + ".qmp"
	t.Sh("mkdir -p " + qemuDir + " && rm -f " + socket)
	t.KeepLog(name+".log", "cat "+q.log)
	argv := append([]string{
		t.Program(layout.Emulator), "-name", name, "-nodefaults", "-no-user-config", "-display", "none", "-S",
		"-qmp", "unix:" + socket + ",server=on,wait=off",
	}, args...)
	for i, arg := range argv {
		argv[i] = host.Quote(arg)
	}
	// Its life is the check's: a deadline of the check must not kill it before the
	// evidence is collected.
	running, kill := context.WithCancel(context.WithoutCancel(t.ctx))
	vm := t.Host()
	go func() {
		defer close(q.ended)
		q.result, q.err = vm.Exec(running, "exec "+strings.Join(argv, " ")+" >"+q.log+" 2>&1 </dev/null")
	}()
	t.Cleanup(func() { kill(); <-q.ended })
	q.connect(vm, socket)
	return q
}

// connect waits for the QMP socket and opens a session. Its transcript is part of the
// evidence.
func (q *QEMU) connect(vm Host, socket string) {
	const op = "open a QMP session to the started emulator"
	path := filepath.Join(q.t.Transcripts, q.t.Check+"-"+q.name+"-qmp.ndjson")
	q.t.KeepFile(path)
	transcript, err := os.Create(path)
	q.t.must(err, "write QMP transcript")
	go func() {
		<-q.ended
		_ = transcript.Close() // a transcript that is not whole changes no verdict
	}()
	opened := make(chan *qmp.Conn, 1)
	q.answered(op, q.t.await(q.patience(op, emulatorLimit), func(ctx context.Context) error {
		rw, err := q.dial(ctx, vm, socket)
		if err != nil {
			return err
		}
		conn, err := qmp.New(ctx, rw, qmp.Options{Transcript: transcript})
		opened <- conn
		return err
	}))
	q.conn = <-opened
	conn := q.conn
	go func() {
		<-q.ended
		_ = conn.Close()
	}()
}

// dial connects to the socket as soon as it is there.
func (q *QEMU) dial(ctx context.Context, vm Host, socket string) (io.ReadWriteCloser, error) {
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

func (q *QEMU) patience(op string, limit time.Duration) patience {
	return patience{op: op, limit: limit, layer: q.t.Layer, who: "the emulator"}
}

// Greeting is what the emulator said of itself when the session was opened.
func (q *QEMU) Greeting() qmp.Greeting { return q.conn.Greeting() }

// Domain is the emulator as go-qemu sees it. It uses this session and ends with it;
// calls on it belong into Ask.
func (q *QEMU) Domain() (d *qemu.Domain) {
	q.Ask("open go-qemu's domain", func() (err error) {
		d, err = qemu.NewDomain(q.conn, q.name)
		return err
	})
	return d
}

// Ask makes a call on the session that must succeed.
func (q *QEMU) Ask(op string, call func() error) {
	q.accepted(op, q.ask(op, func(context.Context) error { return call() }))
}

// Do runs a QMP command that must succeed and decodes what it returned into reply, a
// pointer; nil discards it. args become its arguments unless nil.
func (q *QEMU) Do(command string, args, reply any) {
	q.accepted("QMP command "+command, q.Try(command, args, reply))
}

// Try runs a QMP command and returns the emulator's refusal, nil when it did what it
// was told.
func (q *QEMU) Try(command string, args, reply any) *qmp.Error {
	if s := q.t.swallowed; s != nil && s.Command == command {
		s.Times++
		return nil
	}
	return q.ask("run QMP command "+command, func(ctx context.Context) error {
		return q.conn.Do(ctx, command, args, reply)
	})
}

func (q *QEMU) accepted(op string, refusal *qmp.Error) {
	if refusal != nil {
		q.t.Fail(q.t.Layer, "the emulator refuses %s: %v", op, refusal)
	}
}

func (q *QEMU) ask(op string, call func(context.Context) error) *qmp.Error {
	return q.answered(op, q.t.await(q.patience(op, qmpLimit), call))
}

// answered returns the emulator's refusal; whatever else went wrong ends the attempt.
func (q *QEMU) answered(op string, err error) *qmp.Error {
	var refusal *qmp.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refusal):
		return refusal
	}
	q.t.Host() // a dead one explains it
	switch {
	case errors.Is(err, qmp.ErrGone), errors.Is(err, qmp.ErrClosed): // we hang up on one that has ended
		if q.over(qmpLimit) {
			q.t.Fail(q.t.Layer, "cannot %s: the emulator ended with %s", op, q.lastWords())
		}
		q.t.Fail(q.t.Layer, "cannot %s: %v, but the emulator's process is still there", op, err)
	case errors.Is(err, qmp.ErrProtocol):
		q.t.Fail(q.t.Layer, "cannot %s: %v", op, err)
	}
	q.t.must(err, op)
	return nil
}

// Quit tells the emulator to end, and asserts that it does so with status 0.
func (q *QEMU) Quit() {
	const op = "run QMP command quit"
	err := q.t.await(q.patience(op, qmpLimit), func(ctx context.Context) error { return q.conn.Do(ctx, "quit", nil, nil) })
	// Its end may be noticed, and the session closed, before its answer is read.
	if !errors.Is(err, qmp.ErrClosed) {
		q.accepted("QMP command quit", q.answered(op, err))
	}
	since := q.t.now()
	if !q.over(emulatorLimit) {
		q.t.late(q.t.Layer, since, "wait for the emulator to end after it agreed to quit")
	}
	if !q.result.OK() {
		q.t.Fail(q.t.Layer, "the emulator agreed to quit and ended with %s", q.lastWords())
	}
}

// over waits until the process has ended, and says whether it has.
func (q *QEMU) over(limit time.Duration) bool {
	limited, cancel := context.WithTimeout(q.t.ctx, q.t.Limit(limit))
	defer cancel()
	select {
	case <-q.ended:
		q.t.must(q.err, "wait for the emulator")
		return true
	case <-limited.Done():
		if q.t.ctx.Err() != nil {
			q.t.must(context.Cause(q.t.ctx), "wait for the emulator")
		}
		return false
	}
}

// lastWords says how the process ended and what it printed.
func (q *QEMU) lastWords() string {
	said := q.t.Run("tail -c 4096 " + q.log)
	return fmt.Sprintf("status %d%s, and said:\n%s", q.result.Code, signalWords(q.result.Signal), console.Tail(said.Stdout, 20))
}

// Guest returns the guest that the emulator was started with, see domain.Arguments,
// once it has spoken. An emulator that takes over a guest waits for it again.
func (q *QEMU) Guest(who domain.Guest) *Guest {
	t, socket := q.t, domain.ConsoleSocket(who.Name)
	for _, g := range t.guests {
		if g.Name == who.Name && g.t.s == t.s {
			g.WaitReady()
			return g
		}
	}
	g := &Guest{t: t, Name: who.Name, Token: who.Token, log: domain.ConsoleLog(who.Name),
		dial: func() (io.ReadWriteCloser, error) { return t.Host().Dial(socket) }}
	t.guests = append(t.guests, g)
	t.RemoveAfter(g.log)
	t.RemoveAfter(socket)
	g.WaitReady()
	return g
}
