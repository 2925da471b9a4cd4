package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/internal/console"
	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/layout"
	"github.com/virtmatrix/virtmatrix/internal/owner"
	"github.com/virtmatrix/virtmatrix/internal/qmp"
	"github.com/virtmatrix/virtmatrix/internal/store/disk"
	"golang.org/x/sys/unix"
)

// The files that a host leaves in its log folder.
const (
	ConsoleFile  = "console.log"
	EmulatorFile = "emulator.log"
	QMPFile      = "l0-qmp.ndjson"
)

// FolderPrefix starts the names of hosts' folders.
const FolderPrefix = "vm-"

// process is an emulator that runs.
type process interface {
	Done() <-chan struct{}
	// Err tells how it ended; nil before that and when it ended by itself.
	Err() error
	Sched() owner.Sched
	Kill()
}

// VM is a running L1.
type VM struct {
	Link
	settings Settings
	// folder holds the host's sockets, bulk its disk and initramfs.
	folder, bulk *owner.Folder
	// memory is the file that is L1's.
	memory  *os.File
	proc    process
	monitor *qmp.Conn
	qmpLog  *os.File
	quirks  []string
	notes   []string
	layout  layout.Manifest
	life    life
}

// Boot starts a host and returns when its agent answers and its services are
// up. With Settings.Snapshots it restores the host when it can, and otherwise
// leaves a snapshot for the next. A product fault means that L1's kernel or
// hypervisor did not come up.
func Boot(ctx context.Context, runtimeDir string, p Parts, s Settings, em Emulator) (*VM, error) {
	vm, err := options{runtimeDir, p, s, em}.ready(ctx)
	if err == nil && s.emulated() {
		go vm.kick()
	}
	return vm, err
}

// ready restores or boots a host.
func (o options) ready(ctx context.Context) (*VM, error) {
	if o.settings.Snapshots != nil {
		return o.restoreOrBoot(ctx)
	}
	release, err := o.settings.turn(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	return o.boot(ctx)
}

// options are what a host is made of.
type options struct {
	runtime  string
	parts    Parts
	settings Settings
	emulator Emulator
}

// boot starts a host and returns when its services are up.
func (o options) boot(ctx context.Context) (*VM, error) {
	vm, err := o.launch(ctx)
	if err != nil {
		return nil, err
	}
	if err := vm.awaitServices(ctx); err != nil {
		vm.Close()
		return nil, err
	}
	return vm, nil
}

// launch starts a host and returns when its agent answers.
func (o options) launch(ctx context.Context) (_ *VM, err error) {
	spec, quirks, err := compose(o.parts, o.settings)
	if err != nil {
		return nil, fault.Infraf("boot host", "%w", err)
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
	if err := vm.prepare(o.parts, spec); err != nil {
		return nil, fault.Infraf("prepare host", "%w", disk.Explain(err, vm.bulk.Path))
	}
	if err := vm.start(o, false); err != nil {
		return nil, err
	}
	if err := vm.connect(ctx); err != nil {
		return nil, err
	}
	return vm, nil
}

// create makes the folders of a host that runs with quirks, and its empty console.
func (o options) create(quirks []string) (_ *VM, err error) {
	s := o.settings
	if err := os.MkdirAll(s.LogDir, 0o755); err != nil {
		return nil, fault.Infraf("boot host", "%w", disk.Explain(err, s.LogDir))
	}
	folder, err := s.Peers.Folder(o.runtime, FolderPrefix)
	if err != nil {
		return nil, fault.Infraf("boot host", "%w", disk.Explain(err, o.runtime))
	}
	vm := &VM{settings: s, folder: folder, bulk: folder, quirks: quirks}
	vm.layout, _ = o.parts.Found() // whoever composed the host has seen the error
	vm.Transport = Transport{Dir: folder.Path, Limit: s.Limit, Alive: vm.Alive, Lost: vm.whyLost, Sched: vm.Sched}
	vm.life.console = console.NewWatch(vm.Console())
	defer func() {
		if err != nil {
			vm.Close()
		}
	}()
	if err := vm.fitsSockets(); err != nil {
		return nil, err
	}
	if s.ScratchDir != "" {
		bulk, err := owner.NewFolder(s.ScratchDir, FolderPrefix)
		if err != nil {
			return nil, fault.Infraf("prepare host", "%w", disk.Explain(err, s.ScratchDir))
		}
		vm.bulk = bulk
	}
	// A host before may have left its own in the folder.
	if err := os.WriteFile(vm.Console().Path, nil, 0o644); err != nil {
		return nil, fault.Infraf("prepare host", "%w", disk.Explain(err, s.LogDir))
	}
	return vm, nil
}

// maxSocketPath is the longest path of a Unix socket in bytes (sun_path, with
// its end).
const maxSocketPath = 107

func (vm *VM) fitsSockets() error {
	if path := vm.path("fwd999.sock"); len(path) > maxSocketPath {
		return fault.Infraf("boot host", "%s is longer than the %d bytes that a socket's path may have; name a shorter folder in VIRTMATRIX_RUNTIME", path, maxSocketPath)
	}
	return nil
}

// prepare makes what a host boots with: its disk, its memory and its initramfs.
func (vm *VM) prepare(p Parts, spec agent.Spec) error {
	if err := makeScratch(vm.file(fileScratch)); err != nil {
		return err
	}
	if err := vm.makeMemory(); err != nil {
		return err
	}
	b, err := json.Marshal(spec)
	if err != nil {
		return err
	}
	return writeInitramfs(vm.file(fileInitramfs), p, b)
}

// makeMemory makes an empty memory: a file without a name, in memory (memfd_create(2)).
func (vm *VM) makeMemory() error {
	fd, err := unix.MemfdCreate("virtmatrix-memory", unix.MFD_CLOEXEC)
	if err != nil {
		return fmt.Errorf("cannot make memory of host: %w", err)
	}
	vm.memory = os.NewFile(uintptr(fd), "memory")
	if err := vm.memory.Truncate(int64(vm.settings.MemoryMB) << 20); err != nil {
		return fmt.Errorf("cannot make memory of host: %w", err)
	}
	return nil
}

// places are where the host has its things. The emulator opens the memory through
// this process, which has it open.
func (vm *VM) places() places {
	at := places{sockets: vm.folder.Path, files: vm.bulk.Path, memory: fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), vm.memory.Fd())}
	if p := vm.settings.Peers; p.Count == 2 {
		at.peer = p.Folders[1-p.Role].Path
	}
	return at
}

