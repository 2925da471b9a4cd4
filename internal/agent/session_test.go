package agent

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// valve is an agent's end of a connection that can stop to take part.
type valve struct {
	net.Conn
	mu   sync.Mutex
	shut bool
}

func (v *valve) hang() { v.mu.Lock(); v.shut = true; v.mu.Unlock() }

func (v *valve) Write(b []byte) (int, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.shut {
		return len(b), nil
	}
	return v.Conn.Write(b)
}

func hangingAgent(t *testing.T) (net.Conn, *valve) {
	t.Helper()
	server, err := NewServer()
	if err != nil {
		t.Fatal(err)
	}
	l0, l1 := socketPair(t)
	v := &valve{Conn: l1}
	go func() { _ = server.Listen(v) }()
	t.Cleanup(func() { l1.Close() })
	return l0, v
}

func echoes(t *testing.T, c *Client, word string) {
	t.Helper()
	if got, err := c.Exec(within(t), "echo "+word, nil); err != nil || got.Text() != word {
		t.Errorf("echo %s: %+v, %v", word, got, err)
	}
}

func TestAnotherSessionCanFollow(t *testing.T) {
	port := startAgent(t)
	for i := range 5 {
		c := connect(t, port.plug(t))
		echoes(t, c, fmt.Sprint("session-", i))
		c.Close()
	}
}

// A restored host has a session of a harness that is gone; the port shows no end
// of file, and the next harness's hello comes in the middle of that session.
func TestAHelloEndsTheSessionBefore(t *testing.T) {
	port := startAgent(t)
	first := connect(t, port.plug(t))
	echoes(t, first, "first")
	var l0 net.Conn
	l0, l1 := socketPair(t)
	old, _ := port.now()
	// Everything that the old session was sent, and then the new harness.
	port.mu.Lock()
	port.conn = joined{old, l1}
	port.mu.Unlock()
	go first.Close()
	c := connect(t, l0)
	echoes(t, c, "second")
}

// joined reads the one connection to its end and then the other; it writes to
// the other.
type joined struct {
	net.Conn
	next net.Conn
}

func (j joined) Read(b []byte) (int, error) {
	if n, err := j.Conn.Read(b); err == nil {
		return n, nil
	}
	return j.next.Read(b)
}
func (j joined) Write(b []byte) (int, error) { return j.next.Write(b) }
func (j joined) Close() error                { return errors.Join(j.Conn.Close(), j.next.Close()) }

func TestAHelloIsFoundAmidGarbage(t *testing.T) {
	port := startAgent(t)
	conn := port.plug(t)
	garbage := "SSH-2.0-old\r\n\x00\xff\x1b[2J" + strings.Repeat("x", 3*4096) + "\nvirtmatrix-hell\nvirtmatrix-agent 00\n" + "half a line"
	if _, err := io.WriteString(conn, garbage); err != nil {
		t.Fatal(err)
	}
	echoes(t, connect(t, conn), "here")
}

func TestTheAnswerIsFoundAmidGarbage(t *testing.T) {
	l0, l1 := socketPair(t)
	server, err := NewServer()
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		_, _ = io.WriteString(l1, "\x00\x01half a packet"+strings.Repeat("y", 2*4096)+"virtmatrix-agent 0123456789abcdef\nmore")
		_ = server.Listen(l1)
	}()
	echoes(t, connect(t, l0), "here")
}

// lie answers the hello with what it is given instead.
func lie(t *testing.T, answer func(w io.Writer, nonce string)) net.Conn {
	t.Helper()
	l0, l1 := socketPair(t)
	go func() {
		r := bufio.NewReader(l1)
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			if nonce, ok := strings.CutPrefix(strings.TrimSpace(line), helloPrefix); ok {
				answer(l1, nonce)
				_, _ = io.Copy(io.Discard, r)
				return
			}
		}
	}()
	return l0
}

