package agent

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"
)

// The SSH channel types and requests that the agent answers. The first three
// are standard (RFC 4254, OpenSSH PROTOCOL 2.4); the last opens a terminal
// device of L1 in raw mode. See also channelRestart.
const (
	channelSession = "session"
	channelUnix    = "direct-streamlocal@openssh.com"
	requestExec    = "exec"
	channelTTY     = "tty@virtmatrix"
)

// Server answers the harness on one connection after another.
type Server struct {
	config *ssh.ServerConfig
	// Freshen makes this machine a host of its own; nil refuses to.
	Freshen func(Fresh) error
	// Kick makes each processor take an interrupt; nil refuses to.
	Kick func() error
	// Restart ends a service by a signal and starts it again; nil refuses to.
	Restart func(service string, signal syscall.Signal) error
	// Shell runs a command that is given as its last argument.
	Shell []string
}

// NewServer makes a server with a host key of its own. The channel is a wire
// between L0's emulator and this guest that nothing else can reach, so neither
// end has anything to prove to the other.
func NewServer() (*Server, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("cannot make host key: %w", err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		return nil, fmt.Errorf("cannot use host key: %w", err)
	}
	cfg := &ssh.ServerConfig{NoClientAuth: true, ServerVersion: "SSH-2.0-virtmatrix"}
	cfg.AddHostKey(signer)
	return &Server{config: cfg, Shell: []string{"/bin/sh", "-c"}}, nil
}

// serve speaks SSH on the connection until it ends.
func (s *Server) serve(conn net.Conn) error {
	_, channels, requests, err := ssh.NewServerConn(conn, s.config)
	if err != nil {
		return fmt.Errorf("cannot open session: %w", err)
	}
	go s.serveRequests(requests)
	for ch := range channels {
		switch ch.ChannelType() {
		case channelSession:
			go s.serveSession(ch)
		case channelUnix:
			go serveUnix(ch)
		case channelTTY:
			go serveTTY(ch)
		case channelRestart:
			go s.serveRestart(ch)
		default:
			_ = ch.Reject(ssh.UnknownChannelType, ch.ChannelType())
		}
	}
	return nil
}

func (s *Server) serveSession(nc ssh.NewChannel) {
	ch, requests, err := nc.Accept()
	if err != nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for req := range requests {
		if req.Type != requestExec {
			_ = req.Reply(false, nil)
			continue
		}
		var p struct{ Command string }
		if ssh.Unmarshal(req.Payload, &p) != nil {
			_ = req.Reply(false, nil)
			continue
		}
		_ = req.Reply(true, nil)
		go func() {
			runCommand(ctx, ch, slices.Concat(s.Shell, []string{p.Command}))
			ch.Close()
		}()
	}
	// The client closed the channel: cancel ends a command that still runs.
}

// outputWait bounds how long the output of a command is waited for once it has
// ended: a daemon that it started may hold it open for ever.
const outputWait = 10 * time.Second

// runCommand runs one command in a group of its own and reports how it ended.
func runCommand(ctx context.Context, ch ssh.Channel, argv []string) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = outputWait
	cmd.Dir, cmd.Env = "/", Environment()
	cmd.Stdout, cmd.Stderr = ch, ch.Stderr()
	stdin, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		fmt.Fprintln(ch.Stderr(), "virtmatrix-agent:", err)
		sendStatus(ch, 127)
		return
	}
	go func() {
		_, _ = io.Copy(stdin, ch)
		stdin.Close()
	}()
	_ = cmd.Wait() // how it ended is in its state
	if ws, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		msg := struct {
			Signal string
			Core   bool
			Error  string
			Lang   string
		}{strings.TrimPrefix(unix.SignalName(ws.Signal()), "SIG"), ws.CoreDump(), "", ""}
		_, _ = ch.SendRequest("exit-signal", false, ssh.Marshal(msg))
		return
	}
	sendStatus(ch, uint32(cmd.ProcessState.ExitCode()))
}

func sendStatus(ch ssh.Channel, code uint32) {
	_, _ = ch.SendRequest("exit-status", false, ssh.Marshal(struct{ Code uint32 }{code}))
}

// Environment is what commands and daemons of L1 run with.
func Environment() []string {
	return []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8", "TERM=dumb"}
}

func serveUnix(nc ssh.NewChannel) {
	var p struct {
		Path     string
		Reserved string
		Zero     uint32
	}
	if err := ssh.Unmarshal(nc.ExtraData(), &p); err != nil {
		_ = nc.Reject(ssh.ConnectionFailed, err.Error())
		return
	}
	conn, err := net.Dial("unix", p.Path)
	if err != nil {
		_ = nc.Reject(ssh.ConnectionFailed, err.Error())
		return
	}
	pipe(nc, conn)
}

// ttyRequest is the payload of a terminal channel.
type ttyRequest struct{ Path string }

func serveTTY(nc ssh.NewChannel) {
	var p ttyRequest
	if err := ssh.Unmarshal(nc.ExtraData(), &p); err != nil {
		_ = nc.Reject(ssh.ConnectionFailed, err.Error())
		return
	}
	f, err := openTTY(p.Path)
	if err != nil {
		_ = nc.Reject(ssh.ConnectionFailed, err.Error())
		return
	}
	pipe(nc, f)
}

// openTTY opens a terminal in raw mode. The file stays with Go's poller, which
// Fd would end: closing it must end a read that waits.
func openTTY(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	raw, err := f.SyscallConn()
	if err == nil {
		if failed := raw.Control(func(fd uintptr) { err = makeRaw(int(fd)) }); failed != nil {
			err = failed
		}
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("cannot use %s as terminal: %w", path, err)
	}
	return f, nil
}

func makeRaw(fd int) error {
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return err
	}
	t.Iflag, t.Oflag, t.Lflag = 0, 0, 0
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	return unix.IoctlSetTermios(fd, unix.TCSETS, t)
}

// pipe joins a new channel and a stream until either ends.
func pipe(nc ssh.NewChannel, rw io.ReadWriteCloser) {
	defer rw.Close()
	ch, requests, err := nc.Accept()
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	go func() {
		_, _ = io.Copy(rw, ch)
		if c, ok := rw.(interface{ CloseWrite() error }); ok {
			_ = c.CloseWrite()
		} else {
			rw.Close()
		}
	}()
	_, _ = io.Copy(ch, rw)
	ch.Close()
}
