// Package qmp speaks the QEMU Machine Protocol over any byte stream.
//
// Conn is a transport for github.com/digitalocean/go-qemu: it implements that
// module's qmp.Monitor, so qemu.NewDomain works on it. It exists because the
// module's own socket loses replies (over 64 KiB, after an early event), hands
// out memory that it overwrites, and has no deadline anywhere.
//
// The peer is not trusted: the size of a message, the events that wait for a
// reader and what reaches the transcript are all bounded or escaped.
package qmp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	goqmp "github.com/digitalocean/go-qemu/qmp"
)

// Why a connection ended. The error of every command that was waiting, or that
// comes later, wraps one of these.
var (
	// ErrClosed: our side closed the connection.
	ErrClosed = errors.New("the QMP connection is closed")
	// ErrGone: the other side did, or the transport broke.
	ErrGone = errors.New("QEMU is gone")
	// ErrProtocol: the peer sent something that is not QMP.
	ErrProtocol = errors.New("the peer does not speak QMP")
)

const (
	// defaultMaxMessage leaves room for query-qmp-schema (some 200 KiB) and
	// for block graphs of thousands of nodes.
	defaultMaxMessage = 64 << 20
	defaultEventQueue = 256
	defaultRunTimeout = time.Minute
)

// Options of a connection. The zero value is usable.
type Options struct {
	// Transcript receives one line of JSON per message and direction; nil
	// keeps none. It is not written to after Close has returned.
	Transcript File
	// EventQueue is how many events wait for each subscriber before the
	// oldest is dropped; 0 means 256.
	EventQueue int
	// MaxMessage is the largest message accepted, in bytes; 0 means 64 MiB.
	MaxMessage int64
	// RunTimeout bounds each call of Run, whose signature has no context; 0
	// means one minute.
	RunTimeout time.Duration
}

func (o Options) withDefaults() Options {
	if o.EventQueue <= 0 {
		o.EventQueue = defaultEventQueue
	}
	if o.MaxMessage <= 0 {
		o.MaxMessage = defaultMaxMessage
	}
	if o.RunTimeout <= 0 {
		o.RunTimeout = defaultRunTimeout
	}
	return o
}

// Greeting is what QEMU says of itself when a client connects.
type Greeting struct {
	Major, Minor, Micro int
	// Package is the vendor's version: "Debian 1:7.2+dfsg-7+deb12u13".
	Package string
	// Capabilities are those offered; none is negotiated.
	Capabilities []string
}

// String returns the version as "MAJOR.MINOR.MICRO".
func (g Greeting) String() string { return fmt.Sprintf("%d.%d.%d", g.Major, g.Minor, g.Micro) }

// Conn is one open QMP session. It is safe for use by several goroutines.
type Conn struct {
	rwc        io.ReadWriteCloser
	opts       Options
	transcript *transcript
	greeting   Greeting
	out        chan []byte
	done       chan struct{}

	mu      sync.Mutex
	err     error // why done is closed
	lastID  uint64
	pending map[string]chan message
	subs    map[*subscriber]struct{}
}

var _ goqmp.Monitor = (*Conn)(nil)

// New reads the greeting from rwc and negotiates capabilities, within ctx. It
// takes ownership of rwc, also when it fails. Closing rwc must end a blocked
// Read or Write on it, as it does for a net.Conn.
func New(ctx context.Context, rwc io.ReadWriteCloser, opts Options) (*Conn, error) {
	opts = opts.withDefaults()
	c := &Conn{
		rwc:        rwc,
		opts:       opts,
		transcript: &transcript{f: opts.Transcript},
		out:        make(chan []byte),
		done:       make(chan struct{}),
		pending:    map[string]chan message{},
		subs:       map[*subscriber]struct{}{},
	}
	greeting := make(chan Greeting, 1)
	go c.read(greeting)
	go c.write()
	if err := c.handshake(ctx, greeting); err != nil {
		// The handshake's error says more than a failure to close would.
		_ = c.Close()
		return nil, fmt.Errorf("cannot open QMP session: %w", err)
	}
	return c, nil
}

func (c *Conn) handshake(ctx context.Context, greeting <-chan Greeting) error {
	select {
	case c.greeting = <-greeting:
	case <-c.done:
		return c.reason()
	case <-ctx.Done():
		return fmt.Errorf("no greeting, does another client hold the socket? (QEMU serves one at a time): %w", ctx.Err())
	}
	return c.Do(ctx, "qmp_capabilities", nil, nil)
}

