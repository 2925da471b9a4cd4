package qmp

import (
	"context"
	"fmt"

	goqmp "github.com/digitalocean/go-qemu/qmp"
)

// subscriber is one reader of events; the read loop is its only sender.
type subscriber struct {
	ch chan goqmp.Event
	// forget releases what watches the subscriber's context.
	forget func() bool
}

// Events subscribes to the events from now on. The channel holds
// Options.EventQueue of them; a reader that is slower loses the oldest. The channel
// closes when ctx or the session ends.
func (c *Conn) Events(ctx context.Context) (<-chan goqmp.Event, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return nil, fmt.Errorf("cannot subscribe to QMP events: %w", c.err)
	}
	s := &subscriber{ch: make(chan goqmp.Event, c.opts.EventQueue)}
	s.forget = context.AfterFunc(ctx, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.dropSubscriber(s)
	})
	c.subs[s] = struct{}{}
	return s.ch, nil
}

// dropSubscriber closes a subscriber's channel once. The caller holds c.mu.
func (c *Conn) dropSubscriber(s *subscriber) {
	if _, ok := c.subs[s]; !ok {
		return
	}
	delete(c.subs, s)
	s.forget()
	close(s.ch)
}

func (c *Conn) publish(e goqmp.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for s := range c.subs {
		select {
		case s.ch <- e:
			continue
		default:
		}
		// Full. Only this loop sends, so after taking one there is room.
		select {
		case <-s.ch:
		default:
		}
		s.ch <- e
	}
}
