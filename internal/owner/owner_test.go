package owner

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain doubles as the harness that the tests below kill.
func TestMain(m *testing.M) {
	if dir := os.Getenv("OWNER_TEST_HARNESS"); dir != "" {
		pretendHarness(dir)
	}
	os.Exit(m.Run())
}

// pretendHarness starts a guarded shell that starts a child, prints the pids of
// its guard and of both, and waits to be killed.
func pretendHarness(dir string) {
	f, err := NewFolder(dir, "vm-")
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	pids := filepath.Join(dir, "pids")
	p, err := Start(Options{
		Argv:   []string{"sh", "-c", "sleep 600 & echo $$ $! > " + pids + ".tmp; mv " + pids + ".tmp " + pids + "; wait"},
		Output: os.Stderr, Remove: f.Path,
	})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	for {
		if b, err := os.ReadFile(pids); err == nil {
			fmt.Println(p.cmd.Process.Pid, strings.TrimSpace(string(b)))
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	select {}
}

// startHarness returns the pids of: the harness, its guard, the shell, the
// shell's child.
func startHarness(t *testing.T, dir string) []int {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "OWNER_TEST_HARNESS="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("cannot read pids: %v", err)
	}
	pids := []int{cmd.Process.Pid}
	for _, w := range strings.Fields(line) {
		n, err := strconv.Atoi(w)
		if err != nil {
			t.Fatalf("cannot read pids from %q", line)
		}
		pids = append(pids, n)
	}
	if len(pids) != 4 {
		t.Fatalf("want 4 pids, have %v", pids)
	}
	return pids
}

// running says whether any thread of a process runs: one that is dying while
// the first is dead already still has the process's files open.
func running(pid int) bool {
	stats, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	return slices.ContainsFunc(stats, func(stat string) bool {
		b, err := os.ReadFile(stat)
		_, rest, _ := strings.Cut(string(b), ") ")
		return err == nil && !strings.HasPrefix(rest, "Z") && !strings.HasPrefix(rest, "X")
	})
}

func waitGone(t *testing.T, pid int) {
	t.Helper()
	for range 500 {
		if !running(pid) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("process %d still runs after its owner was killed", pid)
}

func TestAKilledHarnessLeavesNoProcessAndNoFolder(t *testing.T) {
	dir := t.TempDir()
	pids := startHarness(t, dir)
	_ = syscall.Kill(pids[0], syscall.SIGKILL)
	for _, pid := range pids[1:] {
		waitGone(t, pid)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "vm-*")); len(left) > 0 {
		t.Errorf("the guard left %v", left)
	}
}

func TestHarnessAndGuardKilledTogetherLeaveAFolderThatIsSwept(t *testing.T) {
	dir := t.TempDir()
	pids := startHarness(t, dir)
	_ = syscall.Kill(pids[1], syscall.SIGKILL)
	_ = syscall.Kill(pids[0], syscall.SIGKILL)
	waitGone(t, pids[1])
	waitGone(t, pids[2])
	_ = syscall.Kill(pids[3], syscall.SIGKILL) // a grandchild; emulators have none
	waitGone(t, pids[0])
	swept, err := Sweep(dir)
	if err != nil || len(swept) != 1 {
		t.Errorf("Sweep = %v, %v; want the one folder that was left", swept, err)
	}
}

func TestSweepLeavesFoldersOfTheLiving(t *testing.T) {
	dir := t.TempDir()
	f, err := NewFolder(dir, "vm-")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Remove()
	if swept, err := Sweep(dir); err != nil || len(swept) != 0 {
		t.Errorf("Sweep = %v, %v; want nothing swept", swept, err)
	}
}

func TestOwnListsThisProcessesFoldersAlone(t *testing.T) {
	dir := t.TempDir()
	var own []string
	for _, prefix := range []string{"vm-", "vm-", "bin-"} {
		f, err := NewFolder(dir, prefix)
		if err != nil {
			t.Fatal(err)
		}
		own = append(own, f.Path)
		defer f.Remove()
	}
	startHarness(t, dir) // makes a vm- of its own, and lives
	got := Own(dir, "vm-")
	slices.Sort(got)
	want := slices.Sorted(slices.Values(own[:2]))
	if !slices.Equal(got, want) {
		t.Errorf("Own = %v, want %v", got, want)
	}
}

func TestKillEndsTheProcess(t *testing.T) {
	p, err := Start(Options{Argv: []string{"sleep", "600"}, Output: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	p.Kill()
	select {
	case <-p.Done():
	default:
		t.Error("Kill returned before the process ended")
	}
	if p.Err() == nil {
		t.Error("a killed process reports success")
	}
}

func TestASignalReachesTheProcessInItsFolder(t *testing.T) {
	dir := t.TempDir()
	p, err := Start(Options{Argv: []string{"sh", "-c", "trap 'touch heard; exit 0' INT; touch ready; while :; do sleep 0.01; done"}, Dir: dir, Output: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Kill()
	for {
		if _, err := os.Stat(filepath.Join(dir, "ready")); err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err := p.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	<-p.Done()
	if _, err := os.Stat(filepath.Join(dir, "heard")); err != nil {
		t.Errorf("the signal was not heard: %v", err)
	}
}

func TestErrTellsHowAProcessEnded(t *testing.T) {
	for _, tc := range []struct{ script, want string }{
		{"exit 0", ""},
		{"exit 3", "sh ended with status 3"},
		{"kill -SEGV $$", "sh was ended by SIGSEGV"},
	} {
		p, err := Start(Options{Argv: []string{"sh", "-c", tc.script}, Output: os.Stderr})
		if err != nil {
			t.Fatal(err)
		}
		<-p.Done()
		got := ""
		if p.Err() != nil {
			got = p.Err().Error()
		}
		if got != tc.want {
			t.Errorf("%q: Err = %q, want %q", tc.script, got, tc.want)
		}
	}
}

func TestAProgramThatIsNotThereIsNamed(t *testing.T) {
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := Start(Options{Argv: []string{"no-such-emulator"}, Output: log})
	if err != nil {
		t.Fatal(err)
	}
	<-p.Done()
	b, _ := os.ReadFile(log.Name())
	if !strings.Contains(string(b), "no-such-emulator") {
		t.Errorf("the log does not name the program: %q", b)
	}
}

func TestDescendantsOfAHarnessAreItsGuardAndWhatThatGuards(t *testing.T) {
	pids := startHarness(t, t.TempDir())
	// The last that the shell started may end just now.
	if got := Descendants(pids[0]); len(got) < 3 || !slices.Equal(got[:3], pids[1:]) {
		t.Errorf("Descendants = %v, want %v", got, pids[1:])
	}
	if got := Descendants(pids[3]); len(got) != 0 {
		t.Errorf("a process without children has %v", got)
	}
}
