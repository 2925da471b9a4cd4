package run

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"runtime"

	"github.com/virtmatrix/virtmatrix/internal/admit"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// ParallelEnv is the environment variable that tells the suites how many cells
// somebody wants side by side; without it the processors decide.
const ParallelEnv = "VIRTMATRIX_PARALLEL"

// emulatorMB is what the L0 emulator takes besides L1's memory, in MiB: above all
// the code that it translated, when it emulates.
const emulatorMB = 512

// containedMB is what a container takes, in MiB: libvirtd, and the emulators of two
// small guests with the code that they translated.
const containedMB = 1024

// containedDiskMB is what a container writes to its scratch folder, in MiB: disks
// of guests and their saved memory, and what must be left then.
const containedDiskMB = 1024

// need is what the wanted hosts of a cell take of the machine, together: whoever took
// room for one of two would wait for the other for ever. Each keeps one processor
// busy, however many it has: its checks run one after another, and each waits for one
// guest. More than the machine has they cannot keep busy. home is the cache, whose disk
// has the scratch folders; none when nobody asks about disks.
func need(cell *matrix.Cell, want matrix.Hosts, home string) admit.Need {
	count := max(want.Count, 1)
	n := admit.Need{What: "a host of " + cell.ID, MemoryMB: cmp.Or(want.MemoryMB, hostMemoryMB) + emulatorMB, Processors: min(count, runtime.NumCPU()), Timed: true}
	if cell.Tier == matrix.Container {
		n.MemoryMB, n.Disk, n.DiskMB = cmp.Or(want.MemoryMB, containedMB), home, containedDiskMB*count
	}
	if n.MemoryMB *= count; count > 1 {
		n.What = fmt.Sprintf("%d hosts of %s", count, cell.ID)
	}
	return n
}

// openRoom opens the room for hosts and builds of all processes that share a
// run-time folder.
func openRoom(dir string) *admit.Room {
	room := admit.In(dir)
	if os.Getenv(ParallelEnv) != "" {
		return room.EveryProcessor()
	}
	return room
}

// Reserve waits until the machine has room for all the wanted hosts of the cell, and
// tells why it waits. It fails at once where they can never fit.
func (h *Hosts) Reserve(ctx context.Context, cell *matrix.Cell, want matrix.Hosts, tell func(why string)) (*admit.Claim, error) {
	return h.driver.room.Enter(ctx, need(cell, want, h.driver.store.Home()), tell)
}

// Fits says how many of the plan's cells fit side by side on the machine now.
// Cells differ in what they take: it is those that take least that are counted,
// because each waits for its own room.
func Fits(ctx context.Context, dir string, cells ...matrix.Cell) (admit.Fit, error) {
	least := need(&matrix.Cell{}, matrix.Hosts{}, "")
	for i := range cells {
		if n := need(&cells[i], matrix.Hosts{}, ""); n.MemoryMB < least.MemoryMB {
			least = n
		}
	}
	return admit.In(dir).Fits(ctx, least)
}