func TestAnAgentThatDoesNotAnswerIsSaidSo(t *testing.T) {
	for name, answer := range map[string]func(w io.Writer, nonce string){
		"silence":        func(io.Writer, string) {},
		"wrong nonce":    func(w io.Writer, _ string) { fmt.Fprintf(w, "%s%s\n", answerPrefix, "0000000000000000") },
		"half an answer": func(w io.Writer, nonce string) { fmt.Fprintf(w, "%s%s", answerPrefix, nonce) },
		"kernel log":     func(w io.Writer, _ string) { fmt.Fprintln(w, "[ 1.0] Linux version 6.1") },
	} {
		cause := errors.New("given up after 1m0s")
		ctx, cancel := context.WithTimeoutCause(context.Background(), 100*time.Millisecond, cause)
		_, err := Connect(ctx, lie(t, answer))
		cancel()
		if !errors.Is(err, cause) || !strings.HasPrefix(err.Error(), "cannot greet agent, which does not answer: ") {
			t.Errorf("%s: Connect = %v, want that it does not answer, and %v", name, err, cause)
		}
	}
}

func TestAnAgentThatLiesIsNoSession(t *testing.T) {
	for name, after := range map[string]string{
		"endless line":  strings.Repeat("z", 1<<20),
		"broken packet": "SSH-2.0-x\r\n" + strings.Repeat("\xff", 100),
	} {
		conn := lie(t, func(w io.Writer, nonce string) {
			fmt.Fprintf(w, "%s%s\n", answerPrefix, nonce)
			_, _ = io.WriteString(w, after)
		})
		if _, err := Connect(within(t), conn); err == nil || !strings.HasPrefix(err.Error(), "cannot open agent session: ") {
			t.Errorf("%s: Connect = %v", name, err)
		}
	}
}

func TestAnAgentThatFallsSilentIsWaitedForUntilTheDeadline(t *testing.T) {
	conn := lie(t, func(w io.Writer, nonce string) {
		fmt.Fprintf(w, "%s%s\n%s", answerPrefix, nonce, strings.Repeat("no version yet\n", 100))
	})
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if _, err := Connect(ctx, conn); !errors.Is(err, context.DeadlineExceeded) || !strings.HasPrefix(err.Error(), "cannot open agent session: ") {
		t.Errorf("Connect = %v", err)
	}
}

func TestAnEndlessLineEndsWithTheContext(t *testing.T) {
	conn := lie(t, func(w io.Writer, _ string) {
		for {
			if _, err := io.WriteString(w, strings.Repeat("w", 4096)); err != nil {
				return
			}
		}
	})
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if _, err := Connect(ctx, conn); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Connect = %v", err)
	}
}

func TestAnAgentThatGoesAwayIsNoDeadline(t *testing.T) {
	l0, l1 := socketPair(t)
	l1.Close()
	if _, err := Connect(within(t), l0); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Connect = %v, want that the connection ended", err)
	}
	if _, err := l0.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Connect left its connection open: %v", err)
	}
}

func TestConnectsLeaveNothingBehind(t *testing.T) {
	port := startAgent(t)
	once := func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		conn := port.plug(t)
		c, err := Connect(ctx, conn)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Exec(ctx, "true", strings.NewReader("x")); err != nil {
			t.Fatal(err)
		}
		_, _ = c.DialUnix(ctx, "/no/such/socket")
		_, _ = c.OpenTTY(ctx, "/dev/null")
		c.Close()
	}
	once()
	files, routines := openFiles(t), goroutines()
	for range 100 {
		once()
	}
	eventually(t, fmt.Sprintf("as few files (%d, now %d) and goroutines (%d, now %d) as before 100 connects",
		files, openFiles(t), routines, goroutines()), func() bool {
		return openFiles(t) <= files+2 && goroutines() <= routines+5
	})
}

func TestAnAgentThatCalledEndsWithItsHarness(t *testing.T) {
	server, err := NewServer()
	if err != nil {
		t.Fatal(err)
	}
	l0, l1 := socketPair(t)
	ended := make(chan error, 1)
	go func() { ended <- server.Answer(l1) }()
	c := connect(t, l0)
	echoes(t, c, "it answers")
	l0.Close()
	select {
	case err := <-ended:
		if !errors.Is(err, errGone) {
			t.Errorf("it ended with %v", err)
		}
	case <-within(t).Done():
		t.Error("it waits for another harness")
	}
	if err := c.Wait(); err == nil {
		t.Error("the session has not ended")
	}
}
