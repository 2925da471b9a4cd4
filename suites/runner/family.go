package runner

import (
	"context"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/progress"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// Family is the checks of one family in one cell, at work one after another on hosts
// of their own.
type Family struct {
	Cell *matrix.Cell
	// Name is the family's folder, "outbound/lifecycle", and the check's ID behind it if
	// the check is alone.
	Name string
	run  *Run

	hosts
	// isolated hosts are of no other check, before or after.
	isolated bool
	// died is what the hosts before died of, until that was told.
	died   error
	booted int
	waited time.Duration
	done   int
}

// hosts are those that checks work on, and the room that they have.
type hosts struct {
	cell *matrix.Cell
	// want describes the hosts that there are, or that place is for.
	want     matrix.Hosts
	sessions []*steps.Session
	place    Place
}

// dead says what one of the hosts died of.
func (h *hosts) dead() error {
	for _, s := range h.sessions {
		if err := s.Host.Alive(); err != nil {
			return err
		}
	}
	return nil
}

// Discard ends the hosts: the next check gets fresh ones.
func (h *hosts) Discard() {
	if h.place != nil {
		h.place.Release()
		h.place = nil
	}
	for _, s := range h.sessions {
		_ = s.Close()
	}
	h.sessions = nil
}

// NewFamily opens a family of a cell. done of its checks are answered.
func NewFamily(run *Run, cell *matrix.Cell, name string, done int) *Family {
	return &Family{Cell: cell, Name: name, run: run, done: done, hosts: hosts{cell: cell}}
}

// folder is the family's folder in the run.
func (f *Family) folder(names ...string) string {
	return filepath.Join(append([]string{f.run.Dir, "cells", f.Cell.ID}, names...)...)
}

// hostFolder is where the logs of the hosts of a boot go.
func (f *Family) hostFolder() string {
	return f.folder(fmt.Sprintf("host-%s-%d", strings.ReplaceAll(f.Name, "/", "-"), f.booted))
}

// longWait is how long a wait for room is at least that is noted with an answer.
const longWait = 10 * time.Second

// admit makes room for the hosts that a check wants, when there are none or they died,
// and says what it waited for, if it took long. It does so before the time of an
// attempt begins: that a machine is busy says nothing about the product.
func (f *Family) admit(ctx context.Context, want matrix.Hosts) (note string, err error) {
	if !reflect.DeepEqual(f.want, want) {
		f.Discard()
		f.want = want
	}
	if dead := f.dead(); dead != nil {
		f.Discard()
		f.died = dead
	}
	f.takeOver()
	if f.place != nil || want.None {
		return "", nil
	}
	said, start := "", time.Now()
	f.place, err = f.run.Boot.Reserve(ctx, f.Cell, want, func(why string) {
		said = why
		f.tell(progress.Event{Phase: progress.Waiting, Text: why})
	})
	if err != nil {
		f.place = nil
		return "", err
	}
	took := time.Since(start)
	if said != "" {
		f.waited += took
	}
	if took < longWait {
		return "", nil
	}
	return fmt.Sprintf("before its host it waited %s %s", took.Round(time.Second), said), nil
}

// boot returns the hosts that there is room for, booting them when there are none. It
// notes how fresh ones came to be.
func (f *Family) boot(ctx context.Context) (notes []string, err error) {
	if f.died != nil {
		notes, f.died = append(notes, fmt.Sprintf("the host before died between two checks: %v", f.died)), nil
	}
	if f.sessions != nil || f.want.None {
		return notes, nil
	}
	f.booted++
	f.tell(progress.Event{Phase: progress.Booting, Text: fmt.Sprintf("host %d", f.booted)})
	hosts, err := f.run.Boot.Start(ctx, f.Cell, f.want, f.hostFolder())
	if err != nil {
		return notes, err
	}
	for role, h := range hosts {
		f.sessions = append(f.sessions, steps.NewSession(h))
		if id := f.want.Stack(role, f.Cell.ID); id != f.Cell.ID {
			f.sessions[role].Cell = f.run.Plan.Cell(id)
		}
		for _, n := range h.Notes() {
			notes = append(notes, "a fresh host: "+n)
		}
		if r, ok := h.(steps.Remote); ok && r.Root() > 0 {
			if err := f.place.Uses(ctx, r.Root()); err != nil {
				return notes, fault.Infraf("tell whose room it is", "%w", err)
			}
		}
	}
	return notes, nil
}

// Leave ends the family. Its hosts are there for the next one that works through the same
// cell in this process and wants such hosts: all that was asked of them held, and left
// nothing.
func (f *Family) Leave() {
	f.run.Discard()
	if f.sessions != nil && !f.isolated {
		f.run.left, f.hosts = f.hosts, hosts{cell: f.Cell}
	}
	f.Discard()
}

// takeOver takes the hosts that the family before left, or ends them.
func (f *Family) takeOver() {
	if f.sessions == nil && f.place == nil && !f.isolated && f.run.left.cell == f.Cell && reflect.DeepEqual(f.run.left.want, f.want) && f.run.left.dead() == nil {
		f.hosts, f.run.left = f.run.left, hosts{}
	}
	f.run.Discard()
}

// tell tells people what the family is at.
func (f *Family) tell(e progress.Event) {
	e.Time, e.Cell = time.Now().UTC(), f.Cell.ID
	e.Family, e.Done = f.Name, int64(f.done)
	f.run.Events(e)
}
