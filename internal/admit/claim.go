package admit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virtmatrix/virtmatrix/internal/store/disk"
)

// claimPrefix starts the names of claims; the number that follows tells their
// order. They are files beside the folders of hosts: a folder in the run-time
// folder belongs to one process.
const claimPrefix = "claim-"

// silence is after how long a claim that waits and does not look any more is
// passed over: its process is stopped.
const silence = 10 * time.Second

// Claim is room that was asked for and, once Enter returned it, taken. Its file
// holds what is exported, and its time is when the claim last looked for room.
type Claim struct {
	Need Need
	// Root is the process whose children take what was claimed.
	Root int
	// Held says that the claim was admitted; it waits otherwise.
	Held bool
	// EveryProcessor says that it waits for memory and disk alone.
	EveryProcessor bool `json:",omitempty"`

	room   *Room
	number int
	file   *os.File
	looked time.Time
}

// queue leaves a claim that waits, behind all others.
func (r *Room) queue(ctx context.Context, need Need) (*Claim, error) {
	c := &Claim{Need: need, Root: os.Getpid(), EveryProcessor: r.everyProcessor, room: r, number: 1}
	return c, r.locked(ctx, func() error {
		others, err := r.claims(0)
		if err != nil {
			return err
		}
		if n := len(others); n > 0 {
			c.number = others[n-1].number + 1
		}
		c.file, err = os.OpenFile(filepath.Join(r.dir, fmt.Sprintf("%s%09d", claimPrefix, c.number)), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o644)
		if err != nil {
			return disk.Explain(err, r.dir)
		}
		if err = unix.Flock(int(c.file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err == nil {
			err = c.write()
		}
		if err != nil {
			c.Release()
		}
		return err
	})
}

// write stores the claim. The caller holds the room's lock.
func (c *Claim) write() error {
	b, err := json.Marshal(c)
	if err == nil {
		err = os.WriteFile(c.file.Name(), b, 0o644)
	}
	if err != nil {
		return fmt.Errorf("cannot write claim: %w", disk.Explain(err, c.room.dir))
	}
	return nil
}

// Uses names the process whose tree takes what was claimed, where that is no
// child of this process: the first process of a container.
func (c *Claim) Uses(ctx context.Context, pid int) error {
	return c.room.locked(ctx, func() error {
		c.Root = pid
		return c.write()
	})
}

// Release gives the room back. What still uses it is not free, whoever looks.
func (c *Claim) Release() {
	os.Remove(c.file.Name())
	c.file.Close()
}

// claims reads the living claims but one, in their order, and removes the dead
// ones. The caller holds the room's lock.
func (r *Room) claims(but int) (all []*Claim, err error) {
	// Glob sorts, and the numbers have leading zeros.
	paths, err := filepath.Glob(filepath.Join(r.dir, claimPrefix+"*"))
	if err != nil {
		return nil, fmt.Errorf("cannot look for claims: %w", err)
	}
	for _, path := range paths {
		c := &Claim{}
		if _, err := fmt.Sscanf(filepath.Base(path), claimPrefix+"%d", &c.number); err != nil || c.number == but {
			continue
		}
		if alive, err := c.read(path); err != nil {
			return nil, err
		} else if alive {
			all = append(all, c)
		}
	}
	return all, nil
}

// read reads a claim as another sees it, and removes it when its owner is dead.
func (c *Claim) read(path string) (alive bool, err error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil // released since the folder was read
	}
	if err != nil {
		return false, fmt.Errorf("cannot read claim: %w", err)
	}
	defer f.Close()
	if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
		os.Remove(path)
		return false, nil
	}
	info, err := f.Stat()
	if err == nil {
		c.looked = info.ModTime()
		err = json.NewDecoder(f).Decode(c)
	}
	if err != nil {
		return false, fmt.Errorf("cannot read claim %s, which a living process holds: %w; end that process or use a run-time folder of your own", path, err)
	}
	return true, nil
}

// before counts the claims that came earlier and still look for room. Whoever takes
// every processor does not stand behind one that waits for an idle one: that may be
// long, and both would wait for what only one of them needs.
func before(others []*Claim, c *Claim) (n int) {
	for _, o := range others {
		if !o.Held && o.number < c.number && (o.EveryProcessor || !c.EveryProcessor) && time.Since(o.looked) < silence {
			n++
		}
	}
	return n
}
