package cell

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
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
const checkLimit = 15 * time.Minute

// Answer runs a check and journals its verdict. The error is about the journal
// alone: a run that cannot write it cannot go on.
func (c *Cell) Answer(ctx context.Context, p matrix.PlannedCheck, body Body) (journal.Record, error) {
	c.tell(progress.Event{Phase: progress.Checking, Check: p.ID})
	rec := c.record(p)
	if need, blocked := c.blocker(p); blocked {
		rec.Verdict, rec.BlockedBy = matrix.Blocked, need
		rec.Reason = fmt.Sprintf("needs %s, which ended in %s", need, c.verdicts[need])
	} else {
		c.attempt(ctx, p, body, &rec)
	}
	rec.Seconds = time.Since(rec.Started).Seconds()
	rec.GuestSeconds = min(c.takeSpent().Seconds(), rec.Seconds)
	c.verdicts[p.ID] = rec.Verdict
	c.tell(progress.Event{Phase: progress.Finished, Check: p.ID, Verdict: rec.Verdict, Seconds: rec.Seconds, Text: firstLine(rec.Reason)})
	return rec, c.run.Journal.Append(rec)
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// attempt tries the check, and once more on a fresh host after our own fault.
func (c *Cell) attempt(ctx context.Context, p matrix.PlannedCheck, body Body, rec *journal.Record) {
	for rec.Attempts < maxAttempts {
		rec.Attempts++
		t := newT(c, p, rec.Attempts)
		limited, cancel := context.WithTimeoutCause(ctx, c.limit(checkLimit),
			fault.Infraf("finish check", "it was not done within %s", c.limit(checkLimit)))
		err := t.try(limited, body)
		rec.Verdict, rec.Layer = fault.Classify(err)
		rec.Said, rec.Notes = t.said, t.notes
		if c.vm != nil {
			rec.Quirks = c.vm.Quirks()
		}
		if err != nil {
			rec.Reason = err.Error()
		} else {
			rec.Reason = ""
		}
		if err != nil || c.run.Keep {
			rec.Evidence = t.collect(limited, err)
		}
		t.cleanUp(limited)
		cancel()
		if err == nil {
			return
		}
		// What a failed check left behind must not decide the next one.
		c.Discard()
		if rec.Verdict != matrix.Infra || ctx.Err() != nil {
			return
		}
		c.tell(progress.Event{Phase: progress.Checking, Check: p.ID, Text: "again after our own fault: " + firstLine(rec.Reason)})
	}
}

// record is what every answer of this cell carries.
func (c *Cell) record(p matrix.PlannedCheck) journal.Record {
	sets := map[string]string{}
	for _, img := range c.Plan.Images {
		sets[img.Role] = img.Packages
	}
	return journal.Record{
		Plan: c.run.Plan.Hash, Cell: c.Plan.ID, Check: p.ID, Tier: p.Tier,
		Started: time.Now().UTC(), Harness: c.run.Harness, Seed: c.run.Plan.Seed,
		Accelerators: c.accelerators(), Emulator: c.run.Emulator, PackageSets: sets,
		Repeat: fmt.Sprintf("bin/virtmatrix repro %s %s", c.Plan.ID, p.ID),
	}
}

// accelerators of the layers: L1 runs under L0's, L2 under L1's hypervisor.
func (c *Cell) accelerators() map[string]string {
	l2 := "kvm"
	if c.Plan.Kind == matrix.Xen {
		l2 = "xen-pv"
	}
	return map[string]string{"L1": c.run.Accel, "L2": l2}
}

// try runs the body and returns why it failed, nil when the check held.
func (t *T) try(ctx context.Context, body Body) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case stop:
			err = r.err
		default:
			err = fault.Infraf("run check", "the harness panicked: %v\n%s", r, debug.Stack())
		}
		// A host that died explains whatever the check stumbled over. When our
		// own fault was first, the death is what followed.
		if dead := t.death(); dead != nil && (err == nil || !classified(err, matrix.Infra)) {
			err = dead
		}
	}()
	t.bootHost(ctx)
	body(ctx, t)
	return t.watched(ctx)
}

func classified(err error, v matrix.Verdict) bool {
	got, _ := fault.Classify(err)
	var product *fault.Product
	return got == v && !errors.As(err, &product)
}

func (t *T) death() error {
	if t.cell.vm == nil {
		return nil
	}
	return t.cell.vm.Alive()
}

// evidenceDir makes the folder of this attempt's evidence and returns it and
// its name within the run.
func (t *T) evidenceDir() (dir, name string, err error) {
	leaf := t.check.ID
	if t.attempt > 1 {
		leaf = fmt.Sprintf("%s-attempt-%d", leaf, t.attempt)
	}
	dir = t.cell.folder(leaf)
	name, err = filepath.Rel(t.cell.run.Dir, dir)
	if err == nil {
		err = os.MkdirAll(dir, 0o755)
	}
	return dir, name, err
}
