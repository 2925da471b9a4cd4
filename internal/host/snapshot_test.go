package host

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/internal/realtest"
	"github.com/virtmatrix/virtmatrix/internal/snapshot"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// fakeOptions are those of a host on the fake emulator.
func fakeOptions(t *testing.T) options {
	t.Helper()
	if _, err := exec.LookPath("mkfs.ext4"); err != nil {
		t.Skip("the scratch disk needs mkfs.ext4; install e2fsprogs")
	}
	self, err := os.Executable()
	check(t, err)
	bin := t.TempDir()
	check(t, os.Symlink(self, filepath.Join(bin, emulatorName)))
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	sockets, err := os.MkdirTemp("", "vm")
	check(t, err)
	t.Cleanup(func() { check(t, os.Remove(sockets)) }) // every host has left
	scratch := t.TempDir()
	store := snapshot.In(filepath.Join(scratch, "snapshots"))
	store.Reserve = 0
	p := realParts(t)
	p.Modules, p.Root, p.QEMU, p.Xen = p.Kernel, p.Kernel, "", ""
	return options{sockets, p, Settings{
		Name: "cell", Kind: matrix.KVM, Accel: "tcg", CPUs: 1, MemoryMB: 1024, LogDir: t.TempDir(), ScratchDir: scratch, Snapshots: store,
	}, Emulator{Program: emulatorName, Version: "1:7.2", Machine: "pc-q35-7.2"}}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// boot boots a host of the options.
func boot(t *testing.T, o options) *VM {
	t.Helper()
	vm, err := Boot(t.Context(), o.runtime, o.parts, o.settings, o.emulator)
	check(t, err)
	return vm
}

// token boots a host, and returns what its memory holds and its notes.
func token(t *testing.T, o options) (token, notes string) {
	t.Helper()
	vm := boot(t, o)
	defer func() { check(t, vm.Close()) }()
	return tokenOf(t, vm), strings.Join(vm.Notes(), "\n")
}

func tokenOf(t *testing.T, vm *VM) string {
	t.Helper()
	res, err := vm.Exec(t.Context(), "hello")
	check(t, err)
	token, ok := strings.CutSuffix(res.Text(), " hello")
	if !ok {
		t.Fatalf("the agent said %q", res.Text())
	}
	return token
}

func freshened(t *testing.T, o options) (f agent.Fresh) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(o.settings.LogDir, freshFile))
	check(t, err)
	check(t, json.Unmarshal(b, &f))
	return f
}

func TestTheSecondHostIsTheFirstRestored(t *testing.T) {
	o := fakeOptions(t)
	if Restores(o.parts, o.settings, o.emulator) {
		t.Error("the first host would be restored")
	}
	first, notes := token(t, o)
	if notes != "" {
		t.Errorf("the first host notes %q", notes)
	}
	if !Restores(o.parts, o.settings, o.emulator) {
		t.Error("the second host would not be restored")
	}
	was := freshened(t, o)
	o.settings.Name, o.settings.LogDir, o.settings.Scale = "another cell", t.TempDir(), 3
	vm := boot(t, o)
	defer func() { check(t, vm.Close()) }()
	if got := tokenOf(t, vm); got != first {
		t.Errorf("the second host is another: %q, want %q", got, first)
	}
	if notes := vm.Notes(); len(notes) != 1 || !strings.HasPrefix(notes[0], "restored from snapshot kvm-") {
		t.Errorf("notes %q", notes)
	}
	if said, err := vm.Console().Since(0); err != nil || string(said) != "[    0.0] Linux version 6.1\n"+resumed {
		t.Errorf("the console says %q, %v", said, err)
	}
	disk, err := os.Open(vm.file(fileScratch))
	check(t, err)
	defer disk.Close()
	onDisk := make([]byte, len(first))
	if _, err := disk.ReadAt(onDisk, scratchBytes/2); err != nil || string(onDisk) != first {
		t.Errorf("the scratch disk holds %q, %v", onDisk, err)
	}
	is := freshened(t, o)
	if age := time.Since(is.Time); age < 0 || age > time.Minute || !is.Time.After(was.Time) {
		t.Errorf("the clock was set to %s, %s ago", is.Time, age)
	}
	if is.MachineID == was.MachineID || string(is.Seed) == string(was.Seed) || len(is.Seed) != agent.SeedBytes {
		t.Errorf("two hosts were made fresh in the same way: %+v", is)
	}
}

func TestAForgottenSnapshotIsMadeAgain(t *testing.T) {
	o := fakeOptions(t)
	check(t, Forget(o.parts, o.settings, o.emulator)) // there is none
	first, _ := token(t, o)
	check(t, Forget(o.parts, o.settings, o.emulator))
	if Restores(o.parts, o.settings, o.emulator) {
		t.Error("the next host would be restored")
	}
	second, notes := token(t, o)
	if second == first || notes != "" {
		t.Errorf("the next host was not just booted: notes %q", notes)
	}
	if third, _ := token(t, o); third != second {
		t.Error("the one after it was not restored")
	}
	o.settings.Snapshots = nil
	check(t, Forget(o.parts, o.settings, o.emulator))
}

