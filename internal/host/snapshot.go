package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	goqmp "github.com/digitalocean/go-qemu/qmp"
	"github.com/virtmatrix/virtmatrix/internal/console"
	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/snapshot"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// The files of a snapshot, next to the scratch disk and the console: L1's memory,
// and the state of the rest of the machine.
const (
	fileMemory = "memory"
	fileState  = "state"
)

// sockState carries the state between the emulator and us. A file would have to
// be passed to an emulator that sees another /usr; and what comes through us is
// digested on its way.
const sockState = "state.sock"

// saveLimit bounds how long the emulator may take to hand its state out, at scale
// 1: some megabytes.
const saveLimit = 2 * time.Minute

// save makes the snapshot of a host that has just become ready, unless another
// process does. That there will be none is a note. The error is about the host,
// which cannot be used after it.
func (vm *VM) save(ctx context.Context, of snapshot.Subject) error {
	if why := vm.unfit(ctx); why != "" {
		vm.note("no snapshot was made: %s", why)
		return nil
	}
	// A host that does not go on is worse than one without a snapshot.
	var lame error
	_, err := vm.settings.Snapshots.Make(of, func(d *snapshot.Draft) error {
		err := vm.pause(ctx)
		if err == nil {
			err = vm.saveFiles(ctx, d)
		}
		lame = vm.goOnAfter(ctx, err)
		return errors.Join(err, lame)
	})
	if lame != nil {
		if dead := vm.Alive(); dead != nil {
			return dead
		}
		return fault.Infraf("let the host go on after its snapshot", "%w", lame)
	}
	if err != nil {
		vm.note("no snapshot was made: %v", err)
	}
	return nil
}

// goOnAfter lets L1 run again after it was saved, or was not. While it stood
// still its clock did, too.
func (vm *VM) goOnAfter(ctx context.Context, saved error) error {
	if errors.Is(saved, errUnsettled) {
		return saved // it would stop when the migration ends
	}
	ctx, cancel := vm.settings.soon(ctx, "the host does not answer after it stood still")
	defer cancel()
	err := vm.goOn(ctx)
	if err == nil {
		err = vm.freshen(ctx)
	}
	if err != nil {
		return fault.Cause(ctx, err)
	}
	return nil
}

func (vm *VM) note(format string, args ...any) {
	vm.notes = append(vm.notes, fmt.Sprintf(format, args...))
}

// unfit says why a host is none to make others from: libvirt does not answer, or
// the console complains, as that of each of them would. Libvirt probes emulators
// when it is first asked, which is most of what a boot takes.
func (vm *VM) unfit(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, vm.settings.Limit(serviceWait))
	defer cancel()
	uri := "qemu:///system"
	if vm.settings.Kind == matrix.Xen {
		uri = "xen:///system"
	}
	res, err := vm.session().Exec(ctx, "virsh -c "+uri+" capabilities >/dev/null", nil)
	switch {
	case err != nil:
		return err.Error()
	case !res.OK():
		return "libvirt does not answer: " + res.Text()
	}
	if _, err := vm.quietConsole(); err != nil {
		return err.Error()
	}
	return ""
}

// quietConsole is the console so far. The error is the trouble that it tells of.
func (vm *VM) quietConsole() ([]byte, error) {
	text, err := vm.Console().Since(0)
	if err != nil {
		return nil, err
	}
	if found := console.Scan(text, nil); len(found) > 0 {
		return nil, fmt.Errorf("the host's console tells of trouble: %s", found[0])
	}
	return text, nil
}

