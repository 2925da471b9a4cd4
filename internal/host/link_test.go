package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/agent"
)

// socket is both ends of a connected Unix socket.
func socket(t *testing.T) (ours, theirs *net.UnixConn) {
	t.Helper()
	dir, err := os.MkdirTemp("", "s")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	a, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close(); b.Close() })
	return a.(*net.UnixConn), b.(*net.UnixConn)
}

func TestAClientThatHasSaidAllIsStillAnswered(t *testing.T) {
	client, near := socket(t)
	far, daemon := socket(t)
	ended := make(chan struct{})
	go func() { join(near, far); near.Close(); close(ended) }()
	go func() {
		said, _ := io.ReadAll(daemon)
		_, _ = io.WriteString(daemon, strings.ToUpper(string(said)))
		daemon.Close()
	}()
	if _, err := io.WriteString(client, "hello"); err != nil {
		t.Fatal(err)
	}
	if err := client.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(client); err != nil || string(got) != "HELLO" {
		t.Errorf("the client was answered %q, %v", got, err)
	}
	<-ended
}

func TestTheDaemonsEndEndsTheClient(t *testing.T) {
	client, near := socket(t)
	far, daemon := socket(t)
	go func() { join(near, far); near.Close() }()
	daemon.Close()
	if _, err := client.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("Read = %v, want the end", err)
	}
}

// wire is an agent's port that is gone when its connection is.
type wire struct{ net.Conn }

func (w wire) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	if errors.Is(err, io.EOF) {
		err = net.ErrClosed
	}
	return n, err
}

// talkingHost is a link to an agent alone: this machine plays L1.
func talkingHost(t *testing.T) *Link {
	t.Helper()
	server, err := agent.NewServer()
	if err != nil {
		t.Fatal(err)
	}
	l0, l1 := socket(t)
	go func() { _ = server.Listen(wire{l1}) }()
	client, err := agent.Connect(t.Context(), l0)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	lives := func() error { return nil }
	link := &Link{agent: client, Way: Transport{
		Dir: dir, Limit: func(d time.Duration) time.Duration { return d },
		Alive: lives, Lost: func(context.Context) error { return lives() },
	}}
	t.Cleanup(link.Shut)
	return link
}

// upper is a daemon that answers what it was told in capitals.
func upper(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "d.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				said, _ := io.ReadAll(c)
				_, _ = io.WriteString(c, strings.ToUpper(string(said)))
			}()
		}
	}()
	return path
}

func openFiles() int {
	names, _ := os.ReadDir("/proc/self/fd")
	return len(names)
}

func TestForwardedSocketsCarryAndLeaveNothing(t *testing.T) {
	link := talkingHost(t)
	local, err := link.Forward(upper(t))
	if err != nil {
		t.Fatal(err)
	}
	once := func() {
		c, err := net.Dial("unix", local)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, _ = io.WriteString(c, "said")
		if err := c.(*net.UnixConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(c); err != nil || string(got) != "SAID" {
			t.Fatalf("answered %q, %v", got, err)
		}
	}
	once()
	files, routines := openFiles(), runtime.NumGoroutine()
	for range 100 {
		once()
	}
	for range 500 {
		if openFiles() <= files+2 && runtime.NumGoroutine() <= routines+5 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d files and %d goroutines after 100 connects, %d and %d before", openFiles(), runtime.NumGoroutine(), files, routines)
}

func TestADaemonThatIsGoneClosesItsClients(t *testing.T) {
	link := talkingHost(t)
	local, err := link.Forward(filepath.Join(t.TempDir(), "gone.sock"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("unix", local)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("Read = %v, want the end", err)
	}
}

func TestFilesAreWrittenWhole(t *testing.T) {
	link := talkingHost(t)
	path := filepath.Join(t.TempDir(), "it's a file")
	content := strings.Repeat("line\n", 100_000)
	if err := link.Write(t.Context(), path, []byte(content)); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != content {
		t.Errorf("%d bytes of %d arrived, %v", len(got), len(content), err)
	}
	if err := link.Write(t.Context(), "/no/such/folder/x", nil); err == nil || !strings.Contains(fmt.Sprint(err), "write /no/such/folder/x") {
		t.Errorf("Write = %v", err)
	}
}
