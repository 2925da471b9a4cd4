package agent

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"golang.org/x/crypto/ssh"
)

// MaxOutput is how many bytes of a command's output are kept, for each of
// stdout and stderr; the rest is dropped and counted.
const MaxOutput = 8 << 20

// helloPrefix and answerPrefix frame the start of a session on the port. A
// port outlives sessions, so both ends find the beginning by a fresh nonce.
const (
	helloPrefix  = "virtmatrix-hello "
	answerPrefix = "virtmatrix-agent "
)

// Client is a connection to the agent of one L1.
type Client struct {
	ssh *ssh.Client
}

// Connect greets the agent on the connection and opens a session. It waits
// until the agent answers or ctx is done; closing conn ends it as well.
func Connect(ctx context.Context, conn net.Conn) (*Client, error) {
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	r := bufio.NewReader(conn)
	if err := greet(conn, r); err != nil {
		return nil, because(ctx, "greet agent", err)
	}
	cfg := &ssh.ClientConfig{
		User: "root",
		// The wire is private to the emulator process; see NewServer.
		HostKeyCallback: ssh.InsecureIgnoreHostKey(),
	}
	cfg.Ciphers = []string{ssh.CipherChaCha20Poly1305}
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

func greet(w io.Writer, r *bufio.Reader) error {
	var raw [8]byte
	_, _ = rand.Read(raw[:])
	nonce := hex.EncodeToString(raw[:])
	if _, err := fmt.Fprintf(w, "\n%s%s\n", helloPrefix, nonce); err != nil {
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

// AwaitHello reads the port until a harness greets, and answers it.
func AwaitHello(rw io.ReadWriter, r *bufio.Reader) error {
	for {
		line, err := r.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
		if nonce, ok := strings.CutPrefix(strings.TrimSpace(string(line)), helloPrefix); ok {
			_, err := fmt.Fprintf(rw, "%s%s\n", answerPrefix, nonce)
			return err
		}
	}
}

// bufferedConn is a connection whose first bytes were already buffered.
type bufferedConn struct {
	net.Conn
	r *bufio.Reader
}

func (c bufferedConn) Read(b []byte) (int, error) { return c.r.Read(b) }

// Close ends the session.
func (c *Client) Close() error { return c.ssh.Close() }

// Wait returns when the connection has ended.
func (c *Client) Wait() error { return c.ssh.Wait() }

// Result is how a command of L1 ended.
type Result struct {
	Stdout, Stderr []byte
	// Code is the exit status; 128 plus the signal's number is never used:
	// Signal holds the name ("KILL") when a signal ended the command.
	Code   int
	Signal string
	// Dropped counts output bytes over MaxOutput.
	Dropped int64
}

// OK says whether the command ended with status 0.
func (r Result) OK() bool { return r.Code == 0 && r.Signal == "" }

// Text is both outputs for a person to read.
func (r Result) Text() string {
	return strings.TrimSpace(strings.TrimSpace(string(r.Stdout)) + "\n" + strings.TrimSpace(string(r.Stderr)))
}

// Exec runs a shell command in L1. The error is about the connection only; a
// command that failed is in the Result. When ctx ends the command is killed.
func (c *Client) Exec(ctx context.Context, command string, stdin io.Reader) (Result, error) {
	s, err := c.ssh.NewSession()
	if err != nil {
		return Result{}, because(ctx, "open session for command", err)
	}
	defer s.Close()
	stop := context.AfterFunc(ctx, func() { s.Close() })
	defer stop()
	var stdout, stderr limited
	s.Stdout, s.Stderr, s.Stdin = &stdout, &stderr, stdin
	err = s.Run(command)
	res := Result{Stdout: stdout.Bytes(), Stderr: stderr.Bytes(), Dropped: stdout.dropped + stderr.dropped}
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

func abbreviate(s string) string {
	if len(s) > 120 {
		return s[:117] + "..."
	}
	return s
}

// DialUnix connects to a Unix socket of L1.
func (c *Client) DialUnix(path string) (net.Conn, error) {
	conn, err := c.ssh.Dial("unix", path)
	if err != nil {
		return nil, fmt.Errorf("cannot connect to %s in L1: %w", path, err)
	}
	return conn, nil
}

// OpenTTY opens a terminal device of L1 in raw mode.
func (c *Client) OpenTTY(path string) (io.ReadWriteCloser, error) {
	ch, requests, err := c.ssh.OpenChannel(channelTTY, ssh.Marshal(ttyRequest{path}))
	if err != nil {
		return nil, fmt.Errorf("cannot open terminal %s in L1: %w", path, err)
	}
	go ssh.DiscardRequests(requests)
	return ch, nil
}

// limited keeps the first MaxOutput bytes that are written to it.
type limited struct {
	bytes.Buffer
	dropped int64
}

func (l *limited) Write(p []byte) (int, error) {
	room := MaxOutput - l.Len()
	if room >= len(p) {
		return l.Buffer.Write(p)
	}
	l.dropped += int64(len(p) - room)
	l.Buffer.Write(p[:room])
	return len(p), nil
}
