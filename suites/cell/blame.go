package cell

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/internal/console"
	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/owner"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// errStall says that L1 stood still and that its emulator may be why: emulated
// processors can lose each other's interrupts. Only when a fresh host stands still
// as well is it the product's.
var errStall = errors.New("its processors are emulated, and may be why")

// try takes a step and returns why it failed. A host that died explains whatever
// the step stumbled over. When our own fault was first, the death is what
// followed.
func (t *T) try(ctx context.Context, step func() error) error {
	thrown, err := caught(step)
	if thrown != nil {
		err = thrown.err
	}
	if dead := t.death(ctx, err); dead != nil && (err == nil || !ours(err)) {
		return dead
	}
	return err
}

// ours says that an error is our fault, and not the product's underneath.
func ours(err error) bool {
	v, _ := fault.Classify(err)
	var product *fault.Product
	return v == matrix.Infra && !errors.As(err, &product)
}

// pingLimit bounds how long a host may take to do nothing, at scale 1.
const pingLimit = 20 * time.Second

// death returns what the host died of, nil while it lives. After a failure the
// host is asked to do something: what failed may be the first sign of a death.
func (t *T) death(ctx context.Context, failed error) error {
	if t.vm == nil {
		return nil
	}
	if dead := t.vm.Alive(); dead != nil || failed == nil || ctx.Err() != nil {
		return dead
	}
	since := t.vm.Sched()
	ctx, cancel := t.Within(ctx, pingLimit)
	defer cancel()
	if _, err := t.vm.Exec(ctx, "true"); err != nil {
		if dead := t.vm.Alive(); dead != nil {
			return dead
		}
		return t.mute(since, failed)
	}
	return nil
}

// mute says why a host that lives answers nothing any more, where that is not the
// product's doing; nil leaves the failure as it is. What failed was no answer
// either.
func (t *T) mute(since owner.Sched, failed error) error {
	t.silent = true
	const op = "work on a host that answers nothing any more"
	got := t.vm.Sched().Sub(since)
	switch {
	case t.Contained(), got.Starved():
		// A container's kernel is L0's, and who does not answer there is our agent.
		return fault.Infraf(op, "%s %s; it came to: %v", t.cell.worker(), got, failed)
	case got == owner.Sched{}:
		return fault.Infraf(op, "%s was stopped from outside; it came to: %v", t.cell.worker(), failed)
	case t.forgives():
		return fault.Infraf(op, "%w; it came to: %v", errStall, failed)
	}
	t.Note("L1 answers nothing any more")
	return nil
}

// forgives says that a stall of this attempt's host may be its emulator's.
func (t *T) forgives() bool { return t.cell.run.Accel != "kvm" && !t.stalled }

// examine looks once more at a failure that seems to be the product's: whether it
// came of a check that was called off, or of a host that stood still meanwhile.
func (t *T) examine(ctx context.Context, failed error) error {
	if failed == nil || t.vm == nil || ours(failed) || t.vm.Alive() != nil {
		return failed
	}
	if ctx.Err() != nil {
		return fault.Infraf("finish check", "%w; it had come to: %v", context.Cause(ctx), failed)
	}
	if found := t.stalls(); len(found) > 0 {
		if stood := t.trouble("L1", found, matrix.LayerKernel); ours(stood) {
			return fault.Infraf("tell a failure from a stall", "%w\nit came to: %v", stood, failed)
		}
	}
	return failed
}

// standstill is the part of a limit that a host runs at least, also when it has
// nothing to do: one that ran less may have been stopped with the whole machine (a
// frozen control group, a paused virtual machine).
const standstill = 50

// lost is what a limit that was reached may be stretched by, once: how long the
// host waited for a processor, and all of it when it stood still. A machine with
// much to do is slow, and says nothing about the product.
func (t *T) lost(since owner.Sched, limit time.Duration) time.Duration {
	got := t.vm.Sched().Sub(since)
	if got.Ran < limit/standstill {
		return limit
	}
	return min(got.Waited, limit)
}

// refused ends the attempt because nothing could be opened in L1: a refusal is the
// product's answer, and silence is none.
func (t *T) refused(err error, layer matrix.Layer, op string) {
	if agent.Refused(err) {
		err = &fault.Product{Layer: layer, Op: op, Err: err}
	}
	t.must(err, op)
}

// late ends the attempt because something took too long. Whose fault it is
// depends on whether the host had a processor meanwhile.
func (t *T) late(since owner.Sched, what string) {
	got := t.vm.Sched().Sub(since)
	if got.Starved() {
		t.must(fault.Infraf("work on a starved machine", "%s; %s %s", what, t.cell.worker(), got), what)
	}
	t.Fail(t.layer, "%s (%s %s)", what, t.cell.worker(), got)
}

// trouble attributes what a console said. A stall of a host that waited for a
// processor more than it ran is the machine's. One of an emulated host may be
// the emulator's.
func (t *T) trouble(who string, found []console.Finding, layer matrix.Layer) error {
	var lines []string
	stalls := true
	for _, f := range found {
		lines = append(lines, f.String())
		stalls = stalls && f.Severity == console.Stall
		if strings.HasPrefix(f.Line, "(XEN)") {
			layer = matrix.LayerHypervisor
		}
	}
	text := strings.Join(lines[:min(len(lines), 10)], "\n")
	if got := t.vm.Sched().Sub(t.sched); stalls && got.Starved() {
		return fault.Infraf("watch consoles on a starved machine", "%s says, while its emulator %s:\n%s", who, got, text)
	}
	if stalls && t.forgives() {
		return fault.Infraf("tell a stall from the emulator's", "%s says once, and %w:\n%s", who, errStall, text)
	}
	return fault.Productf(layer, "keep the console of "+who+" clean", "it says:\n%s", text)
}
