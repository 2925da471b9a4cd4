// Package cell is the suites' view of one cell of the plan: its host, the
// libvirt connection to it, and the attempt of one check on it.
//
// One path leads from a check to its verdict: Cell.Answer runs the check's body
// with a T, the steps on T turn what goes wrong into product or infrastructure
// faults where it happens, and Answer writes the verdict to the journal.
package cell

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/journal"
	"github.com/virtmatrix/virtmatrix/internal/progress"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// Booter boots fresh hosts of cells.
type Booter interface {
	// Boot boots a host of the cell; its logs go to logDir.
	Boot(ctx context.Context, c *matrix.Cell, logDir string) (Host, error)
	// KernelRelease is what uname -r prints under the cell's kernel.
	KernelRelease(c *matrix.Cell) (string, error)
}

// Run is what the cells of one suite process share.
type Run struct {
	// Plan is the frozen plan; Dir the run's folder.
	Plan *matrix.Plan
	Dir  string
	// Boot boots hosts, Journal takes the answers, Events tells people.
	Boot    Booter
	Journal Journal
	Events  progress.Sink
	// Accel is L1's accelerator, Emulator the L0 emulator's version, Scale the
	// machine's time factor, Harness our own revision.
	Accel, Emulator, Harness string
	Scale                    float64
	// Keep keeps the evidence of passes too.
	Keep bool
}

// Journal takes the answers of a run.
type Journal interface {
	Append(journal.Record) error
}

// Body is the behaviour of a check.
type Body func(ctx context.Context, t *T)

// Cell is one cell at work. Its checks run one after another.
type Cell struct {
	Plan *matrix.Cell
	run  *Run

	vm       Host
	links    *links
	shared   *shared
	booted   int
	verdicts map[string]matrix.Verdict
	guestFor time.Duration

	mu sync.Mutex
}

// New opens a cell of a run. Earlier answers, of a run that is resumed, count
// for what later checks need.
func New(run *Run, plan *matrix.Cell, earlier map[string]matrix.Verdict) *Cell {
	verdicts := map[string]matrix.Verdict{}
	for id, v := range earlier {
		verdicts[id] = v
	}
	return &Cell{Plan: plan, run: run, verdicts: verdicts, links: &links{}}
}

// limit is a duration scaled to the machine.
func (c *Cell) limit(d time.Duration) time.Duration {
	return time.Duration(float64(d) * max(c.run.Scale, 1))
}

// folder is the cell's folder in the run.
func (c *Cell) folder(names ...string) string {
	return filepath.Join(append([]string{c.run.Dir, "cells", c.Plan.ID}, names...)...)
}

// host returns the cell's host, booting one when there is none or it died. died
// says what the one before died of since the last check.
func (c *Cell) host(ctx context.Context) (vm Host, died, err error) {
	if c.vm != nil {
		if died = c.vm.Alive(); died == nil {
			return c.vm, nil, nil
		}
	}
	c.Discard()
	c.booted++
	c.tell(progress.Event{Phase: progress.Booting, Text: fmt.Sprintf("host %d", c.booted)})
	start := time.Now()
	vm, err = c.run.Boot.Boot(ctx, c.Plan, c.folder(fmt.Sprintf("host-%d", c.booted)))
	c.spent(time.Since(start))
	if err != nil {
		return nil, died, err
	}
	c.vm = vm
	return vm, died, nil
}

// Discard ends the cell's host: the next check gets a fresh one.
func (c *Cell) Discard() {
	c.shared = nil
	c.links.close()
	c.links = &links{}
	if c.vm != nil {
		_ = c.vm.Close()
		c.vm = nil
	}
}

// spent books time that passed inside guests.
func (c *Cell) spent(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.guestFor += d
}

func (c *Cell) takeSpent() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	d := c.guestFor
	c.guestFor = 0
	return d
}

func (c *Cell) tell(e progress.Event) {
	e.Time, e.Cell = time.Now().UTC(), c.Plan.ID
	e.Done, e.Total = int64(c.answered()), int64(c.planned())
	c.run.Events(e)
}

func (c *Cell) planned() int {
	n := 0
	for _, p := range c.Plan.Checks {
		if p.Unsupported == "" {
			n++
		}
	}
	return n
}

func (c *Cell) answered() int {
	n := 0
	for _, p := range c.Plan.Checks {
		if _, ok := c.verdicts[p.ID]; ok && p.Unsupported == "" {
			n++
		}
	}
	return n
}

// blocker returns the first need of a check that did not pass.
func (c *Cell) blocker(p matrix.PlannedCheck) (id string, blocked bool) {
	for _, need := range p.Needs {
		if v, ok := c.verdicts[need]; ok && v != matrix.Pass {
			return need, true
		}
	}
	return "", false
}

// choice returns the version of a component in this cell; it is our own fault
// to ask for one that the stack lacks.
func (c *Cell) choice(comp matrix.Component) (matrix.Choice, error) {
	if ch, ok := c.Plan.Choice(comp); ok {
		return ch, nil
	}
	return matrix.Choice{}, fault.Infraf("ask for "+string(comp), "cell %s has none", c.Plan.ID)
}
