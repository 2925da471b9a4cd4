package sabotage

import (
	"io"
	"net"
	"sync"

	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// Lasting has connections to libvirt's daemon outlive it: nobody answers on them any more.
func Lasting() *Control {
	return &Control{Name: "connections that outlive their daemon", apply: func(t *steps.T) func() error {
		t.TapLibvirt(func(daemon net.Conn) net.Conn { return &lasting{Conn: daemon, closed: make(chan struct{})} })
		return nil
	}}
}

// lasting is a connection that ends when this side closes it, and not before.
type lasting struct {
	net.Conn
	once   sync.Once
	closed chan struct{}
}

// Read reads; it waits at the end.
func (l *lasting) Read(p []byte) (int, error) {
	n, err := l.Conn.Read(p)
	if n > 0 || err == nil {
		return n, nil
	}
	<-l.closed
	return 0, io.EOF
}

// Write loses what nobody reads.
func (l *lasting) Write(p []byte) (int, error) {
	_, _ = l.Conn.Write(p)
	return len(p), nil
}

// Close ends the connection.
func (l *lasting) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Conn.Close()
}