func (vm *VM) saveFiles(ctx context.Context, d *snapshot.Draft) error {
	ctx, cancel := context.WithTimeoutCause(ctx, vm.settings.Limit(saveLimit), errors.New("the emulator does not hand its state out"))
	defer cancel()
	// L1 stands still, so its console, its memory and its disk do. What it said
	// since it was found fit would be said by each of its copies.
	said, err := vm.quietConsole()
	if err != nil {
		return err
	}
	if err := d.Write(ConsoleFile, func(w io.Writer) error { _, err := w.Write(said); return err }); err != nil {
		return err
	}
	if err := d.Write(fileState, func(w io.Writer) error { return vm.migrateTo(ctx, w) }); err != nil {
		return err
	}
	if err := d.Copy(fileMemory, vm.memory); err != nil {
		return err
	}
	scratch, err := os.Open(vm.file(fileScratch))
	if err != nil {
		return err
	}
	defer scratch.Close()
	return d.Copy(fileScratch, scratch)
}

// pause stops L1's processors; goOn lets them run.
func (vm *VM) pause(ctx context.Context) error {
	ctx, cancel := vm.settings.soon(ctx, "the emulator does not stop the host")
	defer cancel()
	if err := vm.monitor.Do(ctx, "stop", nil, nil); err != nil {
		return fault.Cause(ctx, err)
	}
	return nil
}

func (vm *VM) goOn(ctx context.Context) error { return vm.monitor.Do(ctx, "cont", nil, nil) }

// migrateTo writes the emulator's state to w.
func (vm *VM) migrateTo(ctx context.Context, w io.Writer) error {
	events, done, err := vm.migrationEvents(ctx)
	if err != nil {
		return err
	}
	defer done()
	l, err := net.Listen("unix", vm.path(sockState))
	if err != nil {
		return err
	}
	defer l.Close()
	copied := make(chan error, 1)
	go func() { copied <- receive(ctx, l, w) }()
	if err := vm.monitor.Do(ctx, "migrate", map[string]any{"uri": "unix:" + vm.path(sockState)}, nil); err != nil {
		l.Close()
		<-copied
		return err
	}
	// Both always end: the copy with the connection, the migration with either.
	err = <-copied
	return errors.Join(err, vm.migrated(events))
}

// receive writes what the first to connect sends.
func receive(ctx context.Context, l net.Listener, w io.Writer) error {
	defer context.AfterFunc(ctx, func() { l.Close() })()
	conn, err := l.Accept()
	if err != nil {
		return fault.Cause(ctx, err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if _, err := io.CopyBuffer(w, conn, make([]byte, 1<<20)); err != nil {
		return fault.Cause(ctx, err)
	}
	return nil
}

// migrationEvents asks the emulator to tell how a migration goes, and to leave out
// memory that is shared with a file: that is copied, and mapped by who is restored
// (QEMU, qapi/migration.json, x-ignore-shared).
func (vm *VM) migrationEvents(ctx context.Context) (<-chan goqmp.Event, context.CancelFunc, error) {
	type capability struct {
		Capability string `json:"capability"`
		State      bool   `json:"state"`
	}
	err := vm.monitor.Do(ctx, "migrate-set-capabilities", map[string]any{"capabilities": []capability{{"events", true}, {"x-ignore-shared", true}}}, nil)
	if err != nil {
		return nil, nil, err
	}
	// The emulator's end ends the events too.
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	events, err := vm.monitor.Events(ctx)
	if err != nil {
		cancel()
		return nil, nil, err
	}
	return events, cancel, nil
}

// endOfMigration bounds how long the emulator may take to say how a migration
// went whose data has all passed, or is cut off, at scale 1.
const endOfMigration = 30 * time.Second

// errMigration is the emulator's word that a migration came to nothing.
var errMigration = errors.New("the emulator says that the migration failed")

// errUnsettled says that it is not known whether a migration goes on.
var errUnsettled = errors.New("the emulator does not say how the migration went")

// migrated waits for the end of a migration.
func (vm *VM) migrated(events <-chan goqmp.Event) error {
	late := time.After(vm.settings.Limit(endOfMigration))
	for {
		select {
		case e, open := <-events:
			if !open {
				return errors.New("the emulator is gone")
			}
			if e.Event != "MIGRATION" {
				continue
			}
			switch e.Data["status"] {
			case "completed":
				return nil
			case "failed", "cancelled":
				return errMigration
			}
		case <-late:
			return errUnsettled
		}
	}
}
