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
	"os"
	"path/filepath"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/store/disk"
)

// Need is what something takes of the machine while it runs. Several hosts that
// are needed together are one need with the sum of their numbers.
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
	// Timed says that it has time limits, and so had better not start while the
	// processors are busy.
	Timed bool `json:"timed,omitempty"`
}

const (
	// ReserveMB is the memory that is left to the harness itself, to what else
	// runs, and to the page cache of the images that all hosts read, in MiB.
	ReserveMB = 512
	// pollEvery is how often a claim that waits looks again.
	pollEvery = 250 * time.Millisecond
	// tellEvery is how often a wait that stays the same is told with new numbers.
	tellEvery = time.Minute
	// patience is how long a claim waits for what nothing of ours will give back.
	// Then one without memory fails, and one on busy processors starts.
	patience = 30 * time.Second
)

// Room is the room on this machine, shared by all processes with one folder.
type Room struct {
	dir  string
	read func(disk string) (Reading, error)
	// has is the memory of what a process started, in MiB.
	has func(root int) int

	everyProcessor bool
	patience       time.Duration
}

// In returns the room whose claims are in a folder.
func In(dir string) *Room {
	m := machine{root: "/"}
	return &Room{dir: dir, read: m.read, has: m.belowMB, patience: patience}
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
	c, err := r.queue(ctx, need)
	if err == nil {
		if err = r.await(ctx, c, tell); err == nil {
			return c, nil
		}
		c.Release()
	}
	return nil, fault.Infraf("make room for "+need.What, "%w", err)
}

// await asks again until the claim is admitted.
func (r *Room) await(ctx context.Context, c *Claim, tell func(why string)) error {
	var short lack
	var since, told time.Time
	for {
		l, err := r.try(ctx, c, short.of == idleness && time.Since(since) > r.patience)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil || l.of == nothing {
			return err
		}
		now := time.Now()
		if l.of != short.of || (l.cure == "") != (short.cure == "") {
			since, told = now, time.Time{}
		}
		if short = l; l.hopeless || l.cure != "" && now.Sub(since) > r.patience {
			return fmt.Errorf("it %s; %s", l.says, l.cure)
		}
		if now.Sub(told) > tellEvery {
			tell(fmt.Sprintf("for %s: %s", l.of, l.says))
			told = now
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pollEvery):
		}
	}
}

// try admits the claim if it is its turn and there is room, and returns what is
// lacking otherwise. anyway starts it also on busy processors.
func (r *Room) try(ctx context.Context, c *Claim, anyway bool) (l lack, err error) {
	err = r.locked(ctx, func() error {
		if err := os.Chtimes(c.file.Name(), time.Time{}, time.Now()); err != nil {
			return fmt.Errorf("cannot keep claim: %w", err)
		}
		others, err := r.claims(c.number)
		if err != nil {
			return err
		}
		if n := before(others, c); n > 0 {
			l = lack{of: turn, says: fmt.Sprintf("%d came before", n)}
			return nil
		}
		now, err := r.read(c.Need.Disk)
		if err != nil {
			return err
		}
		if anyway {
			now.Pressure = 0
		}
		if l = decide(now, r.held(others), c.Need, r.everyProcessor); l.of != nothing {
			return nil
		}
		c.Held = true
		return c.write()
	})
	return l, err
}

// locked does something with the claims, which takes moments.
func (r *Room) locked(ctx context.Context, do func() error) error {
	unlock, err := disk.Lock(ctx, filepath.Join(r.dir, "admission.lock"))
	if err != nil {
		return err
	}
	defer unlock()
	return do()
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
func (r *Room) Fits(ctx context.Context, need Need) (f Fit, err error) {
	err = r.locked(ctx, func() error {
		claims, err := r.claims(0)
		if err == nil {
			f.Reading, err = r.read(need.Disk)
		}
		f.FreeMB += r.held(claims).takenMB
		return err
	})
	f.Need, f.ByProcessors = need, f.Processors/max(need.Processors, 1)
	f.ByMemory = max(f.FreeMB-ReserveMB, 0) / max(need.MemoryMB, 1)
	return f, err
}
