package host

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/realtest"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// bed is what the tests on real machines boot: images of the store, and this
// tree's agent.
type bed struct {
	parts    Parts
	settings Settings
	emulator Emulator
	runtime  string
}

func realBed(t *testing.T) *bed {
	t.Helper()
	real := realtest.NewBed(t)
	b := &bed{
		parts: Parts{
			Layout: real.Layout,
			Kernel: real.Kernel, Modules: real.Modules, BootModules: real.HostModules, Root: real.Root,
			Agent: realtest.Compile(t, "../agent/l1init"),
			Guest: GuestParts{Kernel: real.Kernel, Init: realtest.Compile(t, "../../fixtures/l2/init"), Modules: real.GuestModules},
		},
		settings: Settings{
			Name: "fault", Kind: matrix.KVM, Accel: "tcg", Scale: 1, CPUs: 1, MemoryMB: 1024, LogDir: filepath.Join(t.TempDir(), "logs"),
		},
		emulator: Emulator{Usr: real.EmulatorUsr, Program: real.Emulator, Machine: "pc-q35-7.2", CPU: map[matrix.Kind]string{matrix.KVM: "max,cx16=off"}},
		runtime:  realtest.Runtime(t),
	}
	t.Cleanup(func() {
		if pids := emulators(b.runtime); len(pids) > 0 {
			t.Errorf("emulators that still run: %v", pids)
		}
	})
	return b
}

func (b *bed) options() options { return options{b.runtime, b.parts, b.settings, b.emulator} }

