package steps

import (
	"context"
	"fmt"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/owner"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// patience bounds a step.
type patience struct {
	// op is the step, as in "start domain".
	op string
	// limit is at scale 1.
	limit time.Duration
	// layer is what hangs when the limit is reached, though the host ran.
	layer matrix.Layer
	// who did not answer, and what there is to say about it then; both may be empty.
	who  string
	last func() string
	// trouble is looked for while the call lasts, and ends the attempt; it may be nil.
	trouble func(context.Context) error
}

// await runs a call and returns its error. A call that takes too long ends the
// attempt: whose fault that is depends on whether the host had a processor
// meanwhile. The limit is stretched once by what the host waited for one. A call
// that does not heed its context is left behind.
func (t *T) await(p patience, call func(ctx context.Context) error) error {
	t.Host()
	since, began := t.s.recently(), time.Now()
	defer func() { t.spent += time.Since(began) }()
	ctx, cancel := context.WithCancel(t.ctx)
	defer cancel()
	type outcome struct{ thrown, err error }
	done, calls := make(chan outcome, 1), &t.s.calls
	calls.Add(1)
	go func() {
		defer calls.Done()
		var o outcome
		o.thrown = caught(func() { o.err = call(ctx) })
		done <- o
	}()
	patience := t.Limit(p.limit)
	limit := time.NewTimer(patience)
	defer limit.Stop()
	look := time.NewTicker(t.Limit(troublePoll))
	defer look.Stop()
	for granted := false; ; {
		select {
		case got := <-done:
			t.must(got.thrown, p.op)
			return got.err
		case <-limit.C:
			if lost := t.lost(since, patience); lost > 0 && !granted {
				limit.Reset(lost)
				granted = true
				continue
			}
			t.must(t.s.Host.Alive(), p.op)
			what := fmt.Sprintf("%s: %s did not answer within %s", p.op, p.who, time.Since(since.at).Round(time.Second))
			if p.last != nil {
				what += p.last()
			}
			t.asleep(since, what)
			t.late(p.layer, since, what)
		case <-look.C:
			t.must(t.inTime(p.trouble), p.op)
		case <-t.ctx.Done():
			t.must(context.Cause(t.ctx), p.op)
		}
	}
}

// troublePoll is how often trouble is looked for, at scale 1: seldom, as looking costs the
// host what the call needs.
const troublePoll = 5 * time.Second

// inTime looks for trouble. A host that does not say in time is no trouble yet: the limit of
// the call is still to come.
func (t *T) inTime(trouble func(context.Context) error) error {
	if trouble == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(t.ctx, t.Limit(troublePoll))
	defer cancel()
	err := trouble(ctx)
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// idle is the part of a wait that a host with nothing to do runs at most.
const idle = 10

// asleep makes a hang ours the first time in which nothing of an emulated host runs: an
// interrupt that its emulator lost leaves a process waiting for ever, and nothing else says
// so. Seen twice of the same check, it is the product's.
func (t *T) asleep(since sample, what string) {
	if got := t.had(since, what); t.mayBeEmulator() && got.Ran < time.Since(since.at)/idle {
		t.must(fault.Infraf("tell a hang from the emulator's", "%w; it came to: %s (%s %s)", ErrEmulator, what, t.worker(), got), "")
	}
}

// now is what a host that lives has had of the scheduler so far, for a wait to begin.
func (t *T) now() sample {
	t.Host()
	return t.s.now()
}

// untilPoll is how often Until looks.
const untilPoll = 100 * time.Millisecond

// Until asks again until the condition holds. It fails the check, in words, when
// that takes longer than the limit at scale 1; on a machine that starved the host
// meanwhile, that is our fault and not the product's.
func (t *T) Until(limit time.Duration, what string, holds func() bool) {
	t.until(limit, what, holds, func() string { return "" })
}

// UntilDone makes a call again until it is not refused. What it was refused with at last is
// in the failure.
func (t *T) UntilDone(limit time.Duration, what string, call func() error) {
	var refusal error
	holds := func() bool { refusal = call(); return refusal == nil }
	t.until(limit, what, holds, func() string { return fmt.Sprintf(", but refused with: %v", refusal) })
}

func (t *T) until(limit time.Duration, what string, holds func() bool, last func() string) {
	since := t.now()
	deadline := since.at.Add(t.Limit(limit))
	granted := false
	for !holds() {
		if time.Now().After(deadline) && !granted {
			deadline, granted = deadline.Add(t.lost(since, t.Limit(limit))), true
		}
		if time.Now().After(deadline) {
			t.late(t.Layer, since, fmt.Sprintf("wait until %s: not so after %s%s", what, time.Since(since.at).Round(time.Second), last()))
		}
		select {
		case <-t.ctx.Done():
			t.must(context.Cause(t.ctx), "wait until "+what)
		case <-time.After(untilPoll):
		}
		t.Host() // a dead one will not make it so
	}
}

// standstill is the part of a limit that a host runs at least, also when it has
// nothing to do: one that ran less may have been stopped with the whole machine (a
// frozen control group, a paused virtual machine).
const standstill = 50

// lost is what a limit that was reached may be stretched by, once: how long the
// host waited for a processor, and all of it when it stood still. A machine with
// much to do is slow, and says nothing about the product.
func (t *T) lost(since sample, limit time.Duration) time.Duration {
	got := t.s.Host.Sched().Sub(since.sched)
	if got.Ran < limit/standstill {
		return limit
	}
	return min(got.Waited, limit)
}

// starving is the part of a wait that a host at least waits for a processor in, if that
// is what the wait was for. One that was ready to run for a moment only was waiting for
// something else: with more processors it would not have come sooner.
const starving = 4

// late ends the attempt because something took too long. Whose fault it is depends
// on whether the host had a processor meanwhile.
func (t *T) late(layer matrix.Layer, since sample, what string) {
	t.Fail(layer, "%s (%s %s)", what, t.worker(), t.had(since, what))
}

// had is what the host had of the scheduler since a wait began. It ends the attempt when
// that was too little.
func (t *T) had(since sample, what string) owner.Sched {
	got := t.s.Host.Sched().Sub(since.sched)
	if got.Starved() && got.Waited > time.Since(since.at)/starving {
		t.must(fault.Infraf("work on a starved machine", "%s; %s %s", what, t.worker(), got), what)
	}
	return got
}

// TookTooLong ends the attempt because something did, since it began. When the
// machine starved the host meanwhile, that is our fault and not the product's.
func (t *T) TookTooLong(format string, args ...any) {
	t.late(t.Layer, t.s.began, fmt.Sprintf(format, args...))
}

// worker is what L0's scheduler runs for a host.
func (t *T) worker() string {
	if t.Contained() {
		return "L1's container"
	}
	return "L1's emulator"
}
