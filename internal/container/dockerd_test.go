package container

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/owner"
)

// victim starts a Docker of the test's own, which dies with the test, and makes it
// the one that is asked.
func victim(t *testing.T) *owner.Process {
	t.Helper()
	if _, err := exec.LookPath("dockerd"); err != nil {
		t.Skip("there is no dockerd; ci/setup installs it")
	}
	// Sockets' paths may have 107 bytes.
	dir, err := os.MkdirTemp("/run", "vmd-")
	if err != nil {
		t.Fatal(err)
	}
	data := t.TempDir()
	log, err := os.Create(filepath.Join(data, "dockerd.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	socket := "unix://" + filepath.Join(dir, "d.sock")
	p, err := owner.Start(owner.Options{Output: log, Argv: []string{
		// What it mounts goes when the last of its processes does.
		"unshare", "--mount", "dockerd", "--host", socket, "--data-root", filepath.Join(data, "root"), "--exec-root", filepath.Join(dir, "x"),
		"--pidfile", filepath.Join(dir, "pid"), "--bridge=none", "--iptables=false", "--ip-masq=false",
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Kill()
		killShims(dir)
		os.RemoveAll(dir)
	})
	t.Setenv("DOCKER_HOST", socket)
	for start := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		_, err := Probe(t.Context())
		if err == nil {
			return p
		}
		if p.Err() != nil || time.Since(start) > time.Minute {
			said, _ := os.ReadFile(log.Name())
			t.Skipf("no second Docker starts here: %v\n%s", err, said)
		}
	}
}

// killShims ends what a killed dockerd leaves: a parent for each of its containers.
func killShims(dir string) {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range files {
		b, _ := os.ReadFile(f)
		if !bytes.Contains(b, []byte(dir+"/")) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(f))); err == nil {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

func TestRealDockerThatIsStoppedInTheMiddle(t *testing.T) {
	o := realOptions(t)
	docker := victim(t)
	o.Home = t.TempDir()
	h := up(t, o)
	said := make(chan error, 1)
	go func() {
		_, err := h.Exec(t.Context(), "sleep 600")
		said <- err
	}()
	if err := docker.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	// It takes its containers with it.
	isOurs(t, <-said, "run container")
	<-docker.Done()
	isOurs(t, h.Alive(), "run container")
	o.Settings.LogDir = t.TempDir()
	_, err := Boot(t.Context(), o)
	isOurs(t, err, "use Docker", "ci/setup")
}

func TestRealDockerThatIsKilledInTheMiddle(t *testing.T) {
	o := realOptions(t)
	docker := victim(t)
	o.Home = t.TempDir()
	h := up(t, o)
	docker.Kill()
	// What the container answers is still an answer, if it still answers.
	res, err := h.Exec(t.Context(), "virsh -c qemu:///system version")
	if err != nil {
		isOurs(t, err, "run container")
	} else if !res.OK() {
		t.Errorf("virsh says %q", res.Text())
	}
	o.Settings.LogDir = t.TempDir()
	_, err = Boot(t.Context(), o)
	isOurs(t, err, "use Docker")
	isOurs(t, h.Close(), "remove container")
	if left := owner.Own(o.Runtime, FolderPrefix); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
