package libvirtrpc

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
)

// Proxy stands between clients and a daemon and applies faults to what they say.
// The zero value lets everything pass. Faults come and go at any time, also while a
// call is under way.
type Proxy struct {
	mu       sync.Mutex
	injected []*Injection
	// last are the payloads of the last good replies.
	last map[procedure][]byte
}

// Injection is a fault that a proxy applies.
type Injection struct {
	Fault Fault
	proxy *Proxy
	// target is the procedure that the fault is about, the zero value for any.
	target procedure

	applied int
	err     error
}

// Inject applies a fault from now on. The error says why it cannot be applied to
// anything.
func (p *Proxy) Inject(f Fault) (*Injection, error) {
	i := &Injection{Fault: f, proxy: p}
	var err error
	if f.target != "" {
		i.target, err = lookup(f.target)
	}
	if err == nil && f.target != "" && (f.on == typeEvent) != (procedures().answers[i.target] == isEvent) {
		err = fmt.Errorf("%s is not of that kind", f.target)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot inject %s: %w", f, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.injected = append(p.injected, i)
	return i, nil
}

// Applied is how often the fault was applied. The error says why a message that it
// was meant for passed unharmed.
func (i *Injection) Applied() (int, error) {
	i.proxy.mu.Lock()
	defer i.proxy.mu.Unlock()
	return i.applied, i.err
}

// Remove ends the fault: what comes later passes.
func (i *Injection) Remove() {
	i.proxy.mu.Lock()
	defer i.proxy.mu.Unlock()
	i.proxy.injected = slices.DeleteFunc(i.proxy.injected, func(other *Injection) bool { return other == i })
}

// decide returns what the first fault that applies to the message does in its
// place, nil when it passes.
func (p *Proxy) decide(w *wire, m message) func() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if m.word(wordType) == typeReply && m.word(wordStatus) == statusOK {
		if p.last == nil {
			p.last = map[procedure][]byte{}
		}
		p.last[m.procedure()] = bytes.Clone(m.payload())
	}
	for _, i := range p.injected {
		if m.word(wordType) != i.Fault.on || i.Fault.target != "" && m.procedure() != i.target {
			continue
		}
		do, err := i.Fault.decide(w, m)
		if err != nil {
			i.err = fmt.Errorf("cannot apply %s: %w", i.Fault, err)
		}
		if do != nil {
			i.applied++
			return do
		}
	}
	return nil
}

// Wrap returns the connection to a daemon with the proxy before it, which then owns
// it. It must be new: messages are told apart from the first byte on.
func (p *Proxy) Wrap(daemon net.Conn) net.Conn {
	w := &wire{Conn: daemon, proxy: p}
	w.sent, w.calls = io.Pipe()
	w.replies, w.said = io.Pipe()
	go w.carryCalls()
	go w.carryReplies()
	return w
}

// wire is a connection to a daemon with a proxy before it.
type wire struct {
	// Conn is the daemon's.
	net.Conn
	proxy *Proxy
	// The client's calls go into calls and are read from sent; what it is to be told
	// goes into said and is read from replies.
	sent    *io.PipeReader
	calls   *io.PipeWriter
	replies *io.PipeReader
	said    *io.PipeWriter
}

// Read reads what the client is told.
func (w *wire) Read(b []byte) (int, error) { return w.replies.Read(b) }

// Write takes what the client says.
func (w *wire) Write(b []byte) (int, error) { return w.calls.Write(b) }

// CloseWrite says that the client has said all.
func (w *wire) CloseWrite() error { return w.calls.Close() }

// Close ends both directions.
func (w *wire) Close() error {
	w.calls.Close()
	w.replies.Close()
	return w.Conn.Close()
}

func (w *wire) carryCalls() {
	err := each(w.sent, func(m message) error {
		if do := w.proxy.decide(w, m); do != nil {
			do()
			return nil
		}
		_, err := w.Conn.Write(m)
		return err
	})
	w.sent.CloseWithError(err)
	if half, ok := w.Conn.(interface{ CloseWrite() error }); ok && errors.Is(err, io.EOF) {
		_ = half.CloseWrite()
	}
}

func (w *wire) carryReplies() {
	err := each(w.Conn, func(m message) error {
		if do := w.proxy.decide(w, m); do != nil {
			do()
			return nil
		}
		_, err := w.said.Write(m)
		return err
	})
	w.said.CloseWithError(err)
}

// tell says something to the client. One that has gone need not hear it.
func (w *wire) tell(m message) { _, _ = w.said.Write(m) }

// hangUp ends the connection as if the daemon had.
func (w *wire) hangUp() { w.said.Close() }
