package host

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	goqmp "github.com/digitalocean/go-qemu/qmp"
	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/internal/console"
	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/owner"
	"github.com/virtmatrix/virtmatrix/matrix"
	"golang.org/x/sys/unix"
)

// fakeEmulator is a process that ends when it is told to.
type fakeEmulator struct {
	done  chan struct{}
	err   error
	sched owner.Sched
}

func (e *fakeEmulator) Done() <-chan struct{} { return e.done }
func (e *fakeEmulator) Sched() owner.Sched    { return e.sched }
func (e *fakeEmulator) Kill()                 {}
func (e *fakeEmulator) Err() error {
	select {
	case <-e.done:
		return e.err
	default:
		return nil
	}
}

func (e *fakeEmulator) end(err error) { e.err = err; close(e.done) }

// fakeVM is a host without a machine: a console that says what it is given.
func fakeVM(t *testing.T, kind matrix.Kind, said string) (*VM, *fakeEmulator) {
	t.Helper()
	dir := t.TempDir()
	e := &fakeEmulator{done: make(chan struct{})}
	vm := &VM{
		settings: Settings{Kind: kind, LogDir: dir, Silence: 50 * time.Millisecond, Longest: 10 * time.Second},
		folder:   &owner.Folder{Path: dir}, bulk: &owner.Folder{Path: dir}, proc: e,
	}
	vm.life.console = console.NewWatch(vm.Console())
	says(t, vm, said)
	return vm, e
}

