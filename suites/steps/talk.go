package steps

import (
	"io"
	"sync"
	"time"

	"libvirt.org/go/libvirt"
)

// Over returns the domain's guest as it is spoken to through a stream of libvirt, which
// open attaches to the guest. The stream has a connection of its own.
func (d *Domain) Over(what string, open func(d *libvirt.Domain, s *libvirt.Stream) error) *Guest {
	t := d.t
	conn := t.NewConnection()
	via := conn.Lookup(d.Name)
	s := Get(t, "make a stream", func() (*libvirt.Stream, error) { return conn.Raw.NewStream(libvirt.STREAM_NONBLOCK) })
	t.Cleanup(func() { _ = s.Free() })
	t.Do(what, func() error { return open(via.Raw, s) })
	talk := &talk{s: s}
	g := &Guest{t: t, Name: d.Name, Token: d.Token, Domain: d, log: t.watchGuest(d).log}
	g.dial = func() (io.ReadWriteCloser, error) { return talk, nil }
	g.WaitReady()
	return g
}

// HungUp says whether the guest's end of the conversation is closed.
func (g *Guest) HungUp() bool {
	select {
	case <-g.client.Ended():
		return true
	default:
		return false
	}
}

// Told is what the guest told of itself unasked, oldest first.
func (g *Guest) Told() []string { return g.client.Events() }

// talk is a conversation through a stream that does not block: one that is closed while
// it blocks takes its connection with it.
type talk struct {
	s      *libvirt.Stream
	mu     sync.Mutex
	closed bool
}

// streamPoll is how often a stream that had nothing is looked at.
const streamPoll = 20 * time.Millisecond

// again calls until the stream is ready (libvirt says so by -2), closed or broken.
func (k *talk) again(p []byte, call func([]byte) (int, error)) (int, error) {
	poll := time.NewTicker(streamPoll)
	defer poll.Stop()
	for {
		k.mu.Lock()
		n, err := 0, io.EOF
		if !k.closed {
			n, err = call(p)
		}
		k.mu.Unlock()
		if n >= 0 || err != nil {
			return max(n, 0), err
		}
		<-poll.C
	}
}

// Read reads what came from the guest.
func (k *talk) Read(p []byte) (int, error) { return k.again(p, k.s.Recv) }

// Write sends all of p to the guest.
func (k *talk) Write(p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var sent int
		sent, err = k.again(p[n:], k.s.Send)
		n += sent
	}
	return n, err
}

// Close ends the conversation.
func (k *talk) Close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return nil
	}
	k.closed = true
	return k.s.Abort()
}
