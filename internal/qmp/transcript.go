package qmp

import (
	"bytes"
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

// What is kept of a transcript, in bytes: its first and its last part, and of each
// message that is larger than maxTranscribed only the start. An emulator may speak
// without end. Between the two parts a line says how much is left out.
const (
	maxTranscribed = 256 << 10
	firstPart      = 1 << 20
	lastPart       = 2 << 20
)

// File keeps a transcript; an *os.File does, open for reading and writing, and
// empty.
type File interface {
	io.ReaderAt
	io.WriterAt
	Truncate(size int64) error
}

// entry is one line of a transcript. Message is absent when the message is too
// large or not JSON; then Text quotes its start.
type entry struct {
	Time    time.Time       `json:"time"`
	Dir     direction       `json:"dir,omitempty"`
	Message json.RawMessage `json:"message,omitempty"`
	Bytes   int             `json:"bytes,omitempty"`
	Text    string          `json:"text,omitempty"`
	// LeftOut counts the bytes of the transcript that were here.
	LeftOut int64 `json:"left_out,omitempty"`
}

// transcript writes entries as lines of pure ASCII, so that a terminal that
// prints them cannot be taken over by what a guest or its QEMU put there.
type transcript struct {
	mu  sync.Mutex
	f   File  // nil: nothing is kept
	err error // the first failed write
	// size is that of the file, first that of its first part, and leftOut what is
	// left out after that.
	size, first, leftOut int64
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
	if t.f == nil {
		return
	}
	err := t.write(e)
	if err == nil && t.size <= firstPart {
		t.first = t.size
	}
	if err == nil && t.size > t.first+2*lastPart {
		err = t.shorten()
	}
	if err != nil {
		t.err = fmt.Errorf("cannot write QMP transcript: %w", err)
		t.f = nil
	}
}

func (t *transcript) write(e entry) error {
	e.Time = time.Now().UTC()
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return t.append(append(ascii(line), '\n'))
}

func (t *transcript) append(text []byte) error {
	n, err := t.f.WriteAt(text, t.size)
	t.size += int64(n)
	return err
}

// shorten leaves out what is between the first part and the last whole lines.
func (t *transcript) shorten() error {
	last := make([]byte, lastPart)
	if _, err := t.f.ReadAt(last, t.size-lastPart); err != nil {
		return err
	}
	last = last[bytes.IndexByte(last, '\n')+1:]
	t.leftOut += t.size - t.first - int64(len(last))
	t.size = t.first
	if err := t.write(entry{LeftOut: t.leftOut}); err != nil {
		return err
	}
	if err := t.append(last); err != nil {
		return err
	}
	return t.f.Truncate(t.size)
}

// close stops the transcript and returns its first error, once.
func (t *transcript) close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.f = nil
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
