package admit

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// helperEnv makes the test binary play another process of the harness, with a
// claim in the folder that it names: it says "waiting" and "in", and leaves when
// its input ends.
const helperEnv = "ADMIT_TEST_DIR"

func TestMain(m *testing.M) {
	dir := os.Getenv(helperEnv)
	if dir == "" {
		os.Exit(m.Run())
	}
	c, err := roomFor(dir, 2).Enter(context.Background(), need, func(why string) { fmt.Println("waiting", why) })
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("in")
	_, _ = io.Copy(io.Discard, os.Stdin)
	c.Release()
}

var need = Need{What: "a host", MemoryMB: 1000, Processors: 1}

// roomFor is a room on a machine with memory for n hosts.
func roomFor(dir string, n int) *Room {
	r := In(dir).EveryProcessor()
	r.read = func(string) (Reading, error) {
		mb := n*need.MemoryMB + ReserveMB
		return Reading{FreeMB: mb, TotalMB: mb, Processors: 1}, nil
	}
	return r
}

// process is another process that wants in.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	in    io.Closer
	lines *bufio.Scanner
}

func start(t *testing.T, dir string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(os.Args[0])}
	p.cmd.Env, p.cmd.Stderr = append(os.Environ(), helperEnv+"="+dir), os.Stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.in.Close(); p.cmd.Process.Kill(); p.cmd.Wait() })
	p.lines = bufio.NewScanner(out)
	return p
}

// says waits until the process says something that begins so.
func (p *process) says(begin string) string {
	p.t.Helper()
	for p.lines.Scan() {
		if strings.HasPrefix(p.lines.Text(), begin) {
			return p.lines.Text()
		}
	}
	p.t.Fatalf("the process ended without saying %q", begin)
	return ""
}

func TestAProcessThatDiesFreesItsRoom(t *testing.T) {
	dir := t.TempDir()
	for range 2 {
		start(t, dir).says("in")
	}
	third := start(t, dir)
	if said := third.says("waiting"); !strings.Contains(said, "for memory: needs 1.0 GiB") || !strings.Contains(said, "to 2 that run") {
		t.Errorf("the third process says %q", said)
	}
	victim := start(t, dir) // one that waits may die, too
	victim.says("waiting for its turn: 1 came before")
	victim.cmd.Process.Kill()
	fourth := start(t, dir)
	fourth.says("waiting")
	r := roomFor(dir, 2)
	first := holders(t, r)[0]
	if p, err := os.FindProcess(first); err != nil || p.Kill() != nil {
		t.Fatalf("cannot kill process %d: %v", first, err)
	}
	third.says("in")
	if held := holders(t, r); len(held) != 2 {
		t.Errorf("%d processes are in", len(held))
	}
	third.in.Close()
	fourth.says("in")
}