// Greeting returns the versions that QEMU announced.
func (c *Conn) Greeting() Greeting { return c.greeting }

// Connect exists for go-qemu's Monitor: New has connected already. It returns
// why the session ended when it has.
func (c *Conn) Connect() error { return c.reason() }

// Disconnect is Close, for go-qemu's Monitor.
func (c *Conn) Disconnect() error { return c.Close() }

// Close ends the session: waiting commands return ErrClosed and event channels
// close. It returns the first error of writing the transcript, if there was
// one. A second Close is harmless.
func (c *Conn) Close() error {
	c.fail(ErrClosed)
	return c.transcript.close()
}

// reason returns why the session ended, nil while it is open.
func (c *Conn) reason() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// fail ends the session for the given reason, unless it has ended. Waiters are
// told first: closing the stream may take a moment.
func (c *Conn) fail(reason error) {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return
	}
	c.err = reason
	close(c.done)
	for s := range c.subs {
		c.dropSubscriber(s)
	}
	c.mu.Unlock()
	// Nothing can be done about a stream that does not close cleanly, and the
	// session's reason is already known.
	_ = c.rwc.Close()
}

// write is the only writer to the stream. A command whose context ends while
// it is being written is written to its end, so that none is ever torn.
func (c *Conn) write() {
	for {
		select {
		case <-c.done:
			return
		case line := <-c.out:
			c.transcript.message(sent, line)
			if _, err := c.rwc.Write(append(line, '\n')); err != nil {
				c.fail(fmt.Errorf("%w: cannot send to it: %w", ErrGone, err))
				return
			}
		}
	}
}

// read is the only reader of the stream. It never waits for a consumer.
func (c *Conn) read(greeting chan<- Greeting) {
	c.fail(c.messages(greeting))
}

func (c *Conn) messages(greeting chan<- Greeting) error {
	limit := &limitReader{r: c.rwc}
	dec := json.NewDecoder(limit)
	for greeted := false; ; {
		limit.until = dec.InputOffset() + c.opts.MaxMessage
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return c.readError(dec, err)
		}
		c.transcript.message(received, raw)
		var m message
		if err := json.Unmarshal(raw, &m); err != nil {
			return fmt.Errorf("%w: it sent %s: %w", ErrProtocol, excerpt(raw), err)
		}
		m.raw = raw
		// QEMU may announce that it runs before it greets, when its monitor is
		// connected in that moment (seen in 7.2, in others since 4.0).
		if !greeted && m.Event == "" {
			if m.QMP == nil {
				return fmt.Errorf("%w: it sent %s instead of a greeting", ErrProtocol, excerpt(raw))
			}
			greeted = true
			greeting <- m.QMP.greeting()
			continue
		}
		if err := c.dispatch(m); err != nil {
			return err
		}
	}
}

// readError tells a broken stream from a peer that sent garbage.
func (c *Conn) readError(dec *json.Decoder, err error) error {
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		head, _ := io.ReadAll(io.LimitReader(dec.Buffered(), 2*excerptSize))
		head = bytes.TrimSpace(head)
		c.transcript.garbage(head)
		return fmt.Errorf("%w: it sent invalid JSON: %s: %w", ErrProtocol, excerpt(head), err)
	case errors.Is(err, errTooLarge):
		return fmt.Errorf("%w: it sent a message of more than %d bytes", ErrProtocol, c.opts.MaxMessage)
	case errors.Is(err, io.EOF):
		return fmt.Errorf("%w: it closed the QMP connection: %w", ErrGone, err)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: it closed the QMP connection in the middle of a message: %w", ErrGone, err)
	}
	return fmt.Errorf("%w: cannot receive from it: %w", ErrGone, err)
}

// dispatch hands a message to the command or the subscribers it is for.
func (c *Conn) dispatch(m message) error {
	if m.Event != "" {
		var e goqmp.Event
		if err := json.Unmarshal(m.raw, &e); err != nil {
			return fmt.Errorf("%w: it sent the event %s: %w", ErrProtocol, excerpt(m.raw), err)
		}
		c.publish(e)
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	waiter, ok := c.pending[m.ID]
	if !ok {
		if c.issued(m.ID) {
			return nil // the reply to a command that gave up waiting
		}
		return fmt.Errorf("%w: it sent a reply to no command of ours: %s", ErrProtocol, excerpt(m.raw))
	}
	delete(c.pending, m.ID)
	waiter <- m
	return nil
}
