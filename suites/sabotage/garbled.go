package sabotage

import (
	"net"

	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// Garbled has connections to libvirt's daemon end in garbage, and not with its end.
func Garbled() *Control {
	return &Control{Name: "connections that end in garbage", apply: func(t *steps.T) func() error {
		t.TapLibvirt(func(daemon net.Conn) net.Conn { return &garbled{Conn: daemon} })
		return nil
	}}
}

// garbled is a connection at whose end there is what is no message: one that is longer
// than any may be.
type garbled struct {
	net.Conn
	ended bool
}

// Read reads, and has garbage for the end.
func (g *garbled) Read(p []byte) (int, error) {
	n, err := g.Conn.Read(p)
	if n > 0 || err == nil || g.ended {
		return n, err
	}
	g.ended = true
	return copy(p, "\xff\xff\xff\xff\xff\xff\xff\xff"), nil
}
