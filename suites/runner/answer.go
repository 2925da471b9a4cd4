package runner

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/internal/journal"
	"github.com/virtmatrix/virtmatrix/internal/libvirterr"
	"github.com/virtmatrix/virtmatrix/internal/progress"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// maxAttempts is how often a check is tried that ends in our own fault. A product
// fault is never tried again: that would hide a race.
const maxAttempts = 2

// checkLimit bounds one attempt at scale 1, boot of the hosts included.
const checkLimit = 30 * time.Minute

// Answer runs a check and journals its verdict. The error is about the journal alone:
// a run that cannot write it cannot go on.
func (f *Family) Answer(ctx context.Context, p matrix.PlannedCheck, c *check.Check) (journal.Record, error) {
	f.tell(progress.Event{Phase: progress.Checking, Check: p.ID})
	rec := f.record(p)
	if f.isolated = p.Isolation == matrix.IsolateCheck || f.run.Selftest; f.isolated {
		f.Discard()
		defer f.Discard()
	}
	lacks := f.lacks(c)
	switch {
	case lacks != "":
		rec.Verdict, rec.Reason = matrix.Unsupported, lacks
	case !f.run.Selftest:
		f.ask(ctx, p, c, &rec)
	case c.Control == nil:
		rec.Verdict, rec.Reason = matrix.Unsupported, "it has no control: "+c.Without
	default:
		f.ask(ctx, p, c, &rec)
		judgeControl(c, &rec)
	}
	rec.Seconds = (time.Since(rec.Started) - f.waited).Seconds()
	rec.GuestSeconds = min(rec.GuestSeconds, rec.Seconds)
	f.waited = 0
	f.done++
	// Who is told of an answer finds it in the journal.
	err := f.run.Journal.Append(rec)
	f.tell(progress.Event{Phase: progress.Finished, Check: p.ID, Verdict: rec.Verdict, Seconds: rec.Seconds, Text: firstLine(rec.Reason)})
	return rec, err
}

