package host

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/qmp"
	"github.com/virtmatrix/virtmatrix/internal/snapshot"
	"github.com/virtmatrix/virtmatrix/internal/store/disk"
)

// restoreLimit bounds how long a host may take to be restored, or to go on after it
// was saved, at scale 1, unless Settings.Silence does: all that time its console is
// silent.
const restoreLimit = 30 * time.Second

func (s Settings) restoring() time.Duration { return s.Limit(cmp.Or(s.Silence, restoreLimit)) }

// soon bounds what a host that works does at once: others wait for their turn
// meanwhile. late says what is wrong with one that does not.
func (s Settings) soon(ctx context.Context, late string) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, s.restoring(), errors.New(late))
}

// Restores says whether there is a snapshot that Boot would restore the host from.
func Restores(p Parts, s Settings, em Emulator) bool {
	of, err := options{parts: p, settings: s, emulator: em}.subject()
	if err != nil || s.Snapshots == nil {
		return false
	}
	_, err = s.Snapshots.Find(of)
	return err == nil
}

// Forget removes the snapshot that Boot would restore the host from, if there is
// one, so that the next such host is booted.
func Forget(p Parts, s Settings, em Emulator) error {
	if s.Snapshots == nil {
		return nil
	}
	of, err := options{parts: p, settings: s, emulator: em}.subject()
	if err != nil {
		return fault.Infraf("forget snapshot", "%w", err)
	}
	return s.Snapshots.Remove(of.Name())
}

// restoreOrBoot restores the host, or boots it and makes its snapshot.
func (o options) restoreOrBoot(ctx context.Context) (*VM, error) {
	of, err := o.subject()
	if err != nil {
		return nil, fault.Infraf("boot host", "%w", err)
	}
	vm, why, err := o.restore(ctx, of)
	if vm != nil || err != nil {
		return vm, err
	}
	release, err := o.settings.turn(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	if why == "" {
		// Who had the turn before may have made it.
		if vm, why, err = o.restore(ctx, of); vm != nil || err != nil {
			return vm, err
		}
	}
	if vm, err = o.boot(ctx); err != nil {
		return nil, err
	}
	if why != "" {
		vm.note("%s", why)
	}
	if err := vm.save(ctx, of); err != nil {
		vm.Close()
		return nil, err
	}
	return vm, nil
}

// restore restores the host from its snapshot. Without one that can be used there
// is no host, and why says what was wrong with the one that was there.
func (o options) restore(ctx context.Context, of snapshot.Subject) (vm *VM, why string, err error) {
	found, err := o.settings.Snapshots.Find(of)
	if errors.Is(err, os.ErrNotExist) && !isBad(err) {
		return nil, "", nil
	}
	if err == nil {
		vm, err = o.resume(ctx, found)
	}
	switch {
	case err == nil:
		found.Worked()
		vm.note("restored from snapshot %s of %s", found.Name, found.Manifest.Created.Format(time.DateTime))
		return vm, "", nil
	case ctx.Err() != nil:
		var ours *fault.Infra
		if err := context.Cause(ctx); errors.As(err, &ours) {
			return nil, "", err
		}
		return nil, "", fault.Infraf("restore host", "%w", context.Cause(ctx))
	}
	why = fmt.Sprintf("booted, not restored: %v", err)
	var bad *snapshot.BadError
	if errors.As(err, &bad) {
		// The next one would stumble over it too.
		why += "; " + quarantine(o.settings.Snapshots, bad)
	}
	return nil, why, nil
}

// quarantine removes a snapshot and says so.
func quarantine(from *snapshot.Store, bad *snapshot.BadError) string {
	forGood, err := from.Quarantine(bad)
	switch {
	case err != nil:
		return err.Error()
	case forGood:
		return "it was removed, and none is made in its place until `virtmatrix gc -snapshots`"
	}
	return "it was removed"
}

func isBad(err error) bool {
	var bad *snapshot.BadError
	return errors.As(err, &bad)
}

// resume makes a running host of a snapshot. The error is a BadError when the
// snapshot is to blame.
func (o options) resume(ctx context.Context, from *snapshot.Snapshot) (_ *VM, err error) {
	_, quirks, err := compose(o.parts, o.settings)
	if err != nil {
		return nil, err
	}
	vm, err := o.create(quirks)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			vm.Close()
		}
	}()
	if err := vm.unpack(from); err != nil {
		return nil, disk.Explain(err, vm.bulk.Path)
	}
	if err := vm.start(o, true); err != nil {
		return nil, err
	}
	if err := vm.wake(ctx, from); err != nil {
		return nil, err
	}
	return vm, nil
}

