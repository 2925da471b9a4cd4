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
	// Admit waits until the machine has room for a host of the cell. tell is
	// told why it waits, in words that follow "waiting".
	Admit(ctx context.Context, c *matrix.Cell, tell func(why string)) (Place, error)
	// Boot boots a host of the cell; its logs go to logDir.
	Boot(ctx context.Context, c *matrix.Cell, logDir string) (Host, error)
	// Forget makes the next host of the cell one that boots: no saved state of an
	// earlier one counts any more.
	Forget(c *matrix.Cell) error
	// KernelRelease is what uname -r prints under the cell's kernel.
	KernelRelease(c *matrix.Cell) (string, error)
}

// Place is the room that a host has on the machine.
type Place interface {
	// Uses names the process whose tree takes the room, where that is not below
	// this one.
	Uses(ctx context.Context, pid int) error
	// Release gives the room back, right before the host is ended.
	Release()
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
	// Accel is L0's accelerator, Emulator the L0 emulator's version, Scale the
	// machine's time factor, Harness our own revision.
	Accel, Emulator, Harness string
	// Engine is what makes containers, in words; empty when there is none.
	Engine string
	Scale  float64
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

	vm Host
	// place is the room that the host has, or that was made for the next one.
	place Place
	// died is what the host before died of, until that was told.
	died     error
	links    *links
	shared   *shared
	booted   int
	verdicts map[string]matrix.Verdict
	guestFor time.Duration
	waited   time.Duration

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

// admit makes room for a host when there is none or it died, and says what it
// waited for, if it took long. It does so before the time of an attempt begins:
// that a machine is busy says nothing about the product.
func (c *Cell) admit(ctx context.Context) (note string, err error) {
	if c.vm != nil {
		if c.died = c.vm.Alive(); c.died == nil {
			return "", nil
		}
		c.Discard()
	}
	if c.place != nil {
		return "", nil
	}
	said, start := "", time.Now()
	c.place, err = c.run.Boot.Admit(ctx, c.Plan, func(why string) {
		said = why
		c.tell(progress.Event{Phase: progress.Waiting, Text: why})
	})
	took := time.Since(start)
	if said != "" {
		c.waited += took
	}
	if err != nil {
		c.place = nil
		return "", err
	}
	return waitNote(took, said), nil
}

// longWait is how long a wait for room is at least that is noted with an answer.
const longWait = 10 * time.Second

func waitNote(took time.Duration, why string) string {
	if took < longWait {
		return ""
	}
	return fmt.Sprintf("before its host it waited %s %s", took.Round(time.Second), why)
}

// host returns the cell's host, booting one when there is none or it died. died
// says what the one before died of since the last check.
func (c *Cell) host(ctx context.Context) (vm Host, died, err error) {
	// That is done already, unless the host died this very moment.
	if _, err := c.admit(ctx); err != nil {
		return nil, nil, err
	}
	died, c.died = c.died, nil
	if c.vm != nil {
		return c.vm, died, nil
	}
	c.booted++
	c.tell(progress.Event{Phase: progress.Booting, Text: fmt.Sprintf("host %d", c.booted)})
	start := time.Now()
	vm, err = c.run.Boot.Boot(ctx, c.Plan, c.folder(fmt.Sprintf("host-%d", c.booted)))
	c.spent(time.Since(start))
	if err != nil {
		return nil, died, err
	}
	c.vm = vm
	if r, ok := vm.(Remote); ok && r.Root() > 0 {
		if err := c.place.Uses(ctx, r.Root()); err != nil {
			return nil, died, fault.Infraf("tell whose room it is", "%w", err)
		}
	}
	return vm, died, nil
}

// Discard ends the cell's host: the next check gets a fresh one.
func (c *Cell) Discard() {
	c.shared = nil
	c.links.close()
	c.links = &links{}
	if c.place != nil {
		c.place.Release()
		c.place = nil
	}
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

// takeWaited is how long a check waited for room: that is no part of its time.
func (c *Cell) takeWaited() time.Duration {
	d := c.waited
	c.waited = 0
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
		if p.Asked() {
			n++
		}
	}
	return n
}

func (c *Cell) answered() int {
	n := 0
	for _, p := range c.Plan.Checks {
		if _, ok := c.verdicts[p.ID]; ok && p.Asked() {
			n++
		}
	}
	return n
}

// choice returns the version of a component in this cell; it is our own fault
// to ask for one that the stack lacks.
func (c *Cell) choice(comp matrix.Component) (matrix.Choice, error) {
	if ch, ok := c.Plan.Choice(comp); ok {
		return ch, nil
	}
	return matrix.Choice{}, fault.Infraf("ask for "+string(comp), "cell %s has none", c.Plan.ID)
}
