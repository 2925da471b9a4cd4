package cell

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/internal/console"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/internal/journal"
	"github.com/virtmatrix/virtmatrix/internal/layout"
	"github.com/virtmatrix/virtmatrix/internal/owner"
	"github.com/virtmatrix/virtmatrix/internal/progress"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// fakeHost is an L1 without a machine.
type fakeHost struct {
	t      *testing.T
	logDir string

	mu     sync.Mutex
	dead   error
	sched  owner.Sched
	ran    []string
	closed int
	notes  []string
	// gone is closed with the host.
	gone chan struct{}
	// exec answers commands; nil means that each succeeds without a word.
	exec func(ctx context.Context, command string) (agent.Result, error)
	// dial opens sockets; nil means that none does.
	dial func(path string) (net.Conn, error)
}

func (h *fakeHost) die(of error) { h.mu.Lock(); h.dead = of; h.mu.Unlock() }

func (h *fakeHost) Alive() error       { h.mu.Lock(); defer h.mu.Unlock(); return h.dead }
func (h *fakeHost) Sched() owner.Sched { h.mu.Lock(); defer h.mu.Unlock(); return h.sched }
func (h *fakeHost) Quirks() []string   { return []string{"a quirk"} }
func (h *fakeHost) Notes() []string    { return h.notes }
func (h *fakeHost) LogDir() string     { return h.logDir }

func (h *fakeHost) Layout() layout.Manifest {
	return layout.Manifest{Firmware: []layout.Firmware{{Code: "/usr/share/OVMF/OVMF_CODE_4M.fd", Vars: "/usr/share/OVMF/OVMF_VARS_4M.fd", Format: "raw"}}}
}

func (h *fakeHost) Close() error {
	if h.closed++; h.closed == 1 {
		close(h.gone)
	}
	return nil
}

func (h *fakeHost) Console() console.Log {
	return console.Log{Path: filepath.Join(h.logDir, host.ConsoleFile)}
}

func (h *fakeHost) prints(text string) {
	f, err := os.OpenFile(h.Console().Path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		h.t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		h.t.Fatal(err)
	}
}

func (h *fakeHost) Exec(ctx context.Context, command string) (agent.Result, error) {
	h.mu.Lock()
	h.ran = append(h.ran, command)
	answer := h.exec
	h.mu.Unlock()
	if answer == nil {
		return agent.Result{}, nil
	}
	return answer(ctx, command)
}

func (h *fakeHost) Write(context.Context, string, []byte) error { return nil }

var errNoWire = errors.New("a fake has no wires")

func (h *fakeHost) Dial(path string) (net.Conn, error) {
	if h.dial == nil {
		return nil, errNoWire
	}
	return h.dial(path)
}

func (h *fakeHost) Registers(context.Context) (string, error) { return "RIP=ffffffff81000000", nil }

func (h *fakeHost) OpenTTY(string) (io.ReadWriteCloser, error) { return nil, errNoWire }
func (h *fakeHost) Forward(string) (string, error)             { return "", errNoWire }

// fakeBooter hands out fake hosts and keeps them.
type fakeBooter struct {
	t     *testing.T
	hosts []*fakeHost
	// refuse is asked before each boot, which counts from 1.
	refuse func(boot int) error
	// banner is what each console says first.
	banner string
	// admit makes room; nil means that there always is.
	admit func(ctx context.Context, tell func(why string)) (Place, error)
	// places are the rooms that were given.
	places []*fakePlace
	// forgotten counts how often no saved state was to count any more.
	forgotten int
}

func (b *fakeBooter) Forget(*matrix.Cell) error { b.forgotten++; return nil }

func (b *fakeBooter) Admit(ctx context.Context, _ *matrix.Cell, tell func(why string)) (Place, error) {
	if b.admit != nil {
		return b.admit(ctx, tell)
	}
	p := &fakePlace{}
	b.places = append(b.places, p)
	return p, nil
}

// fakePlace is room on no machine.
type fakePlace struct{ released, root int }

func (p *fakePlace) Uses(_ context.Context, pid int) error { p.root = pid; return nil }

func (p *fakePlace) Release() { p.released++ }