// path is where one of the host's sockets is, file where one of its files.
func (vm *VM) path(name string) string { return filepath.Join(vm.folder.Path, name) }

func (vm *VM) file(name string) string { return filepath.Join(vm.bulk.Path, name) }

// scratchBytes is the size of L1's scratch disk. The file is sparse.
const scratchBytes = 4 << 30

func makeScratch(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("cannot make scratch disk: %w", err)
	}
	defer f.Close()
	if err := f.Truncate(scratchBytes); err != nil {
		return fmt.Errorf("cannot make scratch disk: %w", err)
	}
	out, err := exec.Command("mkfs.ext4", "-q", "-F", "-O", "^has_journal", "-E", "lazy_itable_init=1", path).CombinedOutput()
	if err != nil {
		return fmt.Errorf("cannot format scratch disk: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}

// start starts the emulator of a host, which boots or waits to be restored.
func (vm *VM) start(o options, restored bool) error {
	err := vm.startEmulator(o, restored)
	if err != nil {
		return fault.Infraf("start emulator", "%w", disk.Explain(err, vm.settings.LogDir))
	}
	return nil
}

func (vm *VM) startEmulator(o options, restored bool) error {
	argv, err := commandLine(o.parts, vm.settings, o.emulator, vm.places(), restored)
	if err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(vm.settings.LogDir, EmulatorFile))
	if err != nil {
		return err
	}
	defer log.Close()
	if _, err := fmt.Fprintln(log, strings.Join(argv, " ")); err != nil {
		return err
	}
	proc, err := owner.Start(owner.Options{Argv: argv, Usr: o.emulator.Usr, Output: log, Remove: vm.folder.Path})
	if err != nil {
		return err
	}
	vm.proc = proc
	return nil
}

// Console is the log of L1's console, kernel and hypervisor.
func (vm *VM) Console() console.Log {
	return console.Log{Path: filepath.Join(vm.settings.LogDir, ConsoleFile)}
}

// Quirks are the adaptations of the product that this host runs with.
func (vm *VM) Quirks() []string { return vm.quirks }

// Layout is where the host has its things.
func (vm *VM) Layout() layout.Manifest { return vm.layout }

// Notes tell how the host came to be, where that is not a plain boot.
func (vm *VM) Notes() []string { return vm.notes }

// Monitor is the QMP connection to the L0 emulator.
func (vm *VM) Monitor() *qmp.Conn { return vm.monitor }

// Close ends the host and removes what it used on L0. Its logs stay.
func (vm *VM) Close() error {
	vm.Shut()
	if vm.monitor != nil {
		vm.monitor.Close()
	}
	if vm.qmpLog != nil {
		vm.qmpLog.Close()
	}
	if vm.proc != nil {
		vm.proc.Kill()
	}
	if vm.memory != nil {
		vm.memory.Close()
	}
	if vm.bulk == vm.folder {
		return vm.folder.Remove()
	}
	return errors.Join(vm.bulk.Remove(), vm.folder.Remove())
}

// Sched is how the host's emulator fared with L0's scheduler so far.
func (vm *VM) Sched() owner.Sched {
	if vm.proc == nil {
		return owner.Sched{}
	}
	return vm.proc.Sched()
}

// LogDir is where the host's logs are on L0.
func (vm *VM) LogDir() string { return vm.settings.LogDir }