// lacks is why an emulated host cannot be asked, or "". The plan leaves such checks out, but
// one that was made before anything was booted on the machine may not know what runs its hosts
// (accel.Emulates).
func (f *Family) lacks(c *check.Check) string {
	if f.run.Accel == "kvm" {
		return ""
	}
	for _, r := range c.Requires {
		if why := r.UnmetEmulated(f.Cell); why != "" {
			return why
		}
	}
	return ""
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// ask tries the check, and once more on fresh hosts after our own fault.
func (f *Family) ask(ctx context.Context, p matrix.PlannedCheck, c *check.Check, rec *journal.Record) {
	var earlier []string
	for rec.Attempts < maxAttempts {
		rec.Attempts++
		a := &attempt{Family: f, check: c, planned: p, stalled: rec.Stalls > 0}
		err := a.run(ctx, rec)
		rec.Notes = append(slices.Clone(earlier), a.notes...)
		if rec.End(err); err == nil {
			return
		}
		// What a failed check left behind must not decide the next one.
		if !a.walkedBack {
			f.Discard()
		}
		if errors.Is(err, steps.ErrEmulator) {
			rec.Stalls++
		}
		if rec.Verdict != matrix.Infra || ctx.Err() != nil || rec.Attempts == maxAttempts {
			return
		}
		// Nor may a state that was saved of a host that was ill already.
		if err := f.run.Boot.ForgetAll(f.Cell, f.want); err != nil {
			earlier = append(earlier, err.Error())
		}
		earlier = append(earlier, fmt.Sprintf("attempt %d ended in our own fault: %s", rec.Attempts, firstLine(rec.Reason)))
		f.tell(progress.Event{Phase: progress.Checking, Check: p.ID, Text: "again after our own fault: " + firstLine(rec.Reason)})
	}
}

// attempt is one try of a check.
type attempt struct {
	*Family
	check   *check.Check
	planned matrix.PlannedCheck
	// stalled says that the one before may have failed because of the L0 emulator.
	stalled bool
	// walkedBack says that the hosts are as they were before, whatever came of the check.
	walkedBack bool
	notes      []string
}

// run is the attempt: hosts, the check, its evidence, and the way back to hosts as they
// were before. It returns why the check did not hold.
func (a *attempt) run(ctx context.Context, rec *journal.Record) error {
	dir := a.evidenceFolder(rec.Attempts)
	if err := os.RemoveAll(dir); err != nil { // attempts count anew when a run goes on
		return fault.Infraf("remove earlier evidence", "%w", err)
	}
	if err := a.refused(); err != nil {
		return err
	}
	note, err := a.admit(ctx, a.planned.Hosts)
	if err != nil {
		return err
	}
	if note != "" {
		a.notes = append(a.notes, note)
	}
	if a.Cell.Tier == matrix.Container && a.Family.run.Engine != "" && !a.planned.Hosts.None {
		a.notes = append(a.notes, "in a container of "+a.Family.run.Engine)
	}
	limit := a.Family.run.limit(checkLimit)
	limited, cancel := context.WithTimeoutCause(ctx, limit, fault.Infraf("finish check", "it was not done within %s", limit))
	defer cancel()
	start := time.Now()
	notes, err := a.boot(limited)
	rec.GuestSeconds += time.Since(start).Seconds()
	a.notes = append(a.notes, notes...)
	if err != nil {
		a.keepEvidence(rec, dir, err, func() { a.keepLastBoot(dir) })
		return a.notBooted(err)
	}
	a.tell(progress.Event{Phase: progress.Checking, Check: a.planned.ID})
	t := steps.New(limited, a.env(rec.Attempts), a.sessions...)
	if !a.Family.run.Selftest { // its checks are to fail, and their hosts end with them
		t.Remember()
	}
	err = a.try(limited, t)
	if rec.Said = t.Said(); len(a.sessions) > 0 {
		rec.Quirks = a.sessions[0].Host.Quirks()
	}
	if err != nil || a.Family.run.Keep {
		a.keepEvidence(rec, dir, err, func() { t.Evidence(ctx, dir) })
	}
	if err == nil || t.Judged(err) {
		switch back := t.WayBack(); {
		case back == nil:
			a.giveBack(limited, t)
			a.walkedBack = true
		case err == nil:
			err = back
			a.keepEvidence(rec, dir, err, func() { t.Evidence(ctx, dir) })
		}
	}
	a.notes = append(a.notes, t.Notes()...)
	rec.GuestSeconds += t.Spent().Seconds()
	return err
}

// try runs the check, in a selftest under its control.
func (a *attempt) try(ctx context.Context, t *steps.T) error {
	if !a.Family.run.Selftest {
		return a.mistranslated(a.between(t, a.crashed(ctx, t, t.Attempt(a.check.Body))))
	}
	control := a.check.Control
	applied, err := control.Apply(t)
	if err != nil {
		return err
	}
	err = t.Attempt(a.check.Body)
	if idle := applied(); idle != nil {
		return fault.Infraf("apply control "+control.Name, "%w; the check came to: %v", idle, err)
	}
	return err
}

// crashed says in a failure what crashed meanwhile. A check that holds while a program of the
// product crashes does not hold.
func (a *attempt) crashed(ctx context.Context, t *steps.T, err error) error {
	crash := t.Crashed(ctx)
	switch {
	case crash == nil:
		return err
	case err == nil:
		return crash
	}
	return fmt.Errorf("%w\nmeanwhile: %v", err, crash)
}

// between says in a failure what packages had moved.
func (a *attempt) between(t *steps.T, err error) error {
	if v, _ := fault.Classify(err); v != matrix.Fail || t.Moved() == "" {
		return err
	}
	return fmt.Errorf("%s of %s: %w", a.planned.Hosts.Moves, t.Moved(), err)
}

// notBooted says what it means for the check that its hosts did not boot. The first
// time it may be the emulator's doing; then it is the answer of the checks that are
// about the boot, and blocks the others.
func (a *attempt) notBooted(err error) error {
	if v, _ := fault.Classify(err); v != matrix.Fail {
		return err
	}
	if a.emulated() && (!a.stalled || a.stumbled()) {
		return fault.Infraf("tell a host that does not boot from its emulator", "%w; it came to: %v", steps.ErrEmulator, err)
	}
	if a.planned.Boot {
		return err
	}
	return &fault.Unmet{What: "a host that boots", Check: a.bootCheck(), Err: err}
}

// refused says that a cell which the check works on has packages that cannot be
// installed. Checks of the delivery tell what there is to tell of those.
func (a *attempt) refused() error {
	if a.planned.Refused != "" {
		return fault.Productf(matrix.LayerDelivery, "install add-ons", "%s", a.planned.Refused)
	}
	if a.planned.OfDelivery() {
		return nil
	}
	cells := []*matrix.Cell{a.Cell}
	for _, id := range a.planned.Others() {
		cells = append(cells, a.Family.run.Plan.Cell(id))
	}
	for _, c := range cells {
		if c != nil && c.Refused != "" {
			return &fault.Unmet{What: "packages that can be installed", Check: matrix.RefusedCheck,
				Err: fault.Productf(matrix.LayerDelivery, "install the packages of "+c.ID, "%s", c.Refused)}
		}
	}
	return nil
}

// bootCheck is the check of the cell that answers for the boot of its hosts.
func (a *attempt) bootCheck() string {
	for _, p := range a.Cell.Checks {
		if p.Boot && p.Unsupported == "" {
			return p.ID
		}
	}
	return ""
}

func (a *attempt) env(number int) steps.Env {
	r := a.Family.run
	env := steps.Env{
		Cell: a.Cell, Check: a.planned.ID, Layer: a.check.Layer(), Attempt: number, Stalled: a.stalled,
		Accel: r.Accel, Scale: r.Scale, Captures: r.Boot, Deliver: r.Deliver, Against: r.Plan.Cell(a.planned.Against),
		Goal:    r.Plan.Cell(a.planned.Hosts.Goal(a.Cell.ID)),
		AddOns:  a.planned.Hosts.AddOns,
		Kernel:  func() (string, error) { return r.Boot.KernelRelease(a.Cell) },
		Digests: func() (map[string]string, error) { return r.Boot.Digests(a.Cell) },
	}
	if len(a.sessions) > 0 {
		env.Transcripts = a.sessions[0].Host.LogDir()
	}
	return env
}

// record is what every answer of this family carries.
func (f *Family) record(p matrix.PlannedCheck) journal.Record {
	rec := journal.Ask(f.run.Plan, f.Cell, p)
	rec.Harness = f.run.Harness
	rec.Client, _ = libvirterr.ClientVersion() // one that cannot tell answers nothing either
	// L1 runs under L0's accelerator, L2 under L1's hypervisor. A container runs on L0.
	rec.Accelerators = map[string]string{"L2": steps.GuestAccel(f.Cell, f.run.Accel)}
	if f.Cell.Tier == matrix.Nested {
		rec.Accelerators["L1"], rec.Emulator = f.run.Accel, f.run.Emulator
	}
	return rec
}

// evidenceFolder is where the evidence of an attempt goes.
func (a *attempt) evidenceFolder(number int) string {
	leaf := a.planned.ID
	if number > 1 {
		leaf = fmt.Sprintf("%s-attempt-%d", leaf, number)
	}
	return a.folder(leaf)
}

// keepEvidence makes the folder of the evidence and has it filled. Evidence that cannot
// be kept changes no verdict.
func (a *attempt) keepEvidence(rec *journal.Record, dir string, cause error, fill func()) {
	name, err := filepath.Rel(a.Family.run.Dir, dir)
	if err != nil || os.MkdirAll(dir, 0o755) != nil {
		return
	}
	rec.Evidence = name
	if cause != nil {
		steps.KeepEvidence(dir, "reason.txt", []byte(cause.Error()+"\n"))
	}
	fill()
}

// keepLastBoot keeps the console of a host that never came up.
func (a *attempt) keepLastBoot(dir string) {
	for _, f := range []string{host.ConsoleFile, host.EmulatorFile, host.QMPFile} {
		if b, err := os.ReadFile(filepath.Join(a.hostFolder(), f)); err == nil {
			steps.KeepEvidence(dir, "l1-"+f, b)
		}
	}
}

// judgeControl turns the verdict of a check under its control into one about the check:
// it must see what the control does. A stall is the control's then, as that of a guest
// that boots anew under it.
func judgeControl(c *check.Check, rec *journal.Record) {
	rec.Stalls = 0
	switch {
	case rec.Verdict == matrix.Fail && rec.Layer != c.FailsIn():
		rec.Reason = fmt.Sprintf("with %s it fails in %s, and must in %s: %s", c.Control.Name, rec.Layer, c.FailsIn(), rec.Reason)
		rec.Layer = matrix.LayerHarness
	case rec.Verdict == matrix.Fail:
		rec.Notes = append(rec.Notes, "with "+c.Control.Name+" it fails: "+firstLine(rec.Reason))
		rec.Verdict, rec.Reason, rec.Layer = matrix.Pass, "", ""
	case rec.Verdict == matrix.Pass:
		rec.Verdict, rec.Layer = matrix.Fail, matrix.LayerHarness
		rec.Reason = "it passes with " + c.Control.Name + ", which it exists to see"
	}
}
