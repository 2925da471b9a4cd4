package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
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
	link, _ := wiredHost(t)
	return link
}

// wiredHost is a talkingHost, and its end of the wire.
func wiredHost(t *testing.T) (*Link, *net.UnixConn) {
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
	link := &Link{agent: client, Transport: Transport{
		Dir: dir, Limit: func(d time.Duration) time.Duration { return d },
		Alive: lives, Lost: func(context.Context) error { return lives() },
	}}
	t.Cleanup(link.Shut)
	return link, l1
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
