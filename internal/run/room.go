package run

import (
	"context"
	"os"

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

// need is what a host of a cell takes of the machine. It keeps one processor
// busy, however many it has: its checks run one after another, and each waits
// for one guest. home is the cache, whose disk has the scratch folders; none when
// nobody asks about disks.
func need(cell *matrix.Cell, home string) admit.Need {
	n := admit.Need{What: "a host of " + cell.ID, MemoryMB: hostMemoryMB + emulatorMB, Processors: 1, Timed: true}
	if cell.Tier == matrix.Container {
		n.MemoryMB, n.Disk, n.DiskMB = containedMB, home, containedDiskMB
	}
	return n
}

// openRoom opens the room for hosts and builds of all processes that share a
// run-time folder.
func openRoom(runtime string) *admit.Room {
	room := admit.In(runtime)
	if os.Getenv(ParallelEnv) != "" {
		return room.EveryProcessor()
	}
	return room
}

// Admit waits until the machine has room for a host of the cell, and tells why
// it waits.
func (h *Hosts) Admit(ctx context.Context, cell *matrix.Cell, tell func(why string)) (*admit.Claim, error) {
	return h.driver.room.Enter(ctx, need(cell, h.driver.store.Home()), tell)
}

// Fits says how many of the plan's cells fit side by side on the machine now.
// Cells differ in what they take: it is those that take least that are counted,
// because each waits for its own room.
func Fits(ctx context.Context, runtime string, cells ...matrix.Cell) (admit.Fit, error) {
	least := need(&matrix.Cell{}, "")
	for i := range cells {
		if n := need(&cells[i], ""); n.MemoryMB < least.MemoryMB {
			least = n
		}
	}
	return admit.In(runtime).Fits(ctx, least)
}
