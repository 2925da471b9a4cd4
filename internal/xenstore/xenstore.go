// Package xenstore speaks the wire protocol of xenstored (Xen's
// docs/misc/xenstore.txt and public/io/xs_wire.h), over its socket in dom0.
//
// The command line tools hide transactions; a check of them needs the protocol.
package xenstore

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
)

// Message types of xs_wire.h.
const (
	opDirectory        = 1
	opRead             = 2
	opWatch            = 4
	opTransactionStart = 6
	opTransactionEnd   = 7
	opWrite            = 11
	opRm               = 13
	opWatchEvent       = 15
	opError            = 16
)

// maxPayload is XENSTORE_PAYLOAD_MAX: neither side sends more.
const maxPayload = 4096

// Error is what xenstored answers in place of what it was asked for: the errno name
// of its error code ("ENOENT", "EAGAIN"), or what it sent where that is not its
// protocol. Every other error of a Conn is a *WireError.
type Error string

// Error returns "xenstored answers CODE".
func (e Error) Error() string { return "xenstored answers " + string(e) }

// WireError says that there is no answer: the connection ended, or the caller waited
// no longer. It does not say whose fault that is.
type WireError struct{ Err error }

// Error returns "cannot ask xenstored: cause".
func (e *WireError) Error() string { return "cannot ask xenstored: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *WireError) Unwrap() error { return e.Err }

// Errors that checks expect.
const (
	ErrNoEntry  Error = "ENOENT"
	ErrConflict Error = "EAGAIN"
)

type header struct{ Type, ReqID, TxID, Len uint32 }

// Conn is a connection to xenstored. It is safe for use by several goroutines.
type Conn struct {
	conn    net.Conn
	mu      sync.Mutex
	next    uint32
	wait    map[uint32]chan reply
	events  chan Event
	ended   chan struct{}
	failure error // why ended is closed
}

type reply struct {
	kind    uint32
	payload string
}

// Event is a fired watch.
type Event struct{ Path, Token string }

// New starts to speak on a connection, which it owns.
func New(conn net.Conn) *Conn {
	c := &Conn{conn: conn, wait: map[uint32]chan reply{}, events: make(chan Event, 64), ended: make(chan struct{})}
	go c.read()
	return c
}

// Close ends the connection.
func (c *Conn) Close() error {
	err := c.conn.Close()
	<-c.ended
	return err
}

// Events are the watches that fired. At most 64 wait; later ones are lost.
func (c *Conn) Events() <-chan Event { return c.events }

func (c *Conn) read() {
	defer close(c.ended)
	for {
		var h header
		if err := binary.Read(c.conn, binary.LittleEndian, &h); err != nil {
			c.failure = &WireError{fmt.Errorf("the connection ended: %w", err)}
			return
		}
		if h.Len > maxPayload {
			c.failure = Error(fmt.Sprintf("with a message of %d bytes", h.Len))
			return
		}
		b := make([]byte, h.Len)
		if _, err := io.ReadFull(c.conn, b); err != nil {
			c.failure = &WireError{fmt.Errorf("the connection ended: %w", err)}
			return
		}
		if h.Type == opWatchEvent {
			path, token, _ := strings.Cut(strings.TrimRight(string(b), "\x00"), "\x00")
			select {
			case c.events <- Event{path, token}:
			default:
			}
			continue
		}
		c.mu.Lock()
		ch := c.wait[h.ReqID]
		delete(c.wait, h.ReqID)
		c.mu.Unlock()
		if ch != nil {
			ch <- reply{h.Type, string(b)}
		}
	}
}

func (c *Conn) call(ctx context.Context, tx, op uint32, payload string) (string, error) {
	ch := make(chan reply, 1)
	c.mu.Lock()
	c.next++
	h := header{op, c.next, tx, uint32(len(payload))}
	c.wait[h.ReqID] = ch
	msg, err := binary.Append(nil, binary.LittleEndian, h)
	if err == nil {
		_, err = c.conn.Write(append(msg, payload...))
	}
	c.mu.Unlock()
	if err != nil {
		return "", &WireError{err}
	}
	select {
	case r := <-ch:
		switch r.kind {
		case op:
			return r.payload, nil
		case opError:
			return "", Error(strings.TrimRight(r.payload, "\x00"))
		}
		return "", Error(fmt.Sprintf("request %d with message %d", op, r.kind))
	case <-c.ended:
		return "", c.failure
	case <-ctx.Done():
		return "", &WireError{context.Cause(ctx)}
	}
}

// Tx is a transaction; the zero value is none.
type Tx uint32

// Read returns the value at a path.
func (c *Conn) Read(ctx context.Context, tx Tx, path string) (string, error) {
	return c.call(ctx, uint32(tx), opRead, path+"\x00")
}

// List returns the names below a path.
func (c *Conn) List(ctx context.Context, tx Tx, path string) ([]string, error) {
	s, err := c.call(ctx, uint32(tx), opDirectory, path+"\x00")
	if err != nil || s == "" {
		return nil, err
	}
	return strings.Split(strings.TrimRight(s, "\x00"), "\x00"), nil
}

// Write sets the value at a path.
func (c *Conn) Write(ctx context.Context, tx Tx, path, value string) error {
	_, err := c.call(ctx, uint32(tx), opWrite, path+"\x00"+value)
	return err
}

// Remove removes a path and what is below it.
func (c *Conn) Remove(ctx context.Context, tx Tx, path string) error {
	_, err := c.call(ctx, uint32(tx), opRm, path+"\x00")
	return err
}

// Watch asks to be told of changes at and below a path.
func (c *Conn) Watch(ctx context.Context, path, token string) error {
	_, err := c.call(ctx, 0, opWatch, path+"\x00"+token+"\x00")
	return err
}

// Begin starts a transaction.
func (c *Conn) Begin(ctx context.Context) (Tx, error) {
	s, err := c.call(ctx, 0, opTransactionStart, "\x00")
	if err != nil {
		return 0, err
	}
	var tx Tx
	if _, err := fmt.Sscan(strings.TrimRight(s, "\x00"), &tx); err != nil {
		return 0, Error(fmt.Sprintf("transaction %q", s))
	}
	return tx, nil
}

// Commit ends a transaction; ErrConflict says that it must be done again.
func (c *Conn) Commit(ctx context.Context, tx Tx) error { return c.end(ctx, tx, "T") }

// Abort drops a transaction.
func (c *Conn) Abort(ctx context.Context, tx Tx) error { return c.end(ctx, tx, "F") }

func (c *Conn) end(ctx context.Context, tx Tx, how string) error {
	_, err := c.call(ctx, uint32(tx), opTransactionEnd, how+"\x00")
	return err
}
