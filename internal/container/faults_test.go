package container

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/client"

	"github.com/virtmatrix/virtmatrix/internal/console"
	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/internal/owner"
	"github.com/virtmatrix/virtmatrix/internal/realtest"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// isOurs asserts that an error is an infrastructure fault that says the words.
func isOurs(t *testing.T, err error, words ...string) {
	t.Helper()
	var ours *fault.Infra
	if verdict, _ := fault.Classify(err); verdict != matrix.Infra || !errors.As(err, &ours) {
		t.Fatalf("the verdict is %s: %v", verdict, err)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("it does not say %q: %v", w, err)
		}
	}
}

func TestNoDockerIsOurFaultAndSaysTheCure(t *testing.T) {
	t.Setenv("DOCKER_HOST", "unix://"+filepath.Join(t.TempDir(), "none.sock"))
	_, err := Probe(t.Context())
	isOurs(t, err, "use Docker", "ci/setup")
}

func TestTheDockerThatAnswersIsNamed(t *testing.T) {
	says := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Api-Version", "1.47")
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"ServerVersion": "27.5.1", "KernelVersion": "6.12.1"}`)
	}))
	defer says.Close()
	t.Setenv("DOCKER_HOST", "tcp://"+says.Listener.Addr().String())
	if engine, err := Probe(t.Context()); err != nil || engine != "Docker 27.5.1 on Linux 6.12.1" {
		t.Errorf("%q answers, %v", engine, err)
	}
}

func TestADockerThatNeverAnswersIsGivenUp(t *testing.T) {
	dir, err := os.MkdirTemp("", "d")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	l, err := net.Listen("unix", filepath.Join(dir, "mute.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() // whoever connects waits in its queue
	t.Setenv("DOCKER_HOST", "unix://"+l.Addr().String())
	ctx, cancel := context.WithTimeoutCause(t.Context(), 200*time.Millisecond, errors.New("nobody waits longer"))
	defer cancel()
	_, err = Probe(ctx)
	isOurs(t, err, "use Docker", "nobody waits longer")
}

// quiet is a host without a container.
func quiet(t *testing.T) *Host {
	t.Helper()
	h, err := create(Options{Runtime: t.TempDir(), Settings: host.Settings{LogDir: t.TempDir(), ScratchDir: t.TempDir()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

func TestOnlyADaemonThatDoesNotStartIsTheProducts(t *testing.T) {
	for says, want := range map[string]matrix.Verdict{
		"virtmatrix-agent: serving\n":                                     matrix.Pass,
		"virtmatrix-agent: cannot start libvirtd: exit status 6\n":        matrix.Fail,
		"virtmatrix-agent: cannot write /etc/machine-id: no space left\n": matrix.Infra,
		strings.Repeat("who prints here?\n", console.MaxBytes/16):         matrix.Infra,
	} {
		h := quiet(t)
		if err := os.WriteFile(h.Console().Path, []byte(says), 0o644); err != nil {
			t.Fatal(err)
		}
		err := h.Alive()
		if got, _ := fault.Classify(err); got != want {
			t.Errorf("a host that says %.60q is %s (%v), want %s", says, got, err, want)
		}
	}
}

func TestADaemonThatDoesNotStartOnASickMachineIsOurs(t *testing.T) {
	const ended, late = "cannot start libvirtd: it ended before /run/x was there", "cannot start libvirtd: /run/x was not there within 2m0s"
	for words, tc := range map[string]struct {
		says string
		sick func(h *Host)
	}{
		"memory ran out":        {ended, func(h *Host) { h.oom = group(t, "oom_kill 1\n", t.TempDir(), "memory.events") }},
		"its console has print": {ended, func(h *Host) { _ = os.Truncate(h.Console().Path, console.MaxBytes+1) }},
		"a starved machine":     {late, func(h *Host) { h.sched.before = owner.Sched{Ran: time.Second, Waited: time.Minute} }},
	} {
		h := quiet(t)
		if err := os.WriteFile(h.Console().Path, []byte("virtmatrix-agent: "+tc.says+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		tc.sick(h)
		isOurs(t, h.Alive(), words)
	}
}

func TestADiskThatHasNoRoomForACheckIsFull(t *testing.T) {
	// Whoever found it full has made some room again by removing what it wrote.
	small := realtest.SmallDisk(t, "64m")
	h, err := create(Options{Runtime: t.TempDir(), Settings: host.Settings{LogDir: t.TempDir(), ScratchDir: small}})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	isOurs(t, h.Alive(), "no space is left in "+small, "512.0 MiB", "virtmatrix gc")

	h = quiet(t)
	h.engine = &Engine{Root: small}
	isOurs(t, h.Alive(), "no space is left in "+small)
}

func TestAnEndIsOursWhateverDockerSaysOfIt(t *testing.T) {
	for name, end := range map[string]ending{
		"killed": {status: 137}, "by itself": {status: 0}, "no answer": {err: errors.New("connection refused")},
	} {
		h := quiet(t)
		h.over <- end
		close(h.parted)
		isOurs(t, h.Alive(), "run container")
		if again := h.Alive(); again == nil {
			t.Errorf("%s: dead hosts live again", name)
		}
	}
}

func TestThreadsThatAreGoneStillCount(t *testing.T) {
	tl := tally{threads: map[string]owner.Sched{"/proc/1/task/1": {Ran: 3 * time.Second, Waited: time.Second}}}
	if got := tl.read(); got != (owner.Sched{Ran: 3 * time.Second, Waited: time.Second}) {
		t.Errorf("got %s", got)
	}
	tl.init = os.Getpid()
	first := tl.read()
	if second := tl.read(); first.Ran < 3*time.Second || second.Ran < first.Ran || second.Waited < first.Waited {
		t.Errorf("first %s, then %s", first, second)
	}
}

func TestACellThatTakesAMachineIsNoContainer(t *testing.T) {
	for want, s := range map[string]host.Settings{
		"xen takes a machine":               {Kind: matrix.Xen},
		"security=apparmor takes a machine": {Kind: matrix.KVM, Axes: []matrix.Setting{{Axis: "security", Value: "apparmor"}}},
	} {
		s.LogDir, s.ScratchDir = t.TempDir(), t.TempDir()
		_, err := Boot(t.Context(), Options{Runtime: t.TempDir(), Settings: s})
		isOurs(t, err, want)
	}
}

func TestRealContainerKilledInTheMiddle(t *testing.T) {
	h := up(t, realOptions(t))
	said := make(chan error, 1)
	go func() {
		_, err := h.Exec(t.Context(), "touch /run/there; sleep 600")
		said <- err
	}()
	for start := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		if res, err := h.Exec(t.Context(), "test -e /run/there"); err != nil || time.Since(start) > time.Minute {
			t.Fatal(err)
		} else if res.OK() {
			break
		}
	}
	if _, err := h.engine.docker().ContainerKill(t.Context(), h.id, client.ContainerKillOptions{Signal: "KILL"}); err != nil {
		t.Fatal(err)
	}
	isOurs(t, <-said, "run container", "status 137")
	isOurs(t, h.Alive(), "status 137")
	if _, err := h.Forward("/run/any"); err == nil {
		if _, err := h.Exec(t.Context(), "true"); err == nil {
			t.Error("a dead host runs commands")
		}
	}
	if err := h.Close(); err != nil {
		t.Error(err)
	}
}

func TestRealImageRemovedUnderUs(t *testing.T) {
	o := realOptions(t)
	// An image of the test's own: runs may use the one of the true digest.
	o.Parts.Sums[o.Parts.Root] = strings.Repeat("7e57", 16)
	h := up(t, o)
	engine := h.engine
	h.Close()
	remove := func() {
		own := Image{Ref: reference(o.Parts.Sums[o.Parts.Root], o.Home), Root: o.Parts.Sums[o.Parts.Root]}
		images, err := engine.Images(context.Background(), o.Home)
		if err != nil || !slices.ContainsFunc(images, func(i Image) bool { return i.Ref == own.Ref && i.Root == own.Root && i.Bytes > 0 }) {
			t.Errorf("%s is not among %v, %v", own.Ref, images, err)
		}
		if err := engine.RemoveImage(context.Background(), own); err != nil {
			t.Error(err)
		}
	}
	remove()
	t.Cleanup(remove)
	// A container of an image that is gone is refused, and nothing is pulled.
	ctx, cancel := context.WithTimeoutCause(t.Context(), 3*time.Second, errors.New("waited long enough"))
	defer cancel()
	_, err := engine.provider.CreateContainer(ctx, h.request(o, strings.Repeat("0", 64), []mount.Mount{}))
	if err == nil {
		t.Error("a container was made of nothing")
	}
	// The next host has it imported again.
	o.Settings.LogDir = t.TempDir()
	if res, err := up(t, o).Exec(t.Context(), "virsh -c qemu:///system version"); err != nil || !res.OK() {
		t.Errorf("virsh says %q, %v", res.Text(), err)
	}
}

func TestRealHostileConsole(t *testing.T) {
	h := up(t, realOptions(t))
	res, err := h.Exec(t.Context(), fmt.Sprintf("head -c %d /dev/urandom >/proc/1/fd/2; for f in harness/x spec.json init parts%s; do echo x >/virtmatrix/l0/$f; done", console.MaxBytes+1<<20, host.GuestKernel))
	if err != nil || strings.Count(res.Text(), "Read-only file system") != 4 {
		t.Errorf("L0's files can be written: %q, %v", res.Text(), err)
	}
	isOurs(t, h.Alive(), "its console has printed")
}

func TestRealDiskThatIsFull(t *testing.T) {
	o := realOptions(t)
	o.Settings.ScratchDir = realtest.SmallDisk(t, "1m")
	_, err := Boot(t.Context(), o)
	isOurs(t, err, "compose container", "no space left")
	o.Settings.ScratchDir = realtest.SmallDisk(t, "640m")
	h := up(t, o)
	if res, err := h.Exec(t.Context(), "dd if=/dev/zero of=/var/lib/libvirt/images/full bs=1M"); err == nil && res.OK() {
		t.Error("the disk did not fill")
	}
	isOurs(t, h.Alive(), "no space is left", o.Settings.ScratchDir)
	h.Close() // or its disk could not be unmounted
}

// harness is the variable that makes this test's executable a harness to be killed.
const harness = "VIRTMATRIX_TEST_HARNESS"

func TestRealKilledHarnessLeavesNoContainer(t *testing.T) {
	if os.Getenv(harness) != "" {
		h := up(t, realOptions(t))
		fmt.Printf("container %s\n", h.id)
		time.Sleep(time.Hour)
	}
	o := realOptions(t)
	engine, err := Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), harness+"=1")
	out := &watched{word: "container "}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	id := out.await(t, 3*time.Minute)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	for start := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		_, err := engine.docker().ContainerInspect(t.Context(), id, client.ContainerInspectOptions{})
		if gone(err) {
			t.Logf("gone after %s", time.Since(start))
			break
		}
		if time.Since(start) > 20*time.Second {
			t.Fatalf("container %s is still there: %v", id, err)
		}
	}
	if orphans, err := engine.Orphans(t.Context()); err != nil || len(orphans) > 0 {
		t.Errorf("orphans %v, %v", orphans, err)
	}
	if _, err := owner.Sweep(o.Runtime); err != nil {
		t.Error(err)
	}
}

// watched keeps what is written to it until a line begins with the word.
type watched struct {
	word string
	mu   sync.Mutex
	text []byte
}

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text = append(w.text, p...)
	return len(p), nil
}

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return string(w.text)
}

func (w *watched) await(t *testing.T, limit time.Duration) string {
	t.Helper()
	for start := time.Now(); time.Since(start) < limit; time.Sleep(50 * time.Millisecond) {
		for line := range strings.Lines(w.String()) {
			if rest, ok := strings.CutPrefix(line, w.word); ok && strings.HasSuffix(rest, "\n") {
				return strings.TrimSpace(rest)
			}
		}
	}
	t.Fatalf("no line begins with %q in:\n%s", w.word, w.String())
	return ""
}
