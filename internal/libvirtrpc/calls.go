package libvirtrpc

import (
	"fmt"
	"maps"
	"slices"
	"sync"
)

// Calls follows a connection and knows which calls are under way. The zero value
// follows a new one. What is no RPC of libvirt is ignored.
type Calls struct {
	mu             sync.Mutex
	sent, answered scanner
	waiting        map[uint32]procedure
}

// Sent takes what the client said. The error is about a call that hands file
// descriptors over, which only a socket of one machine can.
func (c *Calls) Sent(b []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sent.scan(b, func(m message) error {
		switch m.word(wordType) {
		case typeCallWithFDs:
			return handsOver(m)
		case typeCall:
			if c.waiting == nil {
				c.waiting = map[uint32]procedure{}
			}
			c.waiting[m.word(wordSerial)] = m.procedure()
		}
		return nil
	})
}

// Answered takes what the daemon said. The error is about a reply that hands file
// descriptors over.
func (c *Calls) Answered(b []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.answered.scan(b, func(m message) error {
		switch m.word(wordType) {
		case typeReplyWithFDs:
			return handsOver(m)
		case typeReply:
			delete(c.waiting, m.word(wordSerial))
		}
		return nil
	})
}

func handsOver(m message) error {
	return fmt.Errorf("cannot relay %s: it hands file descriptors over, which do not leave a machine", m.procedure())
}

// Unanswered are the names of the calls under way, oldest first.
func (c *Calls) Unanswered() (names []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, serial := range slices.Sorted(maps.Keys(c.waiting)) {
		names = append(names, c.waiting[serial].String())
	}
	return names
}

// scanner finds the headers in one direction of a connection.
type scanner struct {
	header message
	skip   int
	lost   bool
}

func (s *scanner) scan(b []byte, found func(message) error) error {
	for len(b) > 0 && !s.lost {
		if s.skip > 0 {
			n := min(s.skip, len(b))
			s.skip -= n
			b = b[n:]
			continue
		}
		n := min(headerLen-len(s.header), len(b))
		s.header = append(s.header, b[:n]...)
		b = b[n:]
		if len(s.header) < headerLen {
			return nil
		}
		if s.lost = s.header.check() != nil; s.lost {
			return nil
		}
		if err := found(s.header); err != nil {
			return err
		}
		s.skip = int(s.header.word(wordLength)) - headerLen
		s.header = s.header[:0]
	}
	return nil
}
