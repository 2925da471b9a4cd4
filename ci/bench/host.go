package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/internal/owner"
	"github.com/virtmatrix/virtmatrix/internal/run"
	"github.com/virtmatrix/virtmatrix/internal/snapshot"
	"github.com/virtmatrix/virtmatrix/matrix"
	"libvirt.org/go/libvirt"
)

// with boots or restores a host of the subject as a run does, and ends it after its
// use. Without a store of snapshots the host boots.
func (l *lab) with(ctx context.Context, snapshots *snapshot.Store, logs string, use func(vm *host.VM, asked time.Time) error) error {
	hosts := *l.hosts
	hosts.Snapshots = snapshots
	room, err := hosts.Reserve(ctx, l.cell, matrix.Hosts{}, func(why string) { l.say("waiting %s", why) })
	if err != nil {
		return err
	}
	defer room.Release()
	asked := time.Now()
	started, err := hosts.Start(ctx, l.cell, matrix.Hosts{}, logs)
	if err != nil {
		return err
	}
	vm := started[0].(*host.VM)
	return errors.Join(use(vm, asked), vm.Close())
}

// restored is with a host out of a snapshot. A store remembers what it has
// verified: a new one restores as the first of a process does, which is what a run
// does, because each of its cells has a snapshot of its own.
func (l *lab) restored(ctx context.Context, use func(vm *host.VM, asked time.Time) error) error {
	return l.with(ctx, snapshot.In(run.Snapshots(l.home)), l.file("restored"), use)
}

// boot measures cold boots until the agent says on the console that it serves.
func boot(ctx context.Context, l *lab) ([]side, []row, error) {
	kept, dir := l.file("cold"), l.file("plain")
	served := func(dir string) error { return says(ctx, filepath.Join(dir, host.ConsoleFile), agent.ReadyLine) }
	take := func(ctx context.Context) (figures, error) {
		// A console that is there already would be an earlier host's.
		logs, f, serves := l.file("booted"), figures{}, make(chan time.Time, 1)
		if err := os.RemoveAll(logs); err != nil {
			return nil, err
		}
		go func() {
			_ = served(logs)
			serves <- time.Now()
		}()
		return f, l.with(ctx, nil, logs, func(vm *host.VM, asked time.Time) error {
			f["up"], f["time"] = time.Since(asked).Seconds(), (<-serves).Sub(asked).Seconds()
			return l.keep(ctx, vm, kept)
		})
	}
	plainly := func(ctx context.Context) (figures, error) {
		defer os.RemoveAll(dir)
		return alone(ctx, func() error { return served(dir) }, "qemu.sh", kept, dir, l.hosts.Emulator().Usr, os.DevNull)
	}
	// The first boot reads the images into memory, and gives plain qemu its command
	// line and initramfs. It is not counted.
	_, err := take(ctx)
	fresh := []string{"mkfs.ext4", "-q", "-F", "-O", "^has_journal", "-E", "lazy_itable_init=1", filepath.Join(kept, "scratch.img"), "4G"}
	return []side{{ours, take}, {plain, plainly}}, []row{
		{what: "L1's console says that the agent serves", figure: "time", unit: "s", plain: plain, of: ofRatios, most: 1.10},
		{what: "... until its services are up", figure: "up", unit: "s"},
	}, errors.Join(err, command(ctx, fresh...))
}

// keep remembers how a host was started, once.
func (l *lab) keep(ctx context.Context, vm *host.VM, kept string) error {
	if _, err := os.Stat(kept); err == nil {
		return nil
	}
	return command(ctx, "sh", "-c", script("keep.sh"), "keep.sh", vm.LogDir(), kept)
}

