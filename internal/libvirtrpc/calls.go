package libvirtrpc

import (
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

// Sent takes what the client said.
func (c *Calls) Sent(b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sent.scan(b, func(m message) {
		if t := m.word(wordType); t != typeCall && t != typeCallWithFDs {
			return
		}
		if c.waiting == nil {
			c.waiting = map[uint32]procedure{}
		}
		c.waiting[m.word(wordSerial)] = m.procedure()
	})
}

// Answered takes what the daemon said.
func (c *Calls) Answered(b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answered.scan(b, func(m message) {
		if t := m.word(wordType); t == typeReply || t == typeReplyWithFDs {
			delete(c.waiting, m.word(wordSerial))
		}
	})
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

func (s *scanner) scan(b []byte, found func(message)) {
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
			return
		}
		if s.lost = s.header.check() != nil; s.lost {
			return
		}
		found(s.header)
		s.skip = int(s.header.word(wordLength)) - headerLen
		s.header = s.header[:0]
	}
}