// mute is a PID 1 that only sleeps.
func mute(t *testing.T) string {
	t.Helper()
	source := filepath.Join(t.TempDir(), "mute.go")
	if err := os.WriteFile(source, []byte("package main\n\nimport \"time\"\n\nfunc main() { time.Sleep(1000 * time.Hour) }\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return realtest.Compile(t, source)
}

// emulators are the processes that run with a folder of ours.
func emulators(runtime string) (pids []int) {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range files {
		b, _ := os.ReadFile(f)
		if !bytes.Contains(b, []byte("qemu-system-")) || !bytes.Contains(b, []byte(runtime+"/")) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(f))); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

func (b *bed) refuses(t *testing.T, v matrix.Verdict, layer matrix.Layer, words ...string) error {
	t.Helper()
	vm, err := b.options().launch(t.Context())
	if err == nil {
		vm.Close()
	}
	want(t, t.Name(), err, v, layer, words...)
	return err
}

// up boots a host whose services may still be starting.
func (b *bed) up(t *testing.T) *VM {
	t.Helper()
	vm, err := b.options().launch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { vm.Close() })
	return vm
}

func TestRealKernelThatPanics(t *testing.T) {
	b := realBed(t)
	b.parts.Agent = filepath.Join(t.TempDir(), "init")
	if err := os.WriteFile(b.parts.Agent, []byte("this is no program\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	b.refuses(t, matrix.Fail, matrix.LayerKernel, "Kernel panic - not syncing")
}

func TestRealAgentThatNeverAnswers(t *testing.T) {
	b := realBed(t)
	b.parts.Agent = mute(t)
	b.settings.Silence = 15 * time.Second
	err := b.refuses(t, matrix.Fail, matrix.LayerKernel, "no answer after", "in which the emulator ran", "the console ends with:", "[    0.")
	t.Log(err)
}

func TestRealEmulatorThatIsStopped(t *testing.T) {
	b := realBed(t)
	b.settings.Silence = 15 * time.Second
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		for ctx.Err() == nil {
			for _, pid := range emulators(b.runtime) {
				_ = syscall.Kill(pid, syscall.SIGSTOP)
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	b.refuses(t, matrix.Infra, matrix.LayerHarness, "stopped from outside")
}

func TestRealRootThatCannotBeUsed(t *testing.T) {
	b := realBed(t)
	b.parts.Root = filepath.Join(t.TempDir(), "root.squashfs")
	b.refuses(t, matrix.Infra, matrix.LayerHarness, "its emulator is gone", b.parts.Root, "No such file")
	if err := os.WriteFile(b.parts.Root, bytes.Repeat([]byte("corrupt "), 64<<10), 0o644); err != nil {
		t.Fatal(err)
	}
	b.refuses(t, matrix.Infra, matrix.LayerHarness, "cannot compose host", "mount /dev/vd")
}

func TestRealEmulatorThatIsKilled(t *testing.T) {
	b := realBed(t)
	vm := b.up(t)
	failed := make(chan error, 1)
	go func() {
		_, err := vm.Exec(t.Context(), "touch /run/begun; sleep 600")
		failed <- err
	}()
	if _, err := vm.Exec(t.Context(), "until test -e /run/begun; do sleep 0.1; done"); err != nil {
		t.Fatal(err)
	}
	for _, pid := range emulators(b.runtime) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	want(t, "exec", <-failed, matrix.Infra, matrix.LayerHarness, "its emulator is gone", "SIGKILL")
	want(t, "afterwards", vm.Alive(), matrix.Infra, matrix.LayerHarness, "SIGKILL")
	_, err := vm.Forward("/run/any")
	want(t, "forward", err, matrix.Infra, matrix.LayerHarness, "SIGKILL")
}

func TestRealPanicUnderACommand(t *testing.T) {
	b := realBed(t)
	vm := b.up(t)
	crash, err := vm.Exec(t.Context(), "sh -c 'kill -ABRT $$'; cat "+CrashLog)
	if err != nil || !strings.HasPrefix(string(crash.Stdout), "sh (process ") || !strings.HasSuffix(string(crash.Stdout), CrashedBy+" 6\n") {
		t.Errorf("the log of crashes has %q, %v", crash.Stdout, err)
	}
	_, err = vm.Exec(t.Context(), "echo 1 > /proc/sys/kernel/sysrq; echo c > /proc/sysrq-trigger; sleep 600")
	want(t, "exec", err, matrix.Fail, matrix.LayerKernel, "Kernel panic - not syncing: sysrq triggered crash")
	want(t, "afterwards", vm.Alive(), matrix.Fail, matrix.LayerKernel, "sysrq triggered crash")
}

func TestRealHostThatPowersOff(t *testing.T) {
	b := realBed(t)
	vm := b.up(t)
	_, err := vm.Exec(t.Context(), "echo 1 > /proc/sys/kernel/sysrq; echo o > /proc/sysrq-trigger; sleep 600")
	want(t, "exec", err, matrix.Fail, matrix.LayerKernel, "powered off or reset by itself")
}

func TestRealDisksThatAreFull(t *testing.T) {
	b := realBed(t)
	small := realtest.SmallDisk(t, "1m")
	runtime := b.runtime
	b.runtime = small
	b.refuses(t, matrix.Infra, matrix.LayerHarness, "cannot prepare host", "is full", "make room")
	if left, _ := filepath.Glob(filepath.Join(small, "*")); len(left) > 0 {
		t.Errorf("left on the full disk: %v", left)
	}
	b.runtime, b.settings.LogDir = runtime, small
	if err := os.WriteFile(filepath.Join(small, "filler"), make([]byte, 900<<10), 0o644); err != nil {
		t.Fatal(err)
	}
	b.refuses(t, matrix.Infra, matrix.LayerHarness, "no space is left in "+small, "make room")
}

func TestRealScratchDiskThatCannotGrow(t *testing.T) {
	b := realBed(t)
	b.settings.ScratchDir = realtest.SmallDisk(t, "160m")
	vm := b.up(t)
	_, err := vm.Exec(t.Context(), "dd if=/dev/zero of="+ScratchDir+"/big bs=1M count=1000; sync; sleep 600")
	want(t, "exec", err, matrix.Infra, matrix.LayerHarness, "its emulator stopped it", "scratch", "no space is left in "+b.settings.ScratchDir)
	vm.Close()
	if left, _ := filepath.Glob(filepath.Join(b.settings.ScratchDir, "*")); len(left) > 0 {
		t.Errorf("left on the full disk: %v", left)
	}
}

func TestRealSessionsOnOnePort(t *testing.T) {
	b := realBed(t)
	vm := b.up(t)
	for range 3 {
		vm.agent.Close()
		conn, err := dialWhenThere(t.Context(), vm.path(sockAgent))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		vm.agent, err = agent.Connect(ctx, conn)
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		if res, err := vm.Exec(t.Context(), "echo again"); err != nil || res.Text() != "again" {
			t.Fatalf("%q, %v", res.Text(), err)
		}
	}
	res, err := vm.Exec(t.Context(), "head -c 20000000 /dev/zero; exit 7")
	if err != nil || res.Code != 7 || len(res.Stdout) != agent.MaxOutput || res.Dropped != 20000000-agent.MaxOutput {
		t.Errorf("status %d, %d bytes, %d dropped, %v", res.Code, len(res.Stdout), res.Dropped, err)
	}
}

func TestRealBootThatIsCalledOff(t *testing.T) {
	b := realBed(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := fault.Infraf("finish check", "it was not done")
	go func() {
		for len(emulators(b.runtime)) == 0 && t.Context().Err() == nil {
			time.Sleep(10 * time.Millisecond)
		}
		cancel(cause)
	}()
	if _, err := Boot(ctx, b.runtime, b.parts, b.settings, b.emulator); err != cause {
		t.Errorf("Boot = %v, want the cause", err)
	}
}
