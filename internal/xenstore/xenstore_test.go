package xenstore

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// daemon is a xenstored that answers as a script says.
type daemon struct {
	t    *testing.T
	conn net.Conn
}

func start(t *testing.T) (*Conn, daemon) {
	t.Helper()
	ours, theirs := net.Pipe()
	c := New(ours)
	t.Cleanup(func() { theirs.Close(); c.Close() })
	return c, daemon{t, theirs}
}

// expect reads one request and checks it.
func (d daemon) expect(op uint32, payload string) header {
	var h header
	if err := binary.Read(d.conn, binary.LittleEndian, &h); err != nil {
		d.t.Errorf("cannot read request: %v", err)
		return h
	}
	b := make([]byte, h.Len)
	if _, err := io.ReadFull(d.conn, b); err != nil {
		d.t.Errorf("cannot read request: %v", err)
	}
	if h.Type != op || string(b) != payload {
		d.t.Errorf("request is %d %q, want %d %q", h.Type, b, op, payload)
	}
	return h
}

func (d daemon) send(h header, payload string) {
	h.Len = uint32(len(payload))
	msg, _ := binary.Append(nil, binary.LittleEndian, h)
	_, _ = d.conn.Write(append(msg, payload...))
}

func ctx(t *testing.T) context.Context {
	t.Helper()
	c, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	return c
}

func TestReadReturnsTheValue(t *testing.T) {
	c, d := start(t)
	go func() {
		h := d.expect(opRead, "/local/domain/0/name\x00")
		d.send(h, "Domain-0")
	}()
	if v, err := c.Read(ctx(t), 0, "/local/domain/0/name"); err != nil || v != "Domain-0" {
		t.Errorf("Read = %q, %v", v, err)
	}
}

func TestErrorsAreCodes(t *testing.T) {
	c, d := start(t)
	go func() {
		h := d.expect(opRead, "/none\x00")
		h.Type = opError
		d.send(h, "ENOENT\x00")
	}()
	if _, err := c.Read(ctx(t), 0, "/none"); !errors.Is(err, ErrNoEntry) {
		t.Errorf("Read of nothing gives %v, want ErrNoEntry", err)
	}
}

func TestTransactionsCarryTheirNumber(t *testing.T) {
	c, d := start(t)
	go func() {
		h := d.expect(opTransactionStart, "\x00")
		d.send(h, "7\x00")
		h = d.expect(opWrite, "/a\x001")
		if h.TxID != 7 {
			t.Errorf("the write carries transaction %d, want 7", h.TxID)
		}
		d.send(h, "OK\x00")
		h = d.expect(opTransactionEnd, "T\x00")
		h.Type = opError
		d.send(h, "EAGAIN\x00")
	}()
	tx, err := c.Begin(ctx(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Write(ctx(t), tx, "/a", "1"); err != nil {
		t.Fatal(err)
	}
	if err := c.Commit(ctx(t), tx); !errors.Is(err, ErrConflict) {
		t.Errorf("Commit = %v, want ErrConflict", err)
	}
}

func TestWatchesFireBetweenAnswers(t *testing.T) {
	c, d := start(t)
	go func() {
		h := d.expect(opWatch, "/w\x00token\x00")
		d.send(header{Type: opWatchEvent}, "/w\x00token\x00")
		d.send(h, "OK\x00")
	}()
	if err := c.Watch(ctx(t), "/w", "token"); err != nil {
		t.Fatal(err)
	}
	if e := <-c.Events(); e != (Event{"/w", "token"}) {
		t.Errorf("event is %v", e)
	}
}

func TestADaemonThatDiesIsAnError(t *testing.T) {
	c, d := start(t)
	go func() {
		d.expect(opRead, "/a\x00")
		d.conn.Close()
	}()
	_, err := c.Read(ctx(t), 0, "/a")
	wantNoAnswer(t, err)
	_, err = c.Read(ctx(t), 0, "/b")
	wantNoAnswer(t, err)
}

func TestADaemonThatIsSilentIsNoAnswer(t *testing.T) {
	c, d := start(t)
	impatient, cancel := context.WithCancel(t.Context())
	go func() {
		d.expect(opRead, "/a\x00")
		cancel()
	}()
	_, err := c.Read(impatient, 0, "/a")
	wantNoAnswer(t, err)
}

// wantNoAnswer wants an error that says nothing of xenstored.
func wantNoAnswer(t *testing.T, err error) {
	t.Helper()
	var wire *WireError
	var answer Error
	if !errors.As(err, &wire) || errors.As(err, &answer) {
		t.Errorf("got %v, want an error of the wire and no answer", err)
	}
}

func TestAnAnswerThatIsNotTheProtocolIsXenstoreds(t *testing.T) {
	c, d := start(t)
	go func() {
		h := d.expect(opRead, "/a\x00")
		h.Type = opWrite
		d.send(h, "OK\x00")
		d.send(d.expect(opTransactionStart, "\x00"), "seven\x00")
	}()
	var answer Error
	if _, err := c.Read(ctx(t), 0, "/a"); !errors.As(err, &answer) {
		t.Errorf("another message: %v", err)
	}
	if _, err := c.Begin(ctx(t)); !errors.As(err, &answer) {
		t.Errorf("a transaction that is no number: %v", err)
	}
}

func TestALyingLengthEndsTheConnection(t *testing.T) {
	c, d := start(t)
	go func() {
		h := d.expect(opRead, "/a\x00")
		h.Len = 1 << 30
		msg, _ := binary.Append(nil, binary.LittleEndian, h)
		_, _ = d.conn.Write(msg)
	}()
	var answer Error
	if _, err := c.Read(ctx(t), 0, "/a"); !errors.As(err, &answer) {
		t.Errorf("a message of a gigabyte: %v, want an answer of xenstored", err)
	}
}
