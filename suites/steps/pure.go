package steps

import (
	"context"
	"errors"
	"net"

	pure "github.com/digitalocean/go-libvirt"
	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// PureClient speaks libvirt's RPC protocol without libvirt's library, as programs on
// go-libvirt do.
type PureClient struct {
	t   *T
	Raw *pure.Libvirt
}

// dialer connects to the daemon of a host.
type dialer struct{ t *T }

// Dial connects to the daemon's socket.
func (d dialer) Dial() (net.Conn, error) { return d.t.s.Host.Dial(d.t.Manager().Socket) }

// PureClient connects to libvirt's daemon; the connection is closed when the check is
// over.
func (t *T) PureClient() *PureClient {
	c := &PureClient{t, pure.NewWithDialer(dialer{t})}
	c.Do("connect to libvirt by RPC", c.Raw.Connect)
	t.Cleanup(func() { c.Do("disconnect from libvirt by RPC", c.disconnect) })
	return c
}

// disconnect says goodbye. The daemon answers and closes its end at once; a library that
// sees the end first says that it cannot read an answer, and has disconnected all the same.
func (c *PureClient) disconnect() error {
	err := c.Raw.Disconnect()
	var refused pure.Error
	if err == nil || errors.As(err, &refused) {
		return err
	}
	<-c.Raw.Disconnected()
	return nil
}

// Do makes a call that must succeed.
func (c *PureClient) Do(op string, call func() error) {
	err := c.t.await(patience{op: op, limit: callLimit, layer: matrix.LayerManagement, who: "libvirt"}, func(context.Context) error { return call() })
	var refused pure.Error
	if errors.As(err, &refused) {
		c.t.must(fault.Productf(matrix.LayerManagement, op, "%s (error %d)", refused.Message, refused.Code), op)
	}
	if err != nil {
		c.t.must(c.t.explain(op, err), op)
	}
}
