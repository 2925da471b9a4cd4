package admit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
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

// Claim is room that was asked for and, once Enter returned it, taken.
type Claim struct {
	room   *Room
	number int
	file   *os.File
	state  state
}

// state is what a claim's file says.
type state struct {
	Need Need `json:"need"`
	// Owner is the process that holds the claim, Root that whose children take
	// what was claimed: the owner itself unless Uses named another.
	Owner int `json:"owner"`
	Root  int `json:"root"`
	// Held says that the claim was admitted; it waits otherwise.
	Held bool `json:"held"`
}

// claimed is a living claim as another sees it.
type claimed struct {
	number int
	state  state
	// looked is when it last looked for room.
	looked time.Time
}

// queue leaves a claim that waits, behind all others.
func (r *Room) queue(ctx context.Context, need Need) (*Claim, error) {
	unlock, err := r.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	others, err := r.others(0)
	if err != nil {
		return nil, err
	}
	number := 1
	if len(others) > 0 {
		number = others[len(others)-1].number + 1
	}
	f, err := os.OpenFile(r.path(number), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o644)
	if err != nil {
		return nil, disk.Explain(err, r.dir)
	}
	me := os.Getpid()
	c := &Claim{room: r, number: number, file: f, state: state{Need: need, Owner: me, Root: me}}
	if err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err == nil {
		err = c.write()
	}
	if err != nil {
		c.Release()
		return nil, err
	}
	return c, nil
}

func (r *Room) path(number int) string {
	return filepath.Join(r.dir, fmt.Sprintf("%s%09d", claimPrefix, number))
}

// write stores the claim's state. The caller holds the room's lock.
func (c *Claim) write() error {
	b, err := json.Marshal(c.state)
	if err == nil {
		err = c.file.Truncate(0)
	}
	if err == nil {
		_, err = c.file.WriteAt(b, 0)
	}
	if err != nil {
		return fmt.Errorf("cannot write claim: %w", disk.Explain(err, c.room.dir))
	}
	return nil
}

// touch tells that the claim's owner still looks for room.
func (c *Claim) touch() error {
	now := time.Now()
	if err := os.Chtimes(c.file.Name(), now, now); err != nil {
		return fmt.Errorf("cannot keep claim: %w", err)
	}
	return nil
}

// Uses names the process whose tree takes what was claimed, where that is no
// child of this process: the first process of a container.
func (c *Claim) Uses(ctx context.Context, pid int) error {
	unlock, err := c.room.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	c.state.Root = pid
	return c.write()
}

// Release gives the room back. Call it before what took the room is ended: so
// its work is not taken for that of others. What it still has of the machine is
// not free, whoever looks.
func (c *Claim) Release() {
	if c.state.Root != c.state.Owner {
		c.room.measure()
	}
	os.Remove(c.file.Name())
	c.file.Close()
}

// others reads the living claims but one, in their order, and removes the dead
// ones. The caller holds the room's lock.
func (r *Room) others(but int) ([]claimed, error) {
	paths, err := filepath.Glob(filepath.Join(r.dir, claimPrefix+"*"))
	if err != nil {
		return nil, fmt.Errorf("cannot look for claims: %w", err)
	}
	var all []claimed
	for _, path := range paths {
		var number int
		if _, err := fmt.Sscanf(filepath.Base(path), claimPrefix+"%d", &number); err != nil || number == but {
			continue
		}
		c, alive, err := readClaim(path)
		if err != nil {
			return nil, err
		}
		if c.number = number; alive {
			all = append(all, c)
		}
	}
	slices.SortFunc(all, func(a, b claimed) int { return a.number - b.number })
	return all, nil
}

// readClaim reads a claim, and removes it when its owner is dead.
func readClaim(path string) (c claimed, alive bool, err error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return c, false, nil // released since the folder was read
	}
	if err != nil {
		return c, false, fmt.Errorf("cannot read claim: %w", err)
	}
	defer f.Close()
	if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return c, false, fmt.Errorf("cannot remove claim of a dead process: %w", err)
		}
		return c, false, nil
	}
	info, err := f.Stat()
	if err == nil {
		err = json.NewDecoder(f).Decode(&c.state)
	}
	if err != nil {
		return c, false, fmt.Errorf("cannot read claim %s, which a living process holds: %w; end that process or use a run-time folder of your own", path, err)
	}
	c.looked = info.ModTime()
	return c, true, nil
}

// before counts the claims that came earlier and still look for room.
func before(others []claimed, number int) int {
	n := 0
	for _, o := range others {
		if !o.state.Held && o.number < number && time.Since(o.looked) < silence {
			n++
		}
	}
	return n
}
