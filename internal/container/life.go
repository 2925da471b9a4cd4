package container

import (
	"context"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/virtmatrix/virtmatrix/internal/console"
	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/internal/owner"
)

// ending is how a container ended, or err why Docker cannot tell.
type ending struct {
	status int64
	err    error
}

// watchEnd has Docker tell when the container is gone.
func (h *Host) watchEnd() {
	wait := h.engine.docker().ContainerWait(context.Background(), h.id, client.ContainerWaitOptions{Condition: container.WaitConditionRemoved})
	go func() {
		select {
		case r := <-wait.Result:
			h.over <- ending{status: r.StatusCode}
		case err := <-wait.Error:
			h.over <- ending{err: err}
		}
	}()
}

// gone says that what Docker was asked about is not there, or going.
func gone(err error) bool { return errdefs.IsNotFound(err) || errdefs.IsConflict(err) }

// Alive returns nil while the host can be worked with, and otherwise why not. A
// container has no kernel of its own: whatever ends it is no fault of the product.
// A daemon that did not start is.
func (h *Host) Alive() error {
	h.dying.Lock()
	defer h.dying.Unlock()
	if h.why == nil {
		h.why = h.fault()
	}
	return h.why
}

// fault looks at L0 before it believes the console: on a machine without memory or
// room daemons do not start either, and that is not their doing. The console is
// read first, because what made it say so was there before.
func (h *Host) fault() error {
	said, dead := h.console.Fatal()
	if size := h.Console().Size(); size > console.MaxBytes {
		return fault.Infraf("run container", "its console has printed %d MiB, and it goes on: see %s", size>>20, h.Console().Path)
	}
	for dir, least := range h.writes() {
		if err := host.NoRoom(dir, least); err != nil {
			return err
		}
	}
	if n := oomKills(h.oom); n > 0 {
		return fault.Infraf("run container", "memory ran out, and the kernel has killed %d processes of the container", n)
	}
	if dead {
		return host.Died(said.Line, h.Sched())
	}
	select {
	case <-h.parted:
		return h.whyEnded()
	default:
		return nil
	}
}

// roomForChecks is what a check may write, in bytes: a guest's saved memory above
// all. Who finds the disk full removes what it has written, so that there is some
// room again when somebody looks.
const roomForChecks = 512 << 20

// writes are the folders of L0 that the host writes to, and the bytes that must be
// free in each.
func (h *Host) writes() map[string]uint64 {
	dirs := map[string]uint64{h.settings.LogDir: host.RoomForLogs, h.bulk.Path: roomForChecks}
	if h.engine != nil {
		dirs[h.engine.Root] = roomForChecks
	}
	return dirs
}

// partLimit bounds how long Docker may take to tell of an end, and an end to show
// after the connections have.
const partLimit = 10 * time.Second

// whyEnded explains a container that is no more.
func (h *Host) whyEnded() error {
	const op = "run container"
	said := h.Console().Tail(5)
	select {
	case end := <-h.over:
		h.over <- end
		if end.err != nil {
			return fault.Infraf(op, "it is gone, and Docker cannot say why: %w; its console ends with:\n%s", end.err, said)
		}
		return fault.Infraf(op, "it was ended from outside or lost its agent: status %d; its console ends with:\n%s", end.status, said)
	case <-time.After(h.settings.Limit(partLimit)):
		return fault.Infraf(op, "its agent is gone, and Docker says nothing of it; its console ends with:\n%s", said)
	}
}

// lost explains a connection to L1 that broke: nil when it was not L1.
func (h *Host) lost(ctx context.Context) error {
	if ctx.Err() == nil {
		select {
		case <-h.parted:
		case <-ctx.Done():
		case <-time.After(h.settings.Limit(partLimit)):
		}
	}
	return h.Alive()
}

// Root is the container's first process, as L0 numbers it; 0 when it has ended.
func (h *Host) Root() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.sched.init
}

// Sched is how all that runs in the container fared with L0's scheduler.
func (h *Host) Sched() owner.Sched {
	h.mu.Lock()
	defer h.mu.Unlock()
	select {
	case <-h.parted: // its number may be another's now
		h.sched.init = 0
	default:
	}
	return h.sched.read()
}

// tally sums what the scheduler says of the threads of a container. Threads come
// and go, and what those had that are gone still counts.
type tally struct {
	// init is the container's first process on L0, 0 when not known.
	init    int
	threads map[string]owner.Sched
	before  owner.Sched
}

func (t *tally) read() owner.Sched {
	now := map[string]owner.Sched{}
	if t.init > 0 {
		now = owner.Threads(t.init)
	}
	for id, had := range t.threads {
		// A thread that has less than it had is another one of the same number.
		if has, there := now[id]; !there || has.Ran < had.Ran {
			t.before.Ran, t.before.Waited = t.before.Ran+had.Ran, t.before.Waited+had.Waited
		}
	}
	t.threads = now
	sum := t.before
	for _, s := range now {
		sum.Ran, sum.Waited = sum.Ran+s.Ran, sum.Waited+s.Waited
	}
	return sum
}
