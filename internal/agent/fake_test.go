package agent

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"
)

// fakePort is a virtio-serial port: harnesses come and go, and it reads as end
// of file while there is none.
type fakePort struct {
	mu   sync.Mutex
	conn net.Conn
	gone bool
}

var errUnplugged = errors.New("port unplugged")

func (p *fakePort) now() (net.Conn, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.conn, p.gone
}

func (p *fakePort) Read(b []byte) (int, error) {
	conn, gone := p.now()
	switch {
	case gone:
		return 0, errUnplugged
	case conn == nil:
		return 0, io.EOF
	}
	n, err := conn.Read(b)
	if err != nil {
		err = io.EOF
	}
	return n, err
}

func (p *fakePort) Write(b []byte) (int, error) {
	conn, _ := p.now()
	if conn == nil {
		return 0, io.ErrClosedPipe
	}
	return conn.Write(b)
}

// plug connects a new harness to the port and returns its end.
func (p *fakePort) plug(t *testing.T) net.Conn {
	t.Helper()
	l0, l1 := socketPair(t)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conn != nil {
		p.conn.Close()
	}
	p.conn = l1
	return l0
}

// socketPair is a connected pair of Unix sockets: unlike net.Pipe it buffers, as
// the emulator does.
func socketPair(t *testing.T) (a, b net.Conn) {
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
	if a, err = net.Dial("unix", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if b, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

// startAgent serves a port until the test is over.
func startAgent(t *testing.T) *fakePort {
	t.Helper()
	server, err := NewServer()
	if err != nil {
		t.Fatal(err)
	}
	port := &fakePort{}
	done := make(chan error, 1)
	go func() { done <- server.Listen(port) }()
	t.Cleanup(func() {
		port.mu.Lock()
		port.gone = true
		if port.conn != nil {
			port.conn.Close()
		}
		port.mu.Unlock()
		if err := <-done; !errors.Is(err, errUnplugged) {
			t.Errorf("Listen = %v, want the port's error", err)
		}
	})
	return port
}

// within is a context that ends long after any step of these tests.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func connect(t *testing.T, conn net.Conn) *Client {
	t.Helper()
	c, err := Connect(within(t), conn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func newClient(t *testing.T) *Client {
	t.Helper()
	return connect(t, startAgent(t).plug(t))
}

// eventually waits until something that happens elsewhere has happened.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for range 1000 {
		if holds() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("never: %s", what)
}

func openFiles(t *testing.T) int {
	t.Helper()
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("no /proc/self/fd")
	}
	return len(names)
}

func goroutines() int { return runtime.NumGoroutine() }