// holders are the processes that are in.
func holders(t *testing.T, r *Room) (pids []int) {
	t.Helper()
	var claims []*Claim
	err := r.locked(t.Context(), func() (err error) {
		claims, err = r.claims(0)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range claims {
		if c.Held {
			pids = append(pids, c.Root)
		}
	}
	return pids
}

func TestWhoComesFirstIsServedFirst(t *testing.T) {
	dir := t.TempDir()
	in := []*process{start(t, dir), start(t, dir)}
	in[0].says("in")
	in[1].says("in")
	var queue []*process
	for range 4 {
		p := start(t, dir)
		p.says("waiting")
		queue = append(queue, p)
	}
	for i, p := range queue {
		in[i].in.Close() // the longest in leaves
		p.says("in")
		in = append(in, p)
		if held := holders(t, roomFor(dir, 2)); len(held) > 2 {
			t.Errorf("%d are in at once", len(held))
		}
	}
}

func TestTwoRunsAtOnceNeverTakeMoreThanThereIs(t *testing.T) {
	dir := t.TempDir()
	var all []*process
	for range 8 {
		all = append(all, start(t, dir))
	}
	done := make(chan int)
	for i, p := range all {
		go func() {
			for p.lines.Scan() {
				if p.lines.Text() == "in" {
					break
				}
			}
			done <- i
		}()
	}
	for range all {
		i := <-done
		if held := holders(t, roomFor(dir, 2)); len(held) > 2 {
			t.Errorf("%d are in at once", len(held))
		}
		all[i].in.Close()
		all[i].cmd.Wait()
	}
	if left, _ := filepath.Glob(filepath.Join(dir, claimPrefix+"*")); len(left) > 0 {
		t.Errorf("claims are left: %q", left)
	}
}

func TestAMachineTooSmallIsToldSo(t *testing.T) {
	r := roomFor(t.TempDir(), 0)
	_, err := r.Enter(t.Context(), need, func(string) { t.Error("it waits") })
	wants(t, err, "cannot make room for a host: it needs 1.0 GiB and leaves 0.5 GiB to the rest; 0.5 GiB of 0.5 GiB are free, ", "at least 1.5 GiB")
}

func TestMemoryThatNobodyOfOursWillGiveBackIsWaitedForBriefly(t *testing.T) {
	r := roomFor(t.TempDir(), 1)
	read := r.read
	r.read = func(disk string) (Reading, error) {
		m, err := read(disk)
		m.FreeMB = 700
		return m, err
	}
	r.patience = time.Nanosecond
	told := ""
	_, err := r.Enter(t.Context(), need, func(why string) { told = why })
	wants(t, err, "0.7 GiB of 1.5 GiB are free, 0.0 GiB of it promised to 0 that run", "end other programs")
	if !strings.HasPrefix(told, "for memory: needs") {
		t.Errorf("the wait is told as %q", told)
	}
}

func TestWaitingEndsWithItsContext(t *testing.T) {
	dir := t.TempDir()
	first, err := roomFor(dir, 1).Enter(t.Context(), need, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Release()
	why := errors.New("stopped by hand")
	ctx, cancel := context.WithCancelCause(t.Context())
	_, err = roomFor(dir, 1).Enter(ctx, need, func(string) { cancel(why) })
	if !errors.Is(err, why) {
		t.Errorf("got %v", err)
	}
	wants(t, err, "cannot make room for a host")
	if left, _ := filepath.Glob(filepath.Join(dir, claimPrefix+"*")); len(left) != 1 {
		t.Errorf("claims: %q", left)
	}
}

func wants(t *testing.T, err error, words ...string) {
	t.Helper()
	if v, _ := fault.Classify(err); err == nil || v != matrix.Infra {
		t.Fatalf("got %v, want a fault of ours", err)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("got %v, want %q in it", err, w)
		}
	}
}

func TestOneThatIsStoppedHoldsUpNobody(t *testing.T) {
	now := time.Now()
	queue := []*Claim{
		{number: 1, Held: true, looked: now},
		{number: 2, looked: now.Add(-2 * silence)},
		{number: 3, looked: now},
		{number: 5, looked: now},
	}
	if n := before(queue, &Claim{number: 4}); n != 1 {
		t.Errorf("%d are before it", n)
	}
}

func TestWhoTakesEveryProcessorDoesNotWaitBehindOneThatDoesNot(t *testing.T) {
	now := time.Now()
	queue := []*Claim{{number: 2, looked: now}, {number: 3, looked: now, EveryProcessor: true}}
	if n := before(queue, &Claim{number: 4, EveryProcessor: true}); n != 1 {
		t.Errorf("%d are before it, and one of them is like it", n)
	}
	if n := before(queue, &Claim{number: 4}); n != 2 {
		t.Errorf("%d are before one that waits for an idle processor too", n)
	}
}

func TestAClaimThatCannotBeReadIsTold(t *testing.T) {
	dir := t.TempDir()
	c, err := roomFor(dir, 2).Enter(t.Context(), need, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Release()
	if err := os.WriteFile(c.file.Name(), []byte("no claim"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = roomFor(dir, 2).Enter(t.Context(), need, nil)
	wants(t, err, filepath.Base(c.file.Name()), "which a living process holds", "end that process")
}

func TestTheFirstOfAContainerTakesWhatItsHarnessClaimed(t *testing.T) {
	dir := t.TempDir()
	c, err := roomFor(dir, 2).Enter(t.Context(), need, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Release()
	if err := c.Uses(t.Context(), 1234); err != nil {
		t.Fatal(err)
	}
	asked := 0
	other := roomFor(dir, 2)
	other.has = func(root int) int { asked = root; return 0 }
	if _, err := other.Fits(t.Context(), need); err != nil || asked != 1234 {
		t.Errorf("the claim has what is below process %d (%v), want 1234", asked, err)
	}
}

func TestWhatAClaimHasTakenIsNoMoreThanItClaimed(t *testing.T) {
	r := roomFor(t.TempDir(), 1)
	r.has = func(root int) int { return map[int]int{10: 1500, 20: 300, 30: 9999}[root] }
	one := func(root int, held bool) *Claim { return &Claim{Need: need, Root: root, Held: held} }
	// Two claims share what 10 has; 20 is still to take most; 30 took more than it said.
	h := r.held([]*Claim{one(10, true), one(10, true), one(20, true), one(30, true), one(40, false)})
	if len(h.needs) != 4 || h.takenMB != 1500+300+1000 {
		t.Errorf("%d claims have taken %d MiB", len(h.needs), h.takenMB)
	}
}

func TestBusyProcessorsAreWaitedForBriefly(t *testing.T) {
	dir := t.TempDir()
	room := func() *Room {
		r := roomFor(dir, 2)
		r.everyProcessor = false
		r.read = func(string) (Reading, error) {
			return Reading{FreeMB: 9000, TotalMB: 9000, Processors: 2, Pressure: 80}, nil
		}
		return r
	}
	timed := need
	timed.Timed = true
	first, err := room().Enter(t.Context(), timed, func(why string) { t.Errorf("the first waits %s", why) })
	if err != nil {
		t.Fatal(err)
	}
	defer first.Release()
	told := ""
	r := room()
	r.patience = time.Nanosecond
	second, err := r.Enter(t.Context(), timed, func(why string) { told = why })
	if err != nil {
		t.Fatal(err)
	}
	defer second.Release()
	if want := "for an idle processor: 1 of 2 are taken, and for 80% of the last 10 s something waited for one"; told != want {
		t.Errorf("the second was told %q, want %q", told, want)
	}
}

func TestHowManyFit(t *testing.T) {
	dir := t.TempDir()
	r := roomFor(dir, 3)
	c, err := r.Enter(t.Context(), need, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Release()
	fit, err := r.Fits(t.Context(), need)
	if err != nil || fit.ByMemory != 3 || fit.ByProcessors != 1 || fit.Number() != 1 {
		t.Errorf("got %+v, %v; want 3 by memory when the claim that lives has ended, 1 by processors", fit, err)
	}
	if n := (Fit{ByMemory: 0, ByProcessors: 4}).Number(); n != 0 {
		t.Errorf("%d fit without memory", n)
	}
}
