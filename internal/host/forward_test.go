package host

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
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
