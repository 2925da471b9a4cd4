package cell

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/journal"
	"github.com/virtmatrix/virtmatrix/internal/progress"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// maxAttempts is how often a check is tried that ends in our own fault. A
// product fault is never tried again: that would hide a race.
const maxAttempts = 2

// checkLimit bounds one attempt at scale 1, boot of a host included.
const checkLimit = 30 * time.Minute

// Answer runs a check and journals its verdict. The error is about the journal
// alone: a run that cannot write it cannot go on.
func (c *Cell) Answer(ctx context.Context, p matrix.PlannedCheck, body Body) (journal.Record, error) {
	c.tell(progress.Event{Phase: progress.Checking, Check: p.ID})
	rec := c.record(p)
	if boot, blocked := c.unbooted(p); blocked {
		rec.Block(boot, c.verdicts[boot])
	} else {
		c.attempt(ctx, p, body, &rec)
	}
	rec.Seconds = (time.Since(rec.Started) - c.takeWaited()).Seconds()
	rec.GuestSeconds = min(c.takeSpent().Seconds(), rec.Seconds)
	c.verdicts[p.ID] = rec.Verdict
	c.tell(progress.Event{Phase: progress.Finished, Check: p.ID, Verdict: rec.Verdict, Seconds: rec.Seconds, Text: firstLine(rec.Reason)})
	return rec, c.run.Journal.Append(rec)
}

// unbooted returns the check that answers for the boot of the cell's hosts, if it
// did not pass: then no other has a host to ask.
func (c *Cell) unbooted(p matrix.PlannedCheck) (boot string, blocked bool) {
	first := c.Plan.Checks[0]
	verdict := c.verdicts[first.ID]
	return first.ID, first.Boot && first.ID != p.ID && verdict != "" && verdict != matrix.Pass
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// attempt tries the check, and once more on a fresh host after our own fault.
func (c *Cell) attempt(ctx context.Context, p matrix.PlannedCheck, body Body, rec *journal.Record) {
	var earlier []string
	stalled := false
	if p.Isolation == matrix.IsolateCheck {
		c.Discard()
		defer c.Discard()
	}
	for rec.Attempts < maxAttempts {
		rec.Attempts++
		t := newT(c, p, rec.Attempts)
		t.stalled = stalled
		err := t.run(ctx, body, rec)
		stalled = errors.Is(err, errStall)
		rec.Said, rec.Notes = t.said, append(earlier, t.notes...)
		rec.Verdict, rec.Layer = fault.Classify(err)
		if err == nil {
			rec.Reason = ""
			return
		}
		rec.Reason = err.Error()
		// What a failed check left behind must not decide the next one.
		c.Discard()
		if rec.Verdict != matrix.Infra || ctx.Err() != nil || rec.Attempts == maxAttempts {
			return
		}
		// Nor may a state that was saved of a host that was ill already.
		if err := c.run.Boot.Forget(c.Plan); err != nil {
			earlier = append(earlier, err.Error())
		}
		earlier = append(earlier, fmt.Sprintf("attempt %d ended in our own fault: %s", rec.Attempts, firstLine(rec.Reason)))
		c.tell(progress.Event{Phase: progress.Checking, Check: p.ID, Text: "again after our own fault: " + firstLine(rec.Reason)})
	}
}

// run is one attempt: the check, its evidence, and the way back to a host as it
// was before. It returns why the check did not hold.
func (t *T) run(ctx context.Context, body Body, rec *journal.Record) error {
	if err := t.clearEvidence(); err != nil {
		return err
	}
	note, err := t.cell.admit(ctx)
	if err != nil {
		return err
	}
	if note != "" {
		t.Note("%s", note)
	}
	limit := t.cell.limit(checkLimit)
	limited, cancel := context.WithTimeoutCause(ctx, limit, fault.Infraf("finish check", "it was not done within %s", limit))
	defer cancel()
	limited, hung := context.WithCancelCause(limited)
	defer hung(nil)
	err = t.try(limited, func() error {
		t.bootHost(limited)
		go t.endWhenHung(limited, hung)
		body(limited, t)
		return t.watchGuests(limited)
	})
	if h := (hang{}); err != nil && errors.As(context.Cause(limited), &h) {
		err = h.error // what the step then stumbled over is not the cause
	} else {
		err = t.examine(limited, err)
	}
	if t.vm != nil {
		rec.Quirks = t.vm.Quirks()
	}
	if err != nil || t.cell.run.Keep {
		rec.Evidence = t.collect(ctx, err)
	}
	if err != nil {
		return err
	}
	// The way back is part of the check: L1 may die of it.
	var stays error
	err = t.try(limited, func() error {
		stays = t.cleanUp(limited)
		return t.watchHost()
	})
	if err != nil {
		rec.Evidence = t.collect(ctx, err)
	}
	if stays != nil {
		t.Note("the host was given up: %v", stays)
		t.cell.Discard()
	}
	return err
}

// record is what every answer of this cell carries.
func (c *Cell) record(p matrix.PlannedCheck) journal.Record {
	rec := journal.Ask(c.run.Plan, c.Plan, p)
	rec.Harness, rec.Accelerators = c.run.Harness, c.accelerators()
	if !c.contained() {
		rec.Emulator = c.run.Emulator
	}
	return rec
}

// accelerators of the layers: L1 runs under L0's, L2 under L1's hypervisor. A
// container runs on L0, and its L2 under L0's accelerator.
func (c *Cell) accelerators() map[string]string {
	if c.contained() {
		return map[string]string{"L2": c.guestAccel()}
	}
	return map[string]string{"L1": c.run.Accel, "L2": c.guestAccel()}
}

// evidenceFolder is where the evidence of this attempt goes.
func (t *T) evidenceFolder() string {
	leaf := t.check.ID
	if t.attempt > 1 {
		leaf = fmt.Sprintf("%s-attempt-%d", leaf, t.attempt)
	}
	return t.cell.folder(leaf)
}

// clearEvidence removes what an attempt of the same number left: attempts count
// anew when a run goes on, and evidence is of one alone.
func (t *T) clearEvidence() error {
	if err := os.RemoveAll(t.evidenceFolder()); err != nil {
		return fault.Infraf("remove earlier evidence", "%w", err)
	}
	return nil
}

// evidenceDir makes the folder of this attempt's evidence and returns it and
// its name within the run.
func (t *T) evidenceDir() (dir, name string, err error) {
	dir = t.evidenceFolder()
	name, err = filepath.Rel(t.cell.run.Dir, dir)
	if err == nil {
		err = os.MkdirAll(dir, 0o755)
	}
	return dir, name, err
}