func (b *fakeBooter) Boot(ctx context.Context, _ *matrix.Cell, logDir string) (Host, error) {
	if err := os.MkdirAll(logDir, 0o755); err != nil {
		b.t.Fatal(err)
	}
	h := &fakeHost{t: b.t, logDir: logDir, gone: make(chan struct{})}
	h.prints(b.banner)
	b.hosts = append(b.hosts, h)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if b.refuse != nil {
		if err := b.refuse(len(b.hosts)); err != nil {
			return nil, err
		}
	}
	return h, nil
}

func (b *fakeBooter) KernelRelease(*matrix.Cell) (string, error) { return "6.1.0-fake", nil }

// fakeJournal keeps the answers in memory.
type fakeJournal struct {
	records []journal.Record
	full    error
}

func (j *fakeJournal) Append(r journal.Record) error {
	j.records = append(j.records, r)
	return j.full
}

// bench is a cell on fakes.
type bench struct {
	*Cell
	t       *testing.T
	booter  *fakeBooter
	journal *fakeJournal
	events  []progress.Event
}

func newBench(t *testing.T) *bench {
	t.Helper()
	plan := &matrix.Cell{
		ID: "kvm_linux-6.1_qemu-7.2_libvirt-9.0", Kind: matrix.KVM,
		Stack: []matrix.Choice{
			{Component: matrix.Linux, Version: "6.1", Package: "6.1.158-1"},
			{Component: matrix.QEMU, Version: "7.2", Package: "1:7.2+dfsg-7"},
		},
		Images: []matrix.ImageRef{{Role: "userland-kvm", Release: "bookworm", Packages: "set-1"}},
		Checks: []matrix.PlannedCheck{{ID: "IK-BOOT"}, {ID: "O-START", Needs: []string{"IK-BOOT"}}, {ID: "O-SAVE", Needs: []string{"IK-BOOT", "O-START"}}, {ID: "O-X", Unsupported: "not here"}},
	}
	b := &bench{t: t, booter: &fakeBooter{t: t, banner: "[    0.0] Linux version 6.1\n"}, journal: &fakeJournal{}}
	run := &Run{
		Plan: &matrix.Plan{Hash: "plan-hash"}, Dir: t.TempDir(), Boot: b.booter, Journal: b.journal,
		Events: func(e progress.Event) { b.events = append(b.events, e) },
		Accel:  "tcg", Emulator: "qemu 7.2", Harness: "v0", Scale: 1,
	}
	b.Cell = New(run, plan, nil)
	return b
}

// answer runs a check of the plan.
func (b *bench) answer(ctx context.Context, id string, body Body) journal.Record {
	b.t.Helper()
	for _, p := range b.Plan.Checks {
		if p.ID == id {
			rec, err := b.Answer(ctx, p, body)
			if err != nil {
				b.t.Fatal(err)
			}
			return rec
		}
	}
	b.t.Fatalf("no check %s", id)
	return journal.Record{}
}

// wants checks an answer: its verdict, its layer, and words of its reason.
func (b *bench) wants(rec journal.Record, v matrix.Verdict, layer matrix.Layer, words ...string) {
	b.t.Helper()
	if rec.Verdict != v || rec.Layer != layer {
		b.t.Errorf("%s: %s in %q: %s; want %s in %q", rec.Check, rec.Verdict, rec.Layer, rec.Reason, v, layer)
	}
	for _, w := range words {
		if !strings.Contains(rec.Reason, w) {
			b.t.Errorf("%s: the reason does not say %q:\n%s", rec.Check, w, rec.Reason)
		}
	}
}

func (b *bench) evidence(rec journal.Record, name string) string {
	b.t.Helper()
	text, err := os.ReadFile(filepath.Join(b.run.Dir, rec.Evidence, name))
	if rec.Evidence == "" || err != nil {
		b.t.Errorf("%s: no evidence %s in %q: %v", rec.Check, name, rec.Evidence, err)
	}
	return string(text)
}

func holds(context.Context, *T) {}

// host is the one that was booted last.
func (b *bench) host() *fakeHost { return b.booter.hosts[len(b.booter.hosts)-1] }

// schedules books time of L0's scheduler for the host.
func (h *fakeHost) schedules(ran, waited time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sched.Ran, h.sched.Waited = h.sched.Ran+ran, h.sched.Waited+waited
}

func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}
