package agent

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"
)

// helloPrefix and answerPrefix frame the start of a session on the port. A
// port outlives sessions, so both ends find the beginning by a fresh nonce.
const (
	helloPrefix  = "virtmatrix-hello "
	answerPrefix = "virtmatrix-agent "
)

// greet says hello and waits for the answer to it. Nothing else that comes is an
// answer: the port may hold what was meant for a harness before.
func greet(w io.Writer, r *bufio.Reader) error {
	var raw [8]byte
	_, _ = rand.Read(raw[:])
	nonce := hex.EncodeToString(raw[:])
	// Twice, because the first may come to the agent in two halves, of which a
	// session that has not noticed its end takes one. The version line of SSH
	// may have other lines before it (RFC 4253, 4.2).
	hello := "\n" + helloPrefix + nonce + "\n"
	if _, err := io.WriteString(w, hello+hello); err != nil {
		return err
	}
	for {
		line, err := r.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
		if strings.TrimSpace(string(line)) == answerPrefix+nonce {
			return nil
		}
	}
}

// idle is how often a port is asked whether a harness has come.
const idle = 20 * time.Millisecond

// Listen answers one harness after another on a port that outlives them all. The
// port reads as io.EOF while no harness is connected. Listen returns when the
// port fails in any other way.
func (s *Server) Listen(port io.ReadWriter) error {
	w := &wire{port: port, r: bufio.NewReader(port)}
	for {
		nonce, err := w.awaitHello()
		if err != nil {
			return fmt.Errorf("cannot await harness: %w", err)
		}
		one := &session{wire: w, nonce: nonce}
		// A session that breaks is the harness's to notice; the next may come.
		_ = s.serve(one)
		one.Close()
	}
}

// Answer answers the one harness at the other end of a connection, and returns
// when that has gone.
func (s *Server) Answer(conn net.Conn) error { return s.Listen(ending{conn}) }

// ending is a connection whose end is not that of one harness among others.
type ending struct{ net.Conn }

func (e ending) Read(b []byte) (int, error) {
	n, err := e.Conn.Read(b)
	if errors.Is(err, io.EOF) {
		err = errGone
	}
	return n, err
}

var errGone = errors.New("the harness has gone")

// wire is a port with what was read of it and belongs to nobody yet.
type wire struct {
	port    io.Writer
	reading sync.Mutex
	r       *bufio.Reader
	writing sync.Mutex
}

// awaitHello reads until a harness greets, answers it and returns its nonce.
func (w *wire) awaitHello() (string, error) {
	w.reading.Lock()
	defer w.reading.Unlock()
	for {
		line, err := w.r.ReadSlice('\n')
		switch {
		case errors.Is(err, io.EOF):
			time.Sleep(idle)
			continue
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return "", err
		}
		nonce, ok := strings.CutPrefix(strings.TrimSpace(string(line)), helloPrefix)
		if !ok {
			continue
		}
		w.writing.Lock()
		defer w.writing.Unlock()
		// On a line of its own: half a packet for the harness before may be there.
		_, err = fmt.Fprintf(w.port, "\n%s%s\n", answerPrefix, nonce)
		return nonce, err
	}
}

// session is the wire for the time of one harness. It ends when the harness is
// gone, and when the next one greets: between the two the port may not have
// been looked at.
type session struct {
	net.Conn
	wire  *wire
	nonce string
	mu    sync.Mutex
	over  bool
}

func (s *session) ended() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.over
}

// Close takes the wire from the session. What it still wants to write is lost,
// because it would be read by the next harness.
func (s *session) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	return nil
}

// Read leaves on the wire what belongs to the next session.
func (s *session) Read(b []byte) (int, error) {
	s.wire.reading.Lock()
	defer s.wire.reading.Unlock()
	r := s.wire.r
	if _, err := r.Peek(1); err != nil {
		return 0, err
	}
	if s.ended() {
		return 0, net.ErrClosed
	}
	there, err := r.Peek(r.Buffered())
	if err != nil {
		return 0, err
	}
	mine := s.untilNextHello(there)
	if mine == 0 {
		return 0, io.EOF
	}
	return r.Read(b[:min(len(b), mine)])
}

// untilNextHello is how many of the bytes come before another harness's hello.
func (s *session) untilNextHello(there []byte) int {
	for from := 0; ; {
		at := bytes.Index(there[from:], []byte("\n"+helloPrefix))
		if at < 0 {
			return len(there)
		}
		at += from
		from = at + len("\n"+helloPrefix)
		nonce := there[from:min(len(there), from+len(s.nonce))]
		if !strings.HasPrefix(s.nonce, string(nonce)) {
			return at
		}
	}
}

func (s *session) Write(b []byte) (int, error) {
	s.wire.writing.Lock()
	defer s.wire.writing.Unlock()
	if s.ended() {
		return 0, net.ErrClosed
	}
	return s.wire.port.Write(b)
}

func (s *session) LocalAddr() net.Addr  { return &net.UnixAddr{Name: "agent", Net: "virtio"} }
func (s *session) RemoteAddr() net.Addr { return &net.UnixAddr{Name: "harness", Net: "virtio"} }
