package qmp

import (
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

type direction string

const (
	sent     direction = "sent"
	received direction = "received"
)

// maxTranscribed is the largest message that is kept whole.
const maxTranscribed = 1 << 20

// entry is one line of a transcript. Message is absent when the message is too
// large or not JSON; then Text quotes its start.
type entry struct {
	Time    time.Time       `json:"time"`
	Dir     direction       `json:"dir"`
	Message json.RawMessage `json:"message,omitempty"`
	Bytes   int             `json:"bytes,omitempty"`
	Text    string          `json:"text,omitempty"`
}

// transcript writes entries as lines of pure ASCII, so that a terminal that
// prints them cannot be taken over by what a guest or its QEMU put there.
type transcript struct {
	mu  sync.Mutex
	w   io.Writer // nil: nothing is kept
	err error     // the first failed write
}

func (t *transcript) message(dir direction, msg []byte) {
	e := entry{Dir: dir, Message: msg}
	if len(msg) > maxTranscribed {
		e = entry{Dir: dir, Bytes: len(msg), Text: string(msg[:excerptSize])}
	}
	t.add(e)
}

func (t *transcript) garbage(head []byte) {
	t.add(entry{Dir: received, Text: string(head)})
}

func (t *transcript) add(e entry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.w == nil {
		return
	}
	e.Time = time.Now().UTC()
	line, err := json.Marshal(e)
	if err == nil {
		_, err = t.w.Write(append(ascii(line), '\n'))
	}
	if err != nil {
		t.err = fmt.Errorf("cannot write QMP transcript: %w", err)
		t.w = nil
	}
}

// close stops the transcript and returns its first error, once.
func (t *transcript) close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.w = nil
	err := t.err
	t.err = nil
	return err
}

// ascii rewrites JSON text without any byte outside printable ASCII. Such bytes
// occur only inside strings, where an escape means the same.
func ascii(in []byte) []byte {
	out := make([]byte, 0, len(in))
	for len(in) > 0 {
		r, size := utf8.DecodeRune(in)
		in = in[size:]
		switch {
		case r < 0x7f:
			out = append(out, byte(r))
		case r > 0xffff:
			hi, lo := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, hi, lo)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
	}
	return out
}
