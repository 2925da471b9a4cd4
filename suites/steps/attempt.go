package steps

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/owner"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// ErrEmulator says that L1 failed in a way of which its emulator may be the cause:
// emulated processors lose interrupts and miss changes of code. Only when a fresh
// host fails in the same way is it the product's.
var ErrEmulator = errors.New("its processors are emulated, and may be why")

// Attempt runs a body and returns why it did not hold, classified. The consoles of
// hosts and guests are watched meanwhile.
func (t *T) Attempt(body func(*T)) error {
	whole := t.ctx
	limited, hung := context.WithCancelCause(whole)
	defer func() { hung(nil); t.ctx = whole }()
	t.ctx = limited
	err := t.try(func() {
		for _, s := range t.sessions {
			go t.view(s).endWhenHung(limited, hung)
		}
		body(t)
		t.must(t.watchGuests(), "watch consoles of guests")
		t.must(t.judged, "judge")
	})
	if h := (hang{}); err != nil && errors.As(context.Cause(limited), &h) {
		return h.error // what the step then stumbled over is not the cause
	}
	return t.examine(err)
}

// wayBackLimit bounds how long an attempt may take to undo what it did, at scale 1. A
// step that hangs there must reach its own limit first.
const wayBackLimit = 10 * time.Minute

// WayBack undoes what the attempt did, and looks at what the hosts' consoles said.
// It is part of the check: what the product refuses here fails it, and a host may
// die of it. A host that could not be brought back must not be used again.
func (t *T) WayBack() error {
	limited, cancel := context.WithTimeoutCause(t.ctx, t.Limit(wayBackLimit),
		fault.Infraf("clean up", "it was not done within %s", t.Limit(wayBackLimit)))
	defer cancel()
	t.ctx = limited
	return t.examine(t.try(func() {
		for len(t.cleanups) > 0 {
			last := len(t.cleanups) - 1
			undo := t.cleanups[last]
			t.cleanups = t.cleanups[:last]
			undo()
		}
		for _, s := range t.sessions {
			t.must(t.view(s).watchHost(), "watch console")
		}
	}))
}

// view is the attempt as seen from a host.
func (t *T) view(s *Session) *T { return &T{t.attempt, s, cmp.Or(s.Cell, t.attempt.Cell)} }

// try takes steps and returns why they failed. A host that died explains whatever
// the steps stumbled over. When our own fault was first, the death is what
// followed.
func (t *T) try(steps func()) error {
	err := caught(steps)
	if err != nil && isInfra(err) {
		return err
	}
	for _, s := range t.sessions {
		if dead := t.view(s).death(err); dead != nil {
			return dead
		}
	}
	return err
}

// isInfra says that an error is our fault, and not the product's underneath.
func isInfra(err error) bool {
	v, _ := fault.Classify(err)
	var product *fault.Product
	return v == matrix.Infra && !errors.As(err, &product)
}

// pingLimit bounds how long a host may take to do nothing, at scale 1.
const pingLimit = 20 * time.Second

// death returns what the host died of, nil while it lives. After a failure the host
// is asked to do something: what failed may be the first sign of a death.
func (t *T) death(failed error) error {
	vm := t.s.Host
	if dead := vm.Alive(); dead != nil || failed == nil || t.ctx.Err() != nil {
		return dead
	}
	since := vm.Sched()
	ctx, cancel := context.WithTimeout(t.ctx, t.Limit(pingLimit))
	defer cancel()
	if _, err := vm.Exec(ctx, "true"); err != nil {
		if dead := vm.Alive(); dead != nil {
			return dead
		}
		return t.unresponsive(since, failed)
	}
	return nil
}

// unresponsive returns an INFRA error if a live host stopped answering for a reason
// outside the product, else nil.
func (t *T) unresponsive(since owner.Sched, failed error) error {
	t.silent = true
	const op = "work on a host that answers nothing any more"
	got := t.s.Host.Sched().Sub(since)
	switch {
	case t.Contained(), got.Starved():
		// A container's kernel is L0's, and who does not answer there is our agent.
		return fault.Infraf(op, "%s %s; it came to: %v", t.worker(), got, failed)
	case got == owner.Sched{}:
		return fault.Infraf(op, "%s was stopped from outside; it came to: %v", t.worker(), failed)
	case t.mayBeEmulator():
		return fault.Infraf(op, "%w; it came to: %v", ErrEmulator, failed)
	}
	t.Note("L1 answers nothing any more")
	return nil
}

// mayBeEmulator says that a stall or panic of this attempt's host may be its
// emulator's: it is emulated, and this has not happened to the check before.
func (t *T) mayBeEmulator() bool { return t.emulated() && !t.Stalled }

// emulated says that the processors of this attempt's host are.
func (t *T) emulated() bool { return t.Accel != "kvm" && !t.Contained() }

// examine looks once more at a failure that seems to be the product's: whether it
// came of a check that was called off, of a host that stood still meanwhile, or of
// an emulated kernel that died as emulated kernels do.
func (t *T) examine(failed error) error {
	if failed == nil || isInfra(failed) {
		return failed
	}
	for _, s := range t.sessions {
		if s.Host.Alive() != nil {
			return t.view(s).excuse(failed)
		}
	}
	if t.ctx.Err() != nil {
		return fault.Infraf("finish check", "%w; it had come to: %v", context.Cause(t.ctx), failed)
	}
	for _, s := range t.sessions {
		v := t.view(s)
		found := v.stalls()
		if len(found) == 0 {
			continue
		}
		if stood := v.trouble("L1", found, matrix.LayerKernel); isInfra(stood) {
			return fault.Infraf("tell a failure from a stall", "%w\nit came to: %v", stood, failed)
		}
	}
	return failed
}

// excuse makes the death of an emulated host ours the first time: a panic of its
// kernel may be the emulator's. Seen twice of the same check, it is the product's.
func (t *T) excuse(dead error) error {
	if !t.mayBeEmulator() {
		return dead
	}
	return fault.Infraf("tell a dead host from its emulator", "%w\nit came to: %v", ErrEmulator, dead)
}
