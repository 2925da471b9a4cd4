package steps

import (
	"context"
	"errors"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/xenstore"
)

// xenstoreSocket is xenstored's socket in dom0.
const xenstoreSocket = "/run/xenstored/socket"

// xenstoreLimit bounds an answer of xenstored at scale 1.
const xenstoreLimit = time.Minute

// Xenstore is a connection to dom0's xenstored.
type Xenstore struct {
	t    *T
	conn *xenstore.Conn
}

// Xenstore opens a connection. It is closed when the check is over.
func (t *T) Xenstore() *Xenstore {
	const op = "connect to xenstored"
	conn, err := t.Host().Dial(xenstoreSocket)
	if agent.Refused(err) {
		err = &fault.Product{Layer: t.Layer, Op: op, Err: err}
	}
	t.must(err, op)
	c := xenstore.New(conn)
	t.Cleanup(func() { _ = c.Close() }) // its end is no concern of the next check
	return &Xenstore{t, c}
}

// Try makes a request and returns xenstored's refusal, nil when it did what it was
// told. A connection that broke is no answer.
func (x *Xenstore) Try(op string, call func(context.Context, *xenstore.Conn) error) error {
	err := x.t.await(patience{op: op, limit: xenstoreLimit, layer: x.t.Layer, who: "xenstored"},
		func(ctx context.Context) error { return call(ctx, x.conn) })
	var refusal xenstore.Error
	if err != nil && !errors.As(err, &refusal) {
		x.t.must(x.t.s.Host.Alive(), op)
		x.t.must(err, op)
	}
	return err
}

// ask makes a request that must succeed and returns its answer.
func ask[V any](x *Xenstore, op string, call func(*xenstore.Conn, context.Context) (V, error)) (v V) {
	err := x.Try(op, func(ctx context.Context, c *xenstore.Conn) (err error) {
		v, err = call(c, ctx)
		return err
	})
	if err != nil {
		x.t.Fail(x.t.Layer, "xenstored refuses to %s: %v", op, err)
	}
	return v
}

// Write writes a value, in a transaction or outside (0).
func (x *Xenstore) Write(tx xenstore.Tx, path, value string) {
	ask(x, "write "+path, func(c *xenstore.Conn, ctx context.Context) (struct{}, error) {
		return struct{}{}, c.Write(ctx, tx, path, value)
	})
}

// Read returns a value, as a transaction sees it or outside (0).
func (x *Xenstore) Read(tx xenstore.Tx, path string) string {
	return ask(x, "read "+path, func(c *xenstore.Conn, ctx context.Context) (string, error) { return c.Read(ctx, tx, path) })
}

// List returns the names below a path.
func (x *Xenstore) List(path string) []string {
	return ask(x, "list "+path, func(c *xenstore.Conn, ctx context.Context) ([]string, error) { return c.List(ctx, 0, path) })
}

// Remove removes a path and what is below it.
func (x *Xenstore) Remove(path string) {
	ask(x, "remove "+path, func(c *xenstore.Conn, ctx context.Context) (struct{}, error) {
		return struct{}{}, c.Remove(ctx, 0, path)
	})
}

// Watch has changes of a path told.
func (x *Xenstore) Watch(path, token string) {
	ask(x, "watch "+path, func(c *xenstore.Conn, ctx context.Context) (struct{}, error) {
		return struct{}{}, c.Watch(ctx, path, token)
	})
}

// Begin begins a transaction.
func (x *Xenstore) Begin() xenstore.Tx {
	return ask(x, "begin a transaction", (*xenstore.Conn).Begin)
}

// Fired waits for the next event of a watch.
func (x *Xenstore) Fired() (e xenstore.Event) {
	x.t.Until(xenstoreLimit, "the watch fires", func() bool {
		select {
		case e = <-x.conn.Events():
			return true
		default:
			return false
		}
	})
	return e
}
