package runner

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/capture"
	"github.com/virtmatrix/virtmatrix/internal/hosttest"
	"github.com/virtmatrix/virtmatrix/internal/journal"
	"github.com/virtmatrix/virtmatrix/internal/progress"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// fakeBooter hands out fake hosts and keeps them.
type fakeBooter struct {
	t     *testing.T
	hosts []*hosttest.Host
	// boots are how often hosts were booted; refuse is asked before each.
	boots  int
	refuse func(boot int) error
	// prepare is done to each host, whose console begins with banner.
	prepare func(*hosttest.Host)
	banner  string
	// admit makes room; nil means that there always is.
	admit func(ctx context.Context, tell func(why string)) (Place, error)
	// places are the rooms that were given.
	places []*fakePlace
	// sets are what images hold, by cell and kind.
	sets map[string]capture.Set
	// forgotten counts how often no saved state was to count any more.
	forgotten int
}

func (b *fakeBooter) ForgetAll(*matrix.Cell, matrix.Hosts) error { b.forgotten++; return nil }

func (b *fakeBooter) Reserve(ctx context.Context, _ *matrix.Cell, _ matrix.Hosts, tell func(why string)) (Place, error) {
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

func (b *fakeBooter) Start(ctx context.Context, _ *matrix.Cell, _ matrix.Hosts, logDir string) ([]steps.Host, error) {
	b.boots++
	h := hosttest.New(b.t, logDir)
	h.Print(b.banner)
	if b.prepare != nil {
		b.prepare(h)
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if b.refuse != nil {
		if err := b.refuse(b.boots); err != nil {
			return nil, err
		}
	}
	b.hosts = append(b.hosts, h)
	return []steps.Host{h}, nil
}

func (b *fakeBooter) Capture(_ context.Context, c *matrix.Cell, kind string) (capture.Set, error) {
	return b.sets[c.ID+" "+kind], nil
}

func (b *fakeBooter) KernelRelease(*matrix.Cell) (string, error) { return "6.1.0-fake", nil }

func (b *fakeBooter) Digests(*matrix.Cell) (map[string]string, error) { return nil, nil }

// fakeJournal keeps the answers in memory.
type fakeJournal struct {
	records []journal.Record
	full    error
}

func (j *fakeJournal) Append(r journal.Record) error {
	j.records = append(j.records, r)
	return j.full
}

// bench is a family of a cell on fakes.
type bench struct {
	*Family
	t       *testing.T
	booter  *fakeBooter
	journal *fakeJournal
	events  []progress.Event
	// against is the cell that checks compare theirs with.
	against string
}

// newBench has real processors under its hosts: nothing that they do is excused.
func newBench(t *testing.T) *bench {
	t.Helper()
	cell := &matrix.Cell{
		ID: "kvm_linux-6.1_qemu-7.2_libvirt-9.0", Kind: matrix.KVM, Tier: matrix.Nested,
		Stack: []matrix.Choice{
			{Component: matrix.Linux, Version: "6.1", Package: "6.1.158-1"},
			{Component: matrix.QEMU, Version: "7.2", Package: "1:7.2+dfsg-7"},
		},
		Images: []matrix.ImageRef{{Role: "userland-kvm", Release: "bookworm", Packages: "set-1"}},
		Checks: []matrix.PlannedCheck{
			{ID: "IX-BOOT", Family: "inbound/xen", Boot: true, Unsupported: "no Xen"},
			{ID: "IK-BOOT", Family: "inbound/kernel", Boot: true}, {ID: "O-START", Family: "outbound/lifecycle"},
			{ID: "O-CONN", Family: "outbound/connection"}, {ID: "O-SAVE", Family: "outbound/save"},
		},
	}
	b := &bench{t: t, booter: &fakeBooter{t: t, banner: "[    0.0] Linux version 6.1\n"}, journal: &fakeJournal{}}
	run := &Run{
		Plan: &matrix.Plan{Hash: "plan-hash"}, Dir: t.TempDir(), Boot: b.booter, Journal: b.journal,
		Events: func(e progress.Event) { b.events = append(b.events, e) },
		Accel:  "kvm", Emulator: "qemu 7.2", Harness: "v0", Scale: 1,
	}
	b.Family = NewFamily(run, cell, "outbound/lifecycle", 0)
	return b
}

// emulated has the processors of the hosts emulated.
func emulated(t *testing.T) *bench {
	b := newBench(t)
	b.run.Accel = "tcg"
	return b
}

// answer runs a check of the plan with a body.
func (b *bench) answer(ctx context.Context, id string, body func(*steps.T)) journal.Record {
	b.t.Helper()
	return b.answerWith(ctx, id, &check.Check{Body: body})
}

// answerWith runs a check of the plan.
func (b *bench) answerWith(ctx context.Context, id string, c *check.Check) journal.Record {
	b.t.Helper()
	for _, p := range b.Cell.Checks {
		if p.ID == id {
			c.ID, c.Family = p.ID, p.Family
			p.Hosts, p.Against = c.Hosts, b.against
			rec, err := b.Answer(ctx, p, c)
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

// evidence returns a file of an answer's evidence.
func (b *bench) evidence(rec journal.Record, name string) string {
	b.t.Helper()
	text, err := os.ReadFile(filepath.Join(b.run.Dir, rec.Evidence, name))
	if rec.Evidence == "" || err != nil {
		b.t.Errorf("%s: no evidence %s in %q: %v", rec.Check, name, rec.Evidence, err)
	}
	return string(text)
}

func holds(*steps.T) {}

// ours ends an attempt as our own fault.
func ours(*steps.T) { panic("pipe broke") }

// host is the one that was booted last.
func (b *bench) host() *hosttest.Host { return b.booter.hosts[len(b.booter.hosts)-1] }

func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// checkOf is a check of nothing but a body.
func checkOf(body func(*steps.T)) *check.Check {
	return &check.Check{Check: matrix.Check{ID: "IK-BOOT", Family: "inbound/kernel"}, Body: body}
}
