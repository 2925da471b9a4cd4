package cell

import (
	"context"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/internal/console"
	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/owner"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// T is one attempt of a check. Its steps do not return errors: what goes wrong
// ends the attempt with a fault that was classified where it happened.
type T struct {
	cell    *Cell
	check   matrix.PlannedCheck
	attempt int
	// layer is what an assertion of this check is about.
	layer  matrix.Layer
	gomega *gomega.WithT
	// vm is the host that the attempt began on. Another one would have lost
	// what the attempt did to it, and what the first one died of.
	vm Host

	said, notes []string
	cleanups    []func(context.Context) error
	guests      []*Guest
	logs        []l1Log
	files       []string
	emulators   int
	consoleAt   int64
	// stalled is set when the attempt before ended in what may be a stall of the
	// emulator, silent when the host answers nothing any more.
	stalled, silent bool
	// sched is what the host's emulator had of L0's scheduler at the beginning.
	sched owner.Sched
}

// stop ends an attempt.
type stop struct{ err error }

func newT(c *Cell, p matrix.PlannedCheck, attempt int) *T {
	t := &T{cell: c, check: p, attempt: attempt, layer: layerOf(p.ID)}
	t.gomega = gomega.NewGomega(func(message string, _ ...int) {
		panic(stop{fault.Productf(t.layer, "hold "+p.ID, "%s", strings.TrimSpace(message))})
	}).(*gomega.WithT)
	if c.contained() && c.run.Engine != "" {
		t.Note("in a container of %s", c.run.Engine)
	}
	return t
}

// layerOf is the layer that a check's own assertions speak about, by the
// family in its ID.
func layerOf(id string) matrix.Layer {
	switch {
	case strings.HasPrefix(id, "IK-"):
		return matrix.LayerKernel
	case strings.HasPrefix(id, "IQ-"), strings.HasPrefix(id, "IX-"):
		return matrix.LayerHypervisor
	}
	return matrix.LayerManagement
}

// Expect asserts something about the product.
func (t *T) Expect(actual any, extra ...any) types.Assertion {
	return t.gomega.Expect(actual, extra...)
}

// Fail ends the attempt: the product did not behave.
func (t *T) Fail(layer matrix.Layer, format string, args ...any) {
	panic(stop{fault.Productf(layer, "hold "+t.check.ID, format, args...)})
}

// must ends the attempt when err is set. An error that nobody classified is
// ours.
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

// Kind is the hypervisor kind of the cell.
func (t *T) Kind() matrix.Kind { return t.cell.Plan.Kind }

// Native says that all packages of the cell come from one release.
func (t *T) Native() bool { return t.cell.Plan.Composition == matrix.Native }

// Contained says that the cell's host is a container.
func (t *T) Contained() bool { return t.cell.contained() }

// Version is the upstream number of a component ("9.0").
func (t *T) Version(c matrix.Component) string {
	ch, err := t.cell.choice(c)
	t.must(err, "ask for version")
	return ch.Upstream()
}

// Package is the full version of a component's leading package.
func (t *T) Package(c matrix.Component) string {
	ch, err := t.cell.choice(c)
	t.must(err, "ask for package")
	return ch.Package
}

// KernelRelease is what uname -r must print in L1 and in L2.
func (t *T) KernelRelease() string {
	r, err := t.cell.run.Boot.KernelRelease(t.cell.Plan)
	t.must(err, "ask for kernel release")
	return r
}

// bootHost makes sure of a host, and remembers where its console stands: that
// of a host booted for this check is part of the check.
func (t *T) bootHost(ctx context.Context) {
	had := t.cell.vm
	vm, died, err := t.cell.host(ctx)
	if died != nil {
		t.Note("the host before died between two checks: %v", died)
	}
	t.must(err, "boot host")
	t.vm, t.sched = vm, vm.Sched()
	if vm == had {
		t.consoleAt = vm.Console().Size()
		return
	}
	for _, n := range vm.Notes() {
		t.Note("a fresh host: %s", n)
	}
}

// Host is the host of this attempt. It ends the attempt when the host has died.
func (t *T) Host(context.Context) Host {
	t.must(t.vm.Alive(), "work on host")
	return t.vm
}

// Run runs a shell command in L1 and returns how it ended, whatever that is.
func (t *T) Run(ctx context.Context, command string) agent.Result {
	vm := t.Host(ctx)
	start := time.Now()
	res, err := vm.Exec(ctx, command)
	t.cell.spent(time.Since(start))
	t.must(err, "run "+command)
	return res
}

// Sh runs a shell command in L1 that must succeed and returns what it printed
// on standard output, trimmed.
func (t *T) Sh(ctx context.Context, command string) string {
	res := t.Run(ctx, command)
	if !res.OK() {
		t.Fail(t.layer, "%q ended with status %d%s:\n%s", command, res.Code, signalWords(res.Signal), console.Tail([]byte(res.Text()), 20))
	}
	return strings.TrimSpace(string(res.Stdout))
}

func signalWords(sig string) string {
	if sig == "" {
		return ""
	}
	return " (signal " + sig + ")"
}

// Put writes a file of L1.
func (t *T) Put(ctx context.Context, path, content string) {
	t.must(t.Host(ctx).Write(ctx, path, []byte(content)), "write "+path)
}

// Within bounds a context by a limit at scale 1.
func (t *T) Within(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, t.cell.limit(d))
}