// restore measures how long a pristine host takes from its snapshot: until its
// agent answers, and until its libvirt has answered a call from L0.
func restore(ctx context.Context, l *lab) ([]side, []row, error) {
	kept, dir, state := l.file("warm"), l.file("plain"), l.file("state")
	take := func(ctx context.Context) (figures, error) {
		f := figures{}
		return f, l.restored(ctx, func(vm *host.VM, asked time.Time) error {
			f["time"] = time.Since(asked).Seconds()
			err := asksLibvirt(vm)
			f["libvirt"] = time.Since(asked).Seconds()
			if _, there := os.Stat(state); err == nil && there != nil {
				err = save(ctx, vm, l.file("state.sock"), state)
			}
			return errors.Join(err, l.keep(ctx, vm, kept))
		})
	}
	plainly := func(ctx context.Context) (figures, error) {
		defer os.RemoveAll(dir)
		// Its agent's answer would come later: to compare ours with that is strict.
		up := func() error { return runs(ctx, filepath.Join(dir, "qmp.sock")) }
		return alone(ctx, up, "qemu.sh", kept, dir, l.hosts.Emulator().Usr, state, "-incoming", "fd:3")
	}
	// This one is not counted: it may have to boot for the snapshot, and finds out
	// how plain qemu is to be started.
	_, err := take(ctx)
	return []side{{ours, take}, {plain, plainly}}, []row{
		{what: "first in a process, request to the agent's answer; plain -incoming until it runs", figure: "time", unit: "s", plain: plain, of: ofRatios, most: 1.5},
		{what: "... until a libvirt call from L0 is answered", figure: "libvirt", unit: "s", of: ofOurs, most: 1.5},
	}, err
}

// asksLibvirt opens a connection to L1's libvirt from here and makes a call.
func asksLibvirt(vm *host.VM) error {
	manager, err := vm.Layout().Manager(matrix.KVM)
	if err != nil {
		return err
	}
	local, err := vm.Forward(manager.Socket)
	if err != nil {
		return err
	}
	conn, err := libvirt.NewConnect("qemu+unix:///system?socket=" + local)
	if err != nil {
		return fmt.Errorf("cannot connect to libvirt in L1: %w", err)
	}
	_, err = conn.GetLibVersion()
	_, closing := conn.Close()
	return errors.Join(err, closing)
}

// soak restores many hosts, one after another, and looks for what grows.
func soak(ctx context.Context, l *lab) ([]side, []row, error) {
	store := snapshot.In(run.Snapshots(l.home))
	some := func(n int) error {
		for i := range n {
			err := l.with(ctx, store, l.file("soak"), func(vm *host.VM, _ time.Time) error {
				_, err := vm.Exec(ctx, "true")
				return err
			})
			if err != nil {
				return fmt.Errorf("restore %d of %d: %w", i+1, n, err)
			}
		}
		return nil
	}
	n := max(1, l.restores/(l.samples*soakLooks))
	rows := []row{{what: fmt.Sprintf("a host of %d restores in a row, and its end; between samples", n), figure: "time", unit: "s"}}
	for _, name := range slices.Sorted(maps.Keys(l.holds())) {
		rows = append(rows, row{what: "... " + name, figure: name, of: ofGrowth})
		if name == "memory" {
			rows[len(rows)-1].unit, rows[len(rows)-1].most = "MiB", 4 // it wavers
		}
	}
	// What is made once, for the first hosts, is no growth.
	return []side{{ours, func(context.Context) (figures, error) {
		began := time.Now()
		err := some(n)
		took := time.Since(began).Seconds() / float64(n)
		f := l.holds()
		f["time"] = took
		return f, err
	}}}, rows, some(3)
}

// holds counts what this process holds on the machine.
func (l *lab) holds() figures {
	debug.FreeOSMemory()
	held := figures{"goroutines": float64(runtime.NumGoroutine()), "memory": valueOf("/proc/self/smaps_rollup", "Rss"), "processes": float64(len(owner.Descendants(os.Getpid())))}
	for name, pattern := range map[string]string{
		"threads": "/proc/self/task/*", "descriptors": "/proc/self/fd/*", "loop devices": "/sys/block/loop*/loop",
		"run-time folders": filepath.Join(l.driver.Runtime(), "*"), "scratch folders": filepath.Join(run.Scratch(l.home), "*"),
		"snapshots": filepath.Join(run.Snapshots(l.home), "*"),
	} {
		found, _ := filepath.Glob(pattern)
		held[name] = float64(len(found))
	}
	return held
}
