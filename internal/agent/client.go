package agent

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"
)

// MaxOutput is how many bytes of a command's output are kept, for each of
// stdout and stderr; the rest is dropped and counted.
const MaxOutput = 8 << 20

// Client is a connection to the agent of one L1.
type Client struct {
	ssh *ssh.Client
}

// Connect greets the agent on the connection and opens a session. It waits
// until the agent answers or ctx is done. It owns conn, also when it fails.
func Connect(ctx context.Context, conn net.Conn) (*Client, error) {
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	c, err := open(ctx, conn)
	if !stop() && err == nil {
		err = because(ctx, "open agent session", net.ErrClosed)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return c, nil
}

func open(ctx context.Context, conn net.Conn) (*Client, error) {
	r := bufio.NewReader(conn)
	if err := greet(conn, r); err != nil {
		return nil, because(ctx, "greet agent, which does not answer", err)
	}
	cfg := &ssh.ClientConfig{
		User: "root",
		// The wire is private to the emulator process; see NewServer.
		HostKeyCallback: ssh.InsecureIgnoreHostKey(),
	}
	cfg.Ciphers = []string{ssh.CipherChaCha20Poly1305}
	// Emulated, the key exchanges that stand quantum computers take tenths of seconds.
	cfg.KeyExchanges = []string{ssh.KeyExchangeCurve25519}
	c, channels, requests, err := ssh.NewClientConn(bufferedConn{conn, r}, "agent", cfg)
	if err != nil {
		return nil, because(ctx, "open agent session", err)
	}
	return &Client{ssh: ssh.NewClient(c, channels, requests)}, nil
}

func because(ctx context.Context, op string, err error) error {
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return fmt.Errorf("cannot %s: %w", op, err)
}

// bufferedConn is a connection whose first bytes were already buffered.
type bufferedConn struct {
	net.Conn
	r *bufio.Reader
}

func (c bufferedConn) Read(b []byte) (int, error) { return c.r.Read(b) }

// Close ends the session.
func (c *Client) Close() error { return c.ssh.Close() }

// Wait returns when the session has ended, and why.
func (c *Client) Wait() error { return c.ssh.Wait() }

// Result is how a command of L1 ended.
type Result struct {
	Stdout, Stderr []byte
	// Code is the exit status; when a signal ended the command it is 128 plus
	// the signal's number, as in a shell, and Signal holds the name ("KILL").
	Code   int
	Signal string
	// Dropped counts output bytes over MaxOutput.
	Dropped int64
}

// OK says whether the command ended with status 0.
func (r Result) OK() bool { return r.Code == 0 && r.Signal == "" }

// Whole says why the outputs are not all that the command printed, or nil when they
// are. What is parsed of a part is no answer of the command.
func (r Result) Whole() error {
	if r.Dropped == 0 {
		return nil
	}
	return fmt.Errorf("cannot read the whole output of the command: of more than %d MiB the last %d bytes were dropped", MaxOutput>>20, r.Dropped)
}

// Text is both outputs for a person to read.
func (r Result) Text() string {
	text := strings.TrimSpace(strings.TrimSpace(string(r.Stdout)) + "\n" + strings.TrimSpace(string(r.Stderr)))
	if err := r.Whole(); err != nil {
		text += "\n(" + err.Error() + ")"
	}
	return text
}

// Exec runs a shell command in L1. The error is about the connection only; a
// command that failed is in the Result. When ctx ends the command is killed, and
// Exec returns with what it had printed, also when L1 no longer answers.
func (c *Client) Exec(ctx context.Context, command string, stdin io.Reader) (Result, error) {
	var stdout, stderr limited
	err := until(ctx, func() error { return c.run(ctx, command, stdin, &stdout, &stderr) })
	res := Result{Stdout: stdout.kept(), Stderr: stderr.kept(), Dropped: stdout.dropped() + stderr.dropped()}
	var exit *ssh.ExitError
	switch {
	case err == nil:
		return res, nil
	case ctx.Err() == nil && errors.As(err, &exit):
		res.Code, res.Signal = exit.ExitStatus(), exit.Signal()
		return res, nil
	}
	return res, because(ctx, fmt.Sprintf("run %q", abbreviate(command)), err)
}

// until does what an agent may never answer, and waits for its end or that of ctx.
func until(ctx context.Context, do func() error) error {
	ended := make(chan error, 1)
	go func() { ended <- do() }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (c *Client) run(ctx context.Context, command string, stdin io.Reader, stdout, stderr io.Writer) error {
	s, err := c.ssh.NewSession()
	if err != nil {
		return err
	}
	defer s.Close()
	// The agent kills the command when its channel is closed.
	defer context.AfterFunc(ctx, func() { s.Close() })()
	s.Stdout, s.Stderr = stdout, stderr
	if stdin != nil {
		w, err := s.StdinPipe()
		if err != nil {
			return err
		}
		// A command need not read all of its input, or any.
		go func() {
			_, _ = io.Copy(w, stdin)
			w.Close()
		}()
	}
	return s.Run(command)
}

// Ping returns nil when the agent has answered. It answers a request that it does not
// know, too (RFC 4254, 4).
func (c *Client) Ping(ctx context.Context) error {
	err := until(ctx, func() error {
		_, _, err := c.ssh.SendRequest("ping@virtmatrix", true, nil)
		return err
	})
	if err != nil {
		return because(ctx, "reach agent", err)
	}
	return nil
}

func abbreviate(s string) string {
	if len(s) > 120 {
		return s[:117] + "..."
	}
	return s
}

// DialUnix connects to a Unix socket of L1.
func (c *Client) DialUnix(ctx context.Context, path string) (net.Conn, error) {
	conn, err := await(ctx, func() (net.Conn, error) { return c.ssh.Dial("unix", path) })
	if err != nil {
		return nil, fmt.Errorf("cannot connect to %s in L1: %w", path, err)
	}
	return conn, nil
}

// OpenTTY opens a terminal device of L1 in raw mode.
func (c *Client) OpenTTY(ctx context.Context, path string) (io.ReadWriteCloser, error) {
	ch, err := c.openOwn(ctx, channelTTY, ttyRequest{path})
	if err != nil {
		return nil, fmt.Errorf("cannot open terminal %s in L1: %w", path, err)
	}
	return ch, nil
}

// openOwn opens a channel of a type that only this agent has.
func (c *Client) openOwn(ctx context.Context, channel string, payload any) (ssh.Channel, error) {
	return await(ctx, func() (ssh.Channel, error) {
		ch, requests, err := c.ssh.OpenChannel(channel, ssh.Marshal(payload))
		if err == nil {
			go ssh.DiscardRequests(requests)
		}
		return ch, err
	})
}

// Refused says that L1 answered and would not open what it was asked for, as an
// error of DialUnix or OpenTTY tells.
func Refused(err error) bool {
	var no *ssh.OpenChannelError
	return errors.As(err, &no)
}

// await opens something of an agent that may never answer. What is opened too
// late is closed again.
func await[T io.Closer](ctx context.Context, open func() (T, error)) (T, error) {
	type answer struct {
		it  T
		err error
	}
	got := make(chan answer, 1)
	go func() {
		it, err := open()
		got <- answer{it, err}
	}()
	select {
	case a := <-got:
		return a.it, a.err
	case <-ctx.Done():
		go func() {
			if late := <-got; late.err == nil {
				late.it.Close()
			}
		}()
		var none T
		return none, fmt.Errorf("the agent does not answer: %w", context.Cause(ctx))
	}
}

// limited keeps the first MaxOutput bytes that are written to it. It may be read
// while a command that was given up still writes.
type limited struct {
	mu   sync.Mutex
	buf  bytes.Buffer
	over int64
}

func (l *limited) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	room := min(MaxOutput-l.buf.Len(), len(p))
	l.buf.Write(p[:room])
	l.over += int64(len(p) - room)
	return len(p), nil
}

func (l *limited) kept() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Clone(l.buf.Bytes())
}

func (l *limited) dropped() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.over
}
