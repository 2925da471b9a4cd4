package host

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"time"

	goqmp "github.com/digitalocean/go-qemu/qmp"
	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/internal/console"
	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/owner"
	"github.com/virtmatrix/virtmatrix/internal/snapshot"
	"github.com/virtmatrix/virtmatrix/matrix"
	"golang.org/x/sys/unix"
)

// life is what is known about whether a host lives.
type life struct {
	mu      sync.Mutex
	console *console.Watch
	// stopped says why the emulator stopped L1's processors.
	stopped error
	// memory is the snapshot's, which a restored host has mapped; nil for others.
	memory *snapshot.Verified
}

// Alive returns nil while the host can be worked with, and otherwise why not:
// a product fault when L1 itself died, ours when its emulator did.
func (vm *VM) Alive() error {
	vm.life.mu.Lock()
	defer vm.life.mu.Unlock()
	// Whatever a host says whose memory was changed from outside, it is not its own.
	if m := vm.life.memory; m != nil {
		if err := m.Unchanged(); err != nil {
			return fault.Infraf("run host", "%w", err)
		}
	}
	if f, dead := vm.life.console.Fatal(); dead {
		return Died(f.Line, vm.proc.Sched())
	}
	if vm.life.stopped != nil {
		return vm.life.stopped
	}
	if size := vm.Console().Size(); size > console.MaxBytes {
		return fault.Productf(matrix.LayerKernel, "run host", "its console has printed %d MiB, and it goes on: see %s", size>>20, vm.Console().Path)
	}
	if err := NoRoom(vm.settings.LogDir, RoomForLogs); err != nil {
		return err
	}
	select {
	case <-vm.proc.Done():
		return vm.whyEnded()
	default:
		return nil
	}
}

// endLimit bounds how long an emulator may take to end after its connections
// have, at scale 1.
const endLimit = 10 * time.Second

// whyLost explains a connection to L1 that broke: nil when it was not L1. The
// connections of an emulator end a moment before it does.
func (vm *VM) whyLost(ctx context.Context) error {
	if ctx.Err() == nil {
		select {
		case <-vm.proc.Done():
		case <-ctx.Done():
		case <-time.After(vm.settings.Limit(endLimit)):
		}
	}
	return vm.Alive()
}

// Died attributes the line that a host died of. had is how the host fared with the
// scheduler: what came too late on a starved machine may be the machine's.
func Died(line string, had owner.Sched) error {
	said, byAgent := strings.CutPrefix(line, agent.FaultLine)
	service, isStart := strings.CutPrefix(said, agent.Start)
	name, why, named := strings.Cut(service, ": ")
	switch {
	case byAgent && isStart && strings.Contains(why, agent.Late) && had.Starved():
		return fault.Infraf("start "+name+" on a starved machine", "the agent says: %s; the host %s", why, had)
	case byAgent && isStart && named:
		return fault.Productf(matrix.LayerManagement, "start "+name, "the agent says: %s", why)
	case byAgent:
		return fault.Infraf("compose host", "the agent says: cannot %s", said)
	case strings.HasPrefix(line, "(XEN)"):
		return fault.Productf(matrix.LayerHypervisor, "run host", "its console says %q", line)
	}
	return fault.Productf(matrix.LayerKernel, "run host", "its console says %q", line)
}

// whyEnded explains an emulator that ended without a word on the console.
func (vm *VM) whyEnded() error {
	err := vm.proc.Err()
	if err == nil {
		return fault.Productf(matrix.LayerKernel, "run host", "L1 powered off or reset by itself")
	}
	path := filepath.Join(vm.settings.LogDir, EmulatorFile)
	return fault.Infraf("run host", "its emulator is gone: %w; %s ends with:\n%s", err, path, console.Log{Path: path}.Tail(5))
}

// RoomForLogs is what must be free where logs go, in bytes. Without it a panic
// would not be seen, and a host that is only mute would look like one that hangs.
const RoomForLogs = 256 << 10

// NoRoom says that less than the bytes that it takes are free in a folder that a
// host writes to, nil when there is room.
func NoRoom(dir string, least uint64) error {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return nil
	}
	// What is kept back for root is no room: daemons and emulators are not root.
	free := st.Bavail * uint64(st.Bsize)
	if free >= least {
		return nil
	}
	const mib = 1 << 20
	return fault.Infraf("run host", "no space is left in %s: %.1f MiB are free, and it takes %.1f MiB; make room, for example with `virtmatrix gc`", dir, float64(free)/mib, float64(least)/mib)
}

// watchStops notes when the emulator stops L1 because of its own troubles, as
// it does when a disk image cannot grow: L1 would only look hung.
func (vm *VM) watchStops(events <-chan goqmp.Event) {
	for e := range events {
		if e.Event != "BLOCK_IO_ERROR" || e.Data["action"] != "stop" {
			continue
		}
		cure := ""
		if e.Data["nospace"] == true {
			cure = fmt.Sprintf("; no space is left in %s: make room, or name another folder in VIRTMATRIX_HOME", vm.bulk.Path)
		}
		vm.life.mu.Lock()
		vm.life.stopped = fault.Infraf("run host", "its emulator stopped it: %v error on disk %q: %v%s", e.Data["operation"], e.Data["device"], e.Data["reason"], cure)
		vm.life.mu.Unlock()
		// Whoever waits for L1 would wait for ever.
		vm.proc.Kill()
	}
}
