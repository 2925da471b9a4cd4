// Package admit lets hosts and builds start only when the machine has room for
// them: across all processes that use one run-time folder, first come, first
// served, and without a daemon.
//
// Whoever wants to start something leaves a claim, a file that its process
// keeps locked. The oldest claim that waits looks at the machine and at what
// living claims will still take, and is admitted or waits on. A claim whose
// owner died is unlocked, counts no more, and is removed by whoever sees it.
package admit

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/store/disk"
)

// Need is what something takes of the machine while it runs.
type Need struct {
	// What it is, in words, as in "a host of CELL".
	What string `json:"what"`
	// MemoryMB is the most memory that it takes, in MiB.
	MemoryMB int `json:"memory_mb"`
	// Processors is how many it keeps busy.
	Processors int `json:"processors"`
	// DiskMB is what it writes on the disk that holds the folder Disk, in MiB.
	DiskMB int    `json:"disk_mb,omitempty"`
	Disk   string `json:"disk,omitempty"`
}

// ReserveMB is the memory that is left to the harness itself, to what else runs,
// and to the page cache of the images that all hosts read, in MiB.
const ReserveMB = 512

const (
	// pollEvery is how often a claim that waits looks again.
	pollEvery = 250 * time.Millisecond
	// tellEvery is how often a wait that stays the same is told with new numbers.
	tellEvery = time.Minute
	// patience is how long memory may be short while nothing of ours runs: what
	// just ended may still be giving it back, but nobody promised to.
	patience = 30 * time.Second
)

// Room is the room on this machine, shared by all processes with one folder.
type Room struct {
	dir       string
	read      func(disk string) (Reading, error)
	processes func() (table, error)
	// everyProcessor admits whatever the processors are busy with.
	everyProcessor bool
	patience       time.Duration

	mu    sync.Mutex
	meter meter
}

// In returns the room whose claims are in a folder.
func In(dir string) *Room {
	m := Machine{Root: "/"}
	return &Room{dir: dir, read: m.Read, processes: m.processes, patience: patience}
}

// EveryProcessor makes this process's claims wait for memory and disk alone:
// somebody said how many hosts run side by side.
func (r *Room) EveryProcessor() *Room {
	r.everyProcessor = true
	return r
}

// Enter waits until there is room for a need and takes it. While it waits tell
// is told why, in words that follow "waiting". It fails when there can be no
// room, with the numbers and the cure, and when ctx ends. All errors are
// *fault.Infra.
func (r *Room) Enter(ctx context.Context, need Need, tell func(why string)) (*Claim, error) {
	op := "make room for " + need.What
	c, err := r.queue(ctx, need)
	if err != nil {
		return nil, fault.Infraf(op, "%w", err)
	}
	if err := r.await(ctx, c, tell); err != nil {
		c.Release()
		return nil, fault.Infraf(op, "%w", err)
	}
	return c, nil
}

// await asks again until the claim is admitted.
func (r *Room) await(ctx context.Context, c *Claim, tell func(why string)) error {
	var alone, told time.Time
	var short resource
	for {
		l, err := r.try(ctx, c)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			return err
		}
		now := time.Now()
		switch {
		case l.of == nothing:
			return nil
		case !l.alone:
			alone = time.Time{}
		case alone.IsZero():
			alone = now
		}
		if l.hopeless || l.alone && now.Sub(alone) > r.patience {
			return fmt.Errorf("it %s; %s", l.says, l.cure)
		}
		if l.of != knowledge && (l.of != short || now.Sub(told) > tellEvery) {
			tell(l.why())
			short, told = l.of, now
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pollEvery):
		}
	}
}

// try admits the claim if it is its turn and there is room, and returns what is
// lacking otherwise.
func (r *Room) try(ctx context.Context, c *Claim) (lack, error) {
	unlock, err := r.lock(ctx)
	if err != nil {
		return lack{}, err
	}
	defer unlock()
	if err := c.touch(); err != nil {
		return lack{}, err
	}
	others, err := r.others(c.number)
	if err != nil {
		return lack{}, err
	}
	if n := before(others, c.number); n > 0 {
		return lack{of: turn, says: fmt.Sprintf("%d came before", n)}, nil
	}
	reading, err := r.read(c.state.Need.Disk)
	if err != nil {
		return lack{}, err
	}
	held, known, err := r.beside(append(others, claimed{state: c.state}), &reading)
	if err != nil {
		return lack{}, err
	}
	l := decide(reading, held, c.state.Need, r.everyProcessor)
	if l.of == nothing && !known && len(held) > 0 && !r.everyProcessor {
		return lack{of: knowledge}, nil
	}
	if l.of != nothing {
		return l, nil
	}
	c.state.Held = true
	return lack{}, c.write()
}

// beside is what is held beside the claim that asks, the last one, with what it
// has taken, and puts into the reading how busy others are; known is false as
// long as that is not measured. It looks at all processes, which takes
// milliseconds, only where that can matter.
func (r *Room) beside(claims []claimed, reading *Reading) (all []held, known bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	alone := !slices.ContainsFunc(claims, func(c claimed) bool { return c.state.Held })
	if alone && r.meter.ours != nil {
		return nil, true, nil
	}
	t, err := r.processes()
	if err != nil {
		return nil, false, err
	}
	reading.Busy, known = r.meter.look(time.Now(), reading.ticks, t, claims)
	return heldOf(claims, t), known, nil
}

// lock guards the claims. It is held for moments.
func (r *Room) lock(ctx context.Context) (unlock func(), err error) {
	return disk.Lock(ctx, filepath.Join(r.dir, "admission.lock"))
}

// Fit is how many of one need fit side by side.
type Fit struct {
	Need Need
	// ByMemory and ByProcessors are how many each allows.
	ByMemory, ByProcessors int
	Reading
}

// Number is how many fit: one at least, as soon as memory allows it.
func (f Fit) Number() int { return min(f.ByMemory, max(f.ByProcessors, 1)) }

// Fits says how many of a need fit on the machine when the claims that live now
// have ended: what they have is free then.
func (r *Room) Fits(ctx context.Context, need Need) (Fit, error) {
	unlock, err := r.lock(ctx)
	if err != nil {
		return Fit{}, err
	}
	defer unlock()
	claims, err := r.others(0)
	if err != nil {
		return Fit{}, err
	}
	reading, err := r.read(need.Disk)
	if err != nil {
		return Fit{}, err
	}
	t, err := r.processes()
	if err != nil {
		return Fit{}, err
	}
	for _, h := range heldOf(claims, t) {
		reading.FreeMB += h.usedMB
	}
	spare := max(reading.FreeMB-ReserveMB, 0)
	return Fit{need, spare / max(need.MemoryMB, 1), reading.Processors / max(need.Processors, 1), reading}, nil
}