// unpack puts the host's memory, disk and console in their places.
func (vm *VM) unpack(from *snapshot.Snapshot) (err error) {
	if vm.memory, err = from.Image(fileMemory); err != nil {
		return err
	}
	if err := from.CopyTo(fileScratch, vm.file(fileScratch)); err != nil {
		return err
	}
	// The emulator wants one; no one reads it after the boot.
	if err := os.WriteFile(vm.file(fileInitramfs), []byte("restored\n"), 0o600); err != nil {
		return err
	}
	return from.Read(ConsoleFile, func(r io.Reader) error {
		f, err := os.Create(vm.Console().Path)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.Copy(f, r)
		return err
	})
}

// wake loads the host's state into its emulator, lets it run, connects to the
// agent and makes it a host of its own.
func (vm *VM) wake(ctx context.Context, from *snapshot.Snapshot) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	err := vm.load(ctx, cancel, from)
	if err == nil {
		go vm.watchBoot(ctx, cancel, phase{vm.settings.restoring(), func(_ []byte, what string) error {
			return from.Useless(fault.Infraf("restore host", "%s", what))
		}})
		err = vm.goOn(ctx)
	}
	if err == nil {
		err = vm.connectAgent(ctx)
	}
	if err == nil {
		err = vm.freshen(ctx)
	}
	if err != nil {
		return vm.restoreFault(ctx, from, err)
	}
	return nil
}

// load loads the host's state into its emulator and verifies it. The console is
// silent for as long as the disk takes to be read.
func (vm *VM) load(ctx context.Context, cancel context.CancelCauseFunc, from *snapshot.Snapshot) error {
	watched, loaded := context.WithCancel(ctx)
	defer loaded()
	go vm.watchBoot(watched, cancel, phase{vm.settings.longest(), func(_ []byte, what string) error {
		return fault.Infraf("restore host", "%s", what)
	}})
	verified := make(chan error, 1)
	go func() { verified <- vm.verify(from) }()
	err := vm.openMonitor(ctx)
	if err == nil {
		err = from.Read(fileState, func(r io.Reader) error { return vm.migrateFrom(ctx, r) })
	}
	// The memory is worth nothing unless it is verified, whatever came of it.
	return cmp.Or(<-verified, err)
}

// verify verifies the host's memory, and has it watched from then on.
func (vm *VM) verify(from *snapshot.Snapshot) error {
	memory, err := from.Verify(fileMemory, vm.memory)
	vm.life.mu.Lock()
	defer vm.life.mu.Unlock()
	vm.life.memory = memory
	return err
}

// restoreFault says why the host was not restored. The snapshot is to blame when
// the emulator does not take it, and when the host died or fell silent once it ran:
// what the machine lacks, any snapshot would.
func (vm *VM) restoreFault(ctx context.Context, from *snapshot.Snapshot, err error) error {
	var bad *snapshot.BadError
	var said *qmp.Error
	switch {
	case errors.As(err, &bad):
		return bad
	case errors.As(err, &said):
		return from.Refused(err) // whoever says so is there
	case errors.Is(err, errMigration):
		if lost := vm.whyLost(ctx); lost != nil {
			err = fmt.Errorf("%w: %w", err, lost)
		}
		return from.Refused(err)
	}
	err = vm.bootFault(ctx, err)
	var died *fault.Product
	if errors.As(err, &died) || isBad(err) {
		return from.Useless(err)
	}
	return err
}

// migrateFrom has the emulator take its state from r.
func (vm *VM) migrateFrom(ctx context.Context, r io.Reader) error {
	events, done, err := vm.migrationEvents(ctx)
	if err != nil {
		return err
	}
	defer done()
	if err := vm.monitor.Do(ctx, "migrate-incoming", map[string]any{"uri": "unix:" + vm.path(sockState)}, nil); err != nil {
		return err
	}
	conn, err := net.Dial("unix", vm.path(sockState))
	if err != nil {
		return err
	}
	defer conn.Close()
	var cut atomic.Bool
	defer context.AfterFunc(ctx, func() {
		select {
		case <-vm.proc.Done():
		default:
			cut.Store(true)
		}
		conn.Close()
	})()
	_, err = io.CopyBuffer(conn, r, make([]byte, 1<<20))
	conn.Close()
	end := vm.migrated(events)
	switch {
	case cut.Load():
		return context.Cause(ctx) // that it failed is our doing
	case errors.Is(end, errMigration):
		return end
	}
	return errors.Join(fault.Cause(ctx, err), end)
}

// freshen makes the host one of its own: with the time of now, and with random
// numbers and a machine-id that no other has. It keeps its name. It has no network
// card on L0's side, and so no address there.
func (vm *VM) freshen(ctx context.Context) error {
	var random [agent.SeedBytes + 16]byte
	_, _ = rand.Read(random[:])
	return vm.session().Freshen(ctx, agent.Fresh{
		Time: time.Now(), Seed: random[:agent.SeedBytes], MachineID: hex.EncodeToString(random[agent.SeedBytes:]),
	})
}
