package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/agent"
	"golang.org/x/sys/unix"
)

// serve starts the daemons and answers the harness for ever.
func serve() error {
	var spec agent.Spec
	if err := json.NewDecoder(os.Stdin).Decode(&spec); err != nil {
		return fmt.Errorf("read host spec: %w", err)
	}
	server, err := agent.NewServer()
	if err != nil {
		return err
	}
	services := newSupervisor()
	server.Restart = services.restart
	answer, err := open(&spec, server)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "\n%s\n", agent.ReadyLine)
	go services.startAll(&spec)
	if err := answer(); err != nil {
		return fmt.Errorf("answer the harness: %w", err)
	}
	return nil
}

// open opens the way to the harness, and returns what answers it there.
func open(spec *agent.Spec, server *agent.Server) (answer func() error, err error) {
	if spec.Call != "" {
		conn, err := call(spec.Call)
		return func() error { return server.Answer(conn) }, err
	}
	server.Freshen, server.Kick = freshen, kick
	port, err := openPort(spec.Patience)
	return func() error { return server.Listen(port) }, err
}

// openPort opens the agent's virtio-serial port, found by its name.
func openPort(patience time.Duration) (*port, error) {
	dev, ok := appears(patience, func() (string, bool) {
		names, _ := filepath.Glob("/sys/class/virtio-ports/*/name")
		for _, n := range names {
			if b, _ := os.ReadFile(n); strings.TrimSpace(string(b)) == agent.PortName {
				return "/dev/" + filepath.Base(filepath.Dir(n)), true
			}
		}
		return "", false
	})
	if !ok {
		return nil, fmt.Errorf("find agent port: no virtio-serial port has its name after %s", patience)
	}
	fd, err := unix.Open(dev, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open agent port: %w", err)
	}
	return &port{fd: fd}, nil
}

// port is the virtio-serial device in blocking mode. It reads as end of file
// while no harness is connected.
type port struct{ fd int }

func (p *port) Read(b []byte) (int, error) {
	for {
		n, err := unix.Read(p.fd, b)
		switch {
		case err == unix.EINTR || err == unix.EAGAIN:
		case err != nil:
			return 0, err
		case n == 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}

func (p *port) Write(b []byte) (int, error) {
	done := 0
	for done < len(b) {
		n, err := unix.Write(p.fd, b[done:])
		if err != nil && err != unix.EINTR && err != unix.EAGAIN {
			return done, err
		}
		done += max(n, 0)
	}
	return done, nil
}
