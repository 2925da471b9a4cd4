package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/agent"
)

func TestWhoseFaultItIsThatAServiceIsNotUp(t *testing.T) {
	absent := filepath.Join(t.TempDir(), "sock")
	for want, s := range map[string]agent.Service{
		"start libvirtd: exit status 3":                               {Name: "libvirtd", Once: true, Argv: []string{"/bin/sh", "-c", "exit 3"}},
		"start libvirtd: it ended before " + absent + " was there: ":  {Name: "libvirtd", Wait: absent, Within: time.Minute, Argv: []string{"/bin/sh", "-c", "exit 3"}},
		"start libvirtd: " + absent + agent.Late + "1ms":              {Name: "libvirtd", Wait: absent, Within: time.Millisecond, Argv: []string{"/bin/sleep", "5"}},
		"start libvirtd: fork/exec /none: no such file or directory":  {Name: "libvirtd", Argv: []string{"/none"}},
		"do step dev-nodes: exit status 3":                            {Name: "dev-nodes", Once: true, Own: true, Argv: []string{"/bin/sh", "-c", "exit 3"}},
		"open log of libvirtd: open " + absent + "/libvirtd.log: no ": {Name: "libvirtd", Argv: []string{"/bin/true"}},
	} {
		logs := t.TempDir()
		if strings.HasPrefix(want, "open log") {
			logs = absent
		}
		err := newSupervisor().start(s, filepath.Join(logs, s.Name+".log"))
		if got := complaint(s, err); err == nil || !strings.HasPrefix(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// daemonEnv makes the test binary a daemon that listens on the socket that it names.
const daemonEnv = "L1INIT_TEST_SOCKET"

func TestMain(m *testing.M) {
	if path := os.Getenv(daemonEnv); path != "" {
		fmt.Println("a life of the daemon")
		if _, err := os.Stat(path); err == nil {
			time.Sleep(time.Second) // as a daemon has much to do before it listens
		}
		_ = os.Remove(path) // as libvirtd does with what a killed one left behind
		l, err := net.Listen("unix", path)
		if err != nil {
			panic(err)
		}
		socket, err := l.(*net.UnixListener).File()
		if err != nil {
			panic(err)
		}
		child := exec.Command("/bin/sleep", "3") // as what libvirtd forks has its socket for a moment
		child.ExtraFiles = []*os.File{socket}
		if err := child.Start(); err != nil {
			panic(err)
		}
		select {}
	}
	os.Exit(m.Run())
}

func TestADaemonIsStartedAgainAsItWas(t *testing.T) {
	dir := t.TempDir()
	socket, log := filepath.Join(dir, "sock"), filepath.Join(dir, "log")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s := newSupervisor()
	d := agent.Service{Name: "libvirtd", Argv: []string{"/usr/bin/env", daemonEnv + "=" + socket, self}, Wait: socket, Within: time.Minute}
	if err := s.start(d, log); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.daemons["libvirtd"].process.Kill() })
	lives := map[int]bool{s.daemons["libvirtd"].process.Pid: true}
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		if err := s.restart("libvirtd", signal); err != nil {
			t.Fatal(err)
		}
		if !listenerLives(socket) {
			t.Errorf("after %s nobody listens who is there", signal)
		}
		lives[s.daemons["libvirtd"].process.Pid] = true
	}
	said, err := os.ReadFile(log)
	if n := strings.Count(string(said), "a life of the daemon\n"); err != nil || n != 3 || len(lives) != 3 {
		t.Errorf("%d processes, of which the log tells %d: %v", len(lives), n, err)
	}
}

func TestWhyADaemonIsNotRestarted(t *testing.T) {
	dir := t.TempDir()
	socket, stop := filepath.Join(dir, "sock"), filepath.Join(dir, "stop")
	for want, script := range map[string]string{
		"start d: its end by SIGTERM" + agent.Late + "1s":                  "trap '' TERM; touch " + socket + "; while :; do sleep 1; done",
		"start d: it ended before " + socket + " was there: exit status 3": "test ! -e " + stop + " || exit 3; touch " + socket + " " + stop + "; exec sleep 600",
		"start d: " + socket + agent.Late + "1s":                           "touch " + socket + "; exec sleep 600", // a file that nobody answers
		"restart x: the host has no daemon of this name":                   "touch " + socket + "; exec sleep 600",
	} {
		s := newSupervisor()
		if err := s.start(agent.Service{Name: "d", Argv: []string{"/bin/sh", "-c", script}, Wait: socket, Within: time.Second}, filepath.Join(dir, "log")); err != nil {
			t.Fatal(err)
		}
		name := "d"
		if strings.HasPrefix(want, "restart x") {
			name = "x"
		}
		if err := s.restart(name, syscall.SIGTERM); err == nil || err.Error() != want {
			t.Errorf("%v, want %q", err, want)
		}
		_ = s.daemons["d"].process.Kill()
		_ = os.Remove(socket)
	}
}

func TestAFileIsReplacedOrAddedTo(t *testing.T) {
	root := t.TempDir()
	files := []agent.File{{Path: "/etc/x", Content: "one\n"}, {Path: "/etc/x", Content: "two\n"}, {Path: "/etc/x", Content: "three\n", Append: true}, {Path: "/etc/y", Content: "new\n", Append: true}}
	if err := writeFiles(files, "", root); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"/etc/x": "two\nthree\n", "/etc/y": "new\n"} {
		if got, err := os.ReadFile(root + path); err != nil || string(got) != want {
			t.Errorf("%s holds %q, %v", path, got, err)
		}
	}
}
