package host

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/internal/console"
	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/owner"
	"github.com/virtmatrix/virtmatrix/internal/qmp"
	"github.com/virtmatrix/virtmatrix/internal/store/disk"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// The limits of a boot at scale 1, unless Settings say otherwise. It is given up
// when the console is silent for bootStall before the agent answers, and after
// bootLimit in all.
const (
	bootStall = 60 * time.Second
	bootLimit = 5 * time.Minute
	poll      = 50 * time.Millisecond
	// dialPoll is short: a restored host is there in tenths of a second.
	dialPoll = 5 * time.Millisecond
)

// phase is a part of the boot.
type phase struct {
	// silence is how long the console may be silent in it.
	silence time.Duration
	// failure makes the fault of a host that got nowhere though it had a processor.
	failure func(console []byte, what string) error
}

// connect waits for the agent: first for the emulator's sockets, then for the
// answer, while the console and the emulator are watched.
func (vm *VM) connect(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go vm.watchBoot(ctx, cancel, phase{vm.settings.stall(), vm.bootFailure})
	if err := vm.openMonitor(ctx); err != nil {
		return vm.bootFault(ctx, err)
	}
	if err := vm.connectAgent(ctx); err != nil {
		return vm.bootFault(ctx, err)
	}
	return nil
}

func (vm *VM) connectAgent(ctx context.Context) error {
	conn, err := dialWhenThere(ctx, vm.path(sockAgent))
	if err == nil {
		err = vm.Open(ctx, conn)
	}
	return err
}

func (vm *VM) openMonitor(ctx context.Context) error {
	conn, err := dialWhenThere(ctx, vm.path(sockQMP))
	if err != nil {
		return err
	}
	if vm.qmpLog, err = os.Create(filepath.Join(vm.settings.LogDir, QMPFile)); err != nil {
		conn.Close()
		return disk.Explain(err, vm.settings.LogDir)
	}
	if vm.monitor, err = qmp.New(ctx, conn, qmp.Options{Transcript: vm.qmpLog}); err != nil {
		return err
	}
	// The session's end, which is the host's, ends the events.
	events, err := vm.monitor.Events(context.WithoutCancel(ctx))
	if err == nil {
		go vm.watchStops(events)
	}
	return err
}

// dialWhenThere connects to a socket that the emulator makes as it starts.
func dialWhenThere(ctx context.Context, path string) (net.Conn, error) {
	for {
		conn, err := net.Dial("unix", path)
		if err == nil {
			return conn, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("cannot connect to emulator: %w", context.Cause(ctx))
		case <-time.After(dialPoll):
		}
	}
}

// watchBoot cancels the boot with the reason when the host died or stalls.
func (vm *VM) watchBoot(ctx context.Context, cancel context.CancelCauseFunc, p phase) {
	start := time.Now()
	last, moved, since := int64(-1), start, vm.proc.Sched()
	for {
		select {
		case <-ctx.Done():
			return
		case <-vm.proc.Done():
			// What killed L1 is on its console, which is complete now.
			cancel(vm.Alive())
			return
		case <-time.After(4 * poll):
		}
		if err := vm.Alive(); err != nil {
			cancel(err)
			return
		}
		if size := vm.Console().Size(); size != last {
			last, moved, since = size, time.Now(), vm.proc.Sched()
		}
		idle, total := time.Since(moved), time.Since(start)
		if idle > p.silence || total > vm.settings.longest() {
			cancel(vm.stalled(p, idle, total, vm.proc.Sched().Sub(since)))
			return
		}
	}
}

// stalled decides whose fault a silent boot is: the machine's when the emulator
// did not get a processor, the guest's when it had one and got nowhere.
func (vm *VM) stalled(p phase, idle, total time.Duration, got owner.Sched) error {
	text, _ := vm.Console().Since(0)
	what := fmt.Sprintf("no answer after %s, silent for the last %s, in which the emulator %s; the console ends with:\n%s",
		total.Round(time.Second/10), idle.Round(time.Second/10), got, console.Tail(text, 15))
	switch {
	case got.Starved():
		return fault.Infraf("boot host on a starved machine", "%s", what)
	case got == owner.Sched{}:
		return fault.Infraf("boot host, whose emulator was stopped from outside", "%s", what)
	}
	return p.failure(text, what)
}

// bootFailure is that of what was booting. An agent that says that it serves, and then
// does not answer, may be our own fault.
func (vm *VM) bootFailure(text []byte, what string) error {
	if bytes.Contains(text, []byte(agent.ReadyLine)) {
		return fault.Infraf("talk to the agent, which says that it serves", "%s", what)
	}
	return fault.Productf(vm.bootLayer(text), "boot host", "%s", what)
}

func servicesFailure(_ []byte, what string) error {
	return fault.Productf(matrix.LayerManagement, "start the host's services", "%s", what)
}

// bootLayer is the layer that was booting when a console ended.
func (vm *VM) bootLayer(text []byte) matrix.Layer {
	if vm.settings.Kind == matrix.Xen && !bytes.Contains(text, []byte("Linux version")) {
		return matrix.LayerHypervisor
	}
	return matrix.LayerKernel
}

// bootFault returns the watcher's reason when it has one: it is the cause, and
// the failed connection is what followed.
func (vm *VM) bootFault(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		if dead := vm.whyLost(ctx); dead != nil {
			return dead
		}
	}
	// The watcher may have found the reason meanwhile.
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return fault.OrInfra("boot host", err)
}

// awaitServices waits until the agent has started the daemons.
func (vm *VM) awaitServices(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	// Services print into their logs: the console may be silent to the end.
	go vm.watchBoot(ctx, cancel, phase{vm.settings.longest(), servicesFailure})
	if err := vm.AwaitServices(ctx); err != nil {
		return vm.bootFault(ctx, err)
	}
	return nil
}