func TestWithoutAStoreEachHostIsBooted(t *testing.T) {
	o := fakeOptions(t)
	o.settings.Snapshots = nil
	a, _ := token(t, o)
	b, notes := token(t, o)
	if a == b || notes != "" {
		t.Errorf("a second host is the first, notes %q", notes)
	}
}

// only returns the folder of the one snapshot that is there.
func only(t *testing.T, o options) string {
	t.Helper()
	of, err := o.subject()
	check(t, err)
	if _, err := o.settings.Snapshots.Find(of); err != nil {
		t.Fatal(err)
	}
	all, err := o.settings.Snapshots.List()
	check(t, err)
	if len(all) != 1 {
		t.Fatalf("%d snapshots, want 1", len(all))
	}
	return all[0].Name
}

func TestAHostThatCannotBeSavedIsUsed(t *testing.T) {
	for name, tc := range map[string]struct{ flaw, says string }{
		"emulator": {"stingy", "it cannot be migrated"},
		"console":  {"warns", "tells of trouble: kernel warning: [    1.0] WARNING"},
		"at last":  {"stalls", "tells of trouble: lockup: [    2.0] watchdog: BUG: soft lockup"},
	} {
		t.Run(name, func(t *testing.T) {
			o := fakeOptions(t)
			t.Setenv(flawEnv, tc.flaw)
			_, notes := token(t, o)
			if !strings.HasPrefix(notes, "no snapshot was made: ") || !strings.Contains(notes, tc.says) {
				t.Errorf("notes %q, want %q", notes, tc.says)
			}
			if Restores(o.parts, o.settings, o.emulator) {
				t.Error("there is a snapshot")
			}
		})
	}
}

func TestAFullDiskForSnapshotsIsToldAndTheHostUsed(t *testing.T) {
	o := fakeOptions(t)
	dir := realtest.SmallDisk(t, "1m")
	o.settings.Snapshots = snapshot.In(dir)
	o.settings.Snapshots.Reserve = 0
	_, notes := token(t, o)
	if !strings.HasPrefix(notes, "no snapshot was made: ") || !strings.Contains(notes, "is full") {
		t.Errorf("notes %q", notes)
	}
	if all, err := o.settings.Snapshots.List(); len(all) != 0 || err != nil {
		t.Errorf("snapshots %v, %v", all, err)
	}
}

func TestAHostThatDoesNotGoOnIsNoHost(t *testing.T) {
	for flaw, says := range map[string]string{
		"lame":  "it cannot run",
		"dazed": "the host does not answer after it stood still",
		"hung":  "the host does not answer after it stood still", // nor is it known whether it stands still
	} {
		t.Run(flaw, func(t *testing.T) {
			o := fakeOptions(t)
			o.settings.Silence = 3 * time.Second
			t.Setenv(flawEnv, flaw)
			vm, err := Boot(t.Context(), o.runtime, o.parts, o.settings, o.emulator)
			if vm != nil {
				t.Fatal("it was handed out")
			}
			want(t, flaw, err, matrix.Infra, matrix.LayerHarness, "let the host go on after its snapshot", says)
			if Restores(o.parts, o.settings, o.emulator) {
				t.Error("others are restored from it")
			}
		})
	}
}

func TestHostsThatAreAskedForAtOnceBootOnce(t *testing.T) {
	o := fakeOptions(t)
	var one sync.Mutex
	o.settings.Turn = func(context.Context) (func(), error) { one.Lock(); return one.Unlock, nil }
	tokens := make([]string, 4)
	var group sync.WaitGroup
	for i := range tokens {
		mine := o
		mine.settings.LogDir = t.TempDir()
		group.Go(func() {
			vm, err := Boot(t.Context(), mine.runtime, mine.parts, mine.settings, mine.emulator)
			if err != nil {
				t.Error(err)
				return
			}
			defer vm.Close()
			tokens[i] = tokenOf(t, vm)
		})
	}
	group.Wait()
	for _, got := range tokens {
		if got != tokens[0] {
			t.Errorf("several hosts were booted: %q", tokens)
			break
		}
	}
}

func TestRestoresLeaveNothingBehind(t *testing.T) {
	o := fakeOptions(t)
	token(t, o)
	token(t, o)
	files, routines := openFiles(), runtime.NumGoroutine()
	for range 20 {
		token(t, o)
	}
	for range 500 {
		if openFiles() <= files && runtime.NumGoroutine() <= routines {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d files and %d goroutines after 20 restores, %d and %d before", openFiles(), runtime.NumGoroutine(), files, routines)
}