func says(t *testing.T, vm *VM, text string) {
	t.Helper()
	if err := os.WriteFile(vm.Console().Path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// want checks what an error is: its verdict, its layer, and words in it.
func want(t *testing.T, name string, err error, v matrix.Verdict, layer matrix.Layer, words ...string) {
	t.Helper()
	got, at := fault.Classify(err)
	if got != v || at != layer {
		t.Errorf("%s: %s in %q (%v), want %s in %q", name, got, at, err, v, layer)
	}
	for _, w := range words {
		if err == nil || !strings.Contains(err.Error(), w) {
			t.Errorf("%s: %v does not say %q", name, err, w)
		}
	}
}

const kernelBanner = "[    0.000000] Linux version 6.1.0\n"

func TestWhatAHostDiedOf(t *testing.T) {
	const late = "\nvirtmatrix-agent: cannot start libvirtd: /run/x was not there within 2m0s\n"
	killed := errors.New("qemu-system-x86_64 was ended by SIGKILL")
	starved := owner.Sched{Ran: 8 * time.Second, Waited: 9 * time.Second}
	for name, tc := range map[string]struct {
		kind    matrix.Kind
		said    string
		ended   bool
		err     error
		sched   owner.Sched
		verdict matrix.Verdict
		layer   matrix.Layer
		words   []string
	}{
		"lives":                  {said: kernelBanner, verdict: matrix.Pass},
		"lives and complains":    {said: "[ 1.0] WARNING: CPU: 0 PID: 1 at kernel/x.c:1 x\n", verdict: matrix.Pass},
		"panic":                  {said: kernelBanner + "[ 1.0] Kernel panic - not syncing: no init\n", verdict: matrix.Fail, layer: matrix.LayerKernel, words: []string{"Kernel panic - not syncing: no init"}},
		"panic, then the end":    {said: "[ 1.0] Kernel panic - not syncing: x\n", ended: true, verdict: matrix.Fail, layer: matrix.LayerKernel, words: []string{"Kernel panic"}},
		"panic of dom0":          {kind: matrix.Xen, said: "[ 1.0] Kernel panic - not syncing: x\n(XEN) Hardware Dom0 crashed: rebooting\n", verdict: matrix.Fail, layer: matrix.LayerKernel, words: []string{"Kernel panic"}},
		"panic of Xen":           {kind: matrix.Xen, said: "(XEN) Panic on CPU 0:\n(XEN) FATAL TRAP\n", verdict: matrix.Fail, layer: matrix.LayerHypervisor, words: []string{"Panic on CPU 0"}},
		"panic of a guest":       {kind: matrix.Xen, said: "(d1) Kernel panic - not syncing: x\n", verdict: matrix.Pass},
		"daemon does not start":  {said: "\nvirtmatrix-agent: cannot start libvirtd: it ended before /run/x was there: exit status 1\n", verdict: matrix.Fail, layer: matrix.LayerManagement, words: []string{"cannot start libvirtd", "exit status 1"}},
		"daemon is late":         {said: late, sched: owner.Sched{Ran: 9 * time.Second, Waited: 8 * time.Second}, verdict: matrix.Fail, layer: matrix.LayerManagement, words: []string{"cannot start libvirtd", "within 2m0s"}},
		"everything is late":     {said: late, sched: starved, verdict: matrix.Infra, layer: matrix.LayerHarness, words: []string{"cannot start libvirtd on a starved machine", "within 2m0s", "waited 9s for a processor"}},
		"starved, yet an answer": {said: "\nvirtmatrix-agent: cannot start libvirtd: it ended before /run/x was there: exit status 1\n", sched: starved, verdict: matrix.Fail, layer: matrix.LayerManagement, words: []string{"exit status 1"}},
		"our log is not there":   {said: "\nvirtmatrix-agent: cannot open log of libvirtd: open /var/log/x: no space left on device\n", verdict: matrix.Infra, layer: matrix.LayerHarness, words: []string{"compose host", "open log of libvirtd"}},
		"our step fails":         {said: "\nvirtmatrix-agent: cannot do step dev-nodes: exit status 1\n", verdict: matrix.Infra, layer: matrix.LayerHarness, words: []string{"compose host", "dev-nodes"}},
		"agent cannot compose":   {said: "\nvirtmatrix-agent: cannot mount /dev/vda on /lower: invalid argument\n", verdict: matrix.Infra, layer: matrix.LayerHarness, words: []string{"cannot compose host", "mount /dev/vda"}},
		"emulator was killed":    {said: kernelBanner, ended: true, err: killed, verdict: matrix.Infra, layer: matrix.LayerHarness, words: []string{"its emulator is gone", "SIGKILL", "unknown option"}},
		"L1 powered off":         {said: kernelBanner, ended: true, verdict: matrix.Fail, layer: matrix.LayerKernel, words: []string{"powered off or reset by itself"}},
	} {
		vm, e := fakeVM(t, tc.kind, tc.said)
		if err := os.WriteFile(filepath.Join(vm.LogDir(), EmulatorFile), []byte("qemu -x\nqemu: unknown option\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		e.sched = tc.sched
		if tc.ended {
			e.end(tc.err)
		}
		want(t, name, vm.Alive(), tc.verdict, tc.layer, tc.words...)
	}
}

func TestAConsoleWithoutEndIsADeadHost(t *testing.T) {
	vm, _ := fakeVM(t, matrix.KVM, "")
	if err := os.Truncate(vm.Console().Path, console.MaxBytes+1); err != nil {
		t.Fatal(err)
	}
	want(t, "endless console", vm.Alive(), matrix.Fail, matrix.LayerKernel, "printed 16 MiB", vm.Console().Path)
}

func TestAnEmulatorThatStopsItsHostIsOurFault(t *testing.T) {
	vm, _ := fakeVM(t, matrix.KVM, kernelBanner)
	events := make(chan goqmp.Event, 3)
	events <- goqmp.Event{Event: "RTC_CHANGE"}
	events <- goqmp.Event{Event: "BLOCK_IO_ERROR", Data: map[string]any{"action": "report", "operation": "read", "device": "root"}}
	close(events)
	vm.watchStops(events)
	want(t, "an error that L1 was told of", vm.Alive(), matrix.Pass, "")
	events = make(chan goqmp.Event, 1)
	events <- goqmp.Event{Event: "BLOCK_IO_ERROR", Data: map[string]any{"action": "stop", "operation": "write", "device": "scratch", "nospace": true, "reason": "No space left on device"}}
	close(events)
	vm.watchStops(events)
	want(t, "a full disk", vm.Alive(), matrix.Infra, matrix.LayerHarness, `write error on disk "scratch"`, "No space left on device", "VIRTMATRIX_HOME")
}

func TestRoomIsWhatMayBeUsed(t *testing.T) {
	dir := t.TempDir()
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		t.Fatal(err)
	}
	free, may := st.Bfree*uint64(st.Bsize), st.Bavail*uint64(st.Bsize)
	want(t, "half of it", NoRoom(dir, may/2), matrix.Pass, "")
	want(t, "twice of it", NoRoom(dir, 2*may+1), matrix.Infra, matrix.LayerHarness, "no space is left in "+dir, "virtmatrix gc")
	if kept := free - may; kept > 64<<20 { // by ext4, for root
		want(t, "what is kept back", NoRoom(dir, may+kept/2), matrix.Infra, matrix.LayerHarness, dir)
	}
	want(t, "a folder that is gone", NoRoom(filepath.Join(dir, "none"), free), matrix.Pass, "")
}

func TestTheEndOfTheEmulatorIsWaitedFor(t *testing.T) {
	vm, e := fakeVM(t, matrix.KVM, kernelBanner)
	go func() {
		says(t, vm, kernelBanner+"[ 9.0] Kernel panic - not syncing: sysrq triggered crash\n")
		e.end(nil)
	}()
	want(t, "a connection that broke", vm.whyLost(context.Background()), matrix.Fail, matrix.LayerKernel, "sysrq triggered crash")

	vm, _ = fakeVM(t, matrix.KVM, kernelBanner)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	want(t, "a command that was called off", vm.whyLost(ctx), matrix.Pass, "")
}

// boot watches a fake host until the watcher gives it up.
func watched(t *testing.T, vm *VM, p phase) error {
	t.Helper()
	ctx, cancel := context.WithCancelCause(context.Background())
	t.Cleanup(func() { cancel(nil) })
	vm.watchBoot(ctx, cancel, p)
	return context.Cause(ctx)
}

func TestWhoseFaultASilentBootIs(t *testing.T) {
	ran := owner.Sched{Ran: 50 * time.Second, Waited: time.Second}
	for name, tc := range map[string]struct {
		kind    matrix.Kind
		said    string
		got     owner.Sched
		verdict matrix.Verdict
		layer   matrix.Layer
		words   []string
	}{
		"hung kernel":       {said: kernelBanner + "[ 0.1] last words\n", got: ran, verdict: matrix.Fail, layer: matrix.LayerKernel, words: []string{"no answer after", "ran 50s and waited 1s", "[ 0.1] last words"}},
		"hung Xen":          {kind: matrix.Xen, said: "(XEN) Xen version 4.17\n", got: ran, verdict: matrix.Fail, layer: matrix.LayerHypervisor},
		"hung dom0":         {kind: matrix.Xen, said: "(XEN) Xen version 4.17\n" + kernelBanner, got: ran, verdict: matrix.Fail, layer: matrix.LayerKernel},
		"mute agent":        {said: kernelBanner + agent.ReadyLine + "\n", got: ran, verdict: matrix.Infra, layer: matrix.LayerHarness, words: []string{"which says that it serves"}},
		"starved machine":   {said: kernelBanner, got: owner.Sched{Ran: time.Second, Waited: 50 * time.Second}, verdict: matrix.Infra, layer: matrix.LayerHarness, words: []string{"starved machine"}},
		"stopped emulator":  {said: kernelBanner, verdict: matrix.Infra, layer: matrix.LayerHarness, words: []string{"stopped from outside"}},
		"idle after a boot": {said: kernelBanner, got: owner.Sched{Ran: 40 * time.Millisecond}, verdict: matrix.Fail, layer: matrix.LayerKernel},
	} {
		vm, _ := fakeVM(t, tc.kind, tc.said)
		err := vm.stalled(phase{failure: vm.bootFailure}, time.Minute, 2*time.Minute, tc.got)
		want(t, name, err, tc.verdict, tc.layer, tc.words...)
	}
}

func TestTheBootWatcherGivesUp(t *testing.T) {
	vm, e := fakeVM(t, matrix.KVM, kernelBanner)
	e.sched = owner.Sched{Ran: time.Second}
	want(t, "silence", watched(t, vm, phase{vm.settings.stall(), func(_ []byte, what string) error {
		return fault.Productf(matrix.LayerKernel, "boot host", "%s", what)
	}}), matrix.Infra, matrix.LayerHarness, "stopped from outside") // the counter stands still
	vm, _ = fakeVM(t, matrix.KVM, kernelBanner+"[ 1.0] Kernel panic - not syncing: x\n")
	want(t, "death", watched(t, vm, phase{time.Hour, servicesFailure}), matrix.Fail, matrix.LayerKernel, "panic")
	vm, e = fakeVM(t, matrix.KVM, kernelBanner)
	e.end(errors.New("qemu ended with status 1"))
	want(t, "end", watched(t, vm, phase{time.Hour, servicesFailure}), matrix.Infra, matrix.LayerHarness, "ended with status 1")
	vm, _ = fakeVM(t, matrix.KVM, kernelBanner)
	vm.settings.Longest = time.Millisecond
	vm.proc.(*fakeEmulator).sched = owner.Sched{}
	want(t, "length", watched(t, vm, phase{time.Hour, servicesFailure}), matrix.Infra, matrix.LayerHarness, "no answer after")
}

func TestABootThatIsCalledOffIsOurs(t *testing.T) {
	vm, _ := fakeVM(t, matrix.KVM, kernelBanner)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	want(t, "interrupt", vm.bootFault(ctx, errors.New("dial")), matrix.Infra, matrix.LayerHarness, "cannot boot host: context canceled")
	cause := fault.Infraf("finish check", "it was not done within 15m")
	ctx2, cancel2 := context.WithCancelCause(context.Background())
	cancel2(cause)
	if err := vm.bootFault(ctx2, errors.New("dial")); err != cause {
		t.Errorf("bootFault = %v, want the cause as it is", err)
	}
}

func TestAServiceThatHangsIsTheProducts(t *testing.T) {
	want(t, "services", servicesFailure(nil, "no answer"), matrix.Fail, matrix.LayerManagement, "start the host's services", "no answer")
}

func TestLimitsFollowTheMachineAndTheSettings(t *testing.T) {
	for _, tc := range []struct {
		s              Settings
		stall, longest time.Duration
	}{
		{Settings{}, bootStall, bootLimit},
		{Settings{Scale: 0.5}, bootStall, bootLimit},
		{Settings{Scale: 2}, 2 * bootStall, 2 * bootLimit},
		{Settings{Scale: 2, Silence: time.Second, Longest: time.Minute}, 2 * time.Second, 2 * time.Minute},
	} {
		if tc.s.stall() != tc.stall || tc.s.longest() != tc.longest {
			t.Errorf("%+v: %s and %s, want %s and %s", tc.s, tc.s.stall(), tc.s.longest(), tc.stall, tc.longest)
		}
	}
}

func TestARuntimeFolderTooDeepForSocketsIsRefused(t *testing.T) {
	deep := filepath.Join(t.TempDir(), strings.Repeat("d", 100))
	_, err := Boot(t.Context(), deep, Parts{Layout: debian()}, Settings{Kind: matrix.KVM, LogDir: t.TempDir()}, Emulator{})
	want(t, "deep folder", err, matrix.Infra, matrix.LayerHarness, "107 bytes", "VIRTMATRIX_RUNTIME")
	if left, _ := filepath.Glob(filepath.Join(deep, "*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