// Until asks again until the condition holds. It fails the check, in words,
// when that takes longer than the limit at scale 1; on a machine that starved
// the host meanwhile, that is our fault and not the product's.
func (t *T) Until(ctx context.Context, limit time.Duration, what string, holds func() bool) {
	start := time.Now()
	since, deadline := t.Host(ctx).Sched(), start.Add(t.cell.limit(limit))
	granted := false
	for !holds() {
		if err := ctx.Err(); err != nil {
			t.must(context.Cause(ctx), "wait until "+what)
		}
		if time.Now().After(deadline) && !granted {
			deadline, granted = deadline.Add(t.lost(since, t.cell.limit(limit))), true
		}
		if time.Now().After(deadline) {
			t.late(since, fmt.Sprintf("wait until %s: not so after %s", what, time.Since(start).Round(time.Second)))
		}
		time.Sleep(100 * time.Millisecond)
		t.Host(ctx) // a dead one will not make it so
	}
}

// Cleanup runs f when the attempt has held, last first. One that failed takes its
// host with it, and what it did there.
func (t *T) Cleanup(f func(context.Context) error) { t.cleanups = append(t.cleanups, f) }

// cleanUpLimit bounds how long an attempt may take to undo what it did, at scale 1.
const cleanUpLimit = 3 * time.Minute

// cleanUp undoes what the attempt did, and says why that did not work: then the
// next check needs a fresh host.
func (t *T) cleanUp(ctx context.Context) error {
	ctx, cancel := t.Within(ctx, cleanUpLimit)
	defer cancel()
	for len(t.cleanups) > 0 {
		last := len(t.cleanups) - 1
		undo := t.cleanups[last]
		t.cleanups = t.cleanups[:last]
		if err := t.undo(ctx, undo); err != nil {
			return err
		}
	}
	return nil
}

// undo runs a cleanup. It is left alone when ctx ends: a call of libvirt knows no
// deadline, and ends with the host.
func (t *T) undo(ctx context.Context, f func(context.Context) error) error {
	done := make(chan error, 1)
	go func() {
		thrown, err := caught(func() error { return f(ctx) })
		if thrown != nil {
			err = thrown.err
		}
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// caught runs f and catches what ended the attempt in it: a stop, or a mistake of
// ours that would end the whole process.
func caught(f func() error) (thrown *stop, err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case stop:
			thrown = &r
		default:
			thrown = &stop{fault.Infraf("run check", "the harness panicked: %v\n%s", r, debug.Stack())}
		}
	}()
	return nil, f()
}
