package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
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
	answer, err := open(&spec, server)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "\n%s\n", agent.ReadyLine)
	go startServices(&spec)
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

// startServices brings the host's daemons up in order. What goes wrong is in
// the service's log and on the console; the harness asks what is running.
func startServices(spec *agent.Spec) {
	for _, m := range spec.Modprobe {
		if out, err := exec.Command("/sbin/modprobe", m).CombinedOutput(); err != nil {
			note("modprobe", fmt.Sprintf("%s: %v %s", m, err, out))
		}
	}
	if spec.HoldKVM {
		// Without KVM there is nothing to hold, and a check says so.
		if err := holdKVM(); err != nil {
			note("hold-kvm", err.Error())
		}
	}
	for _, s := range spec.Services {
		if err := startService(s, agent.ServiceLog(s.Name)); err != nil {
			note(s.Name, fmt.Sprintf("%v", err))
			fmt.Fprintf(os.Stderr, "\n%s%s\n", agent.FaultLine, complaint(s, err))
			return
		}
	}
	note("services", "all started")
}

// note appends a line to the agent's own log in L1.
func note(name, text string) {
	f, err := os.OpenFile(agent.ServiceLog("agent"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return
	}
	defer f.Close()
	fmt.Fprintf(f, "%s: %s\n", name, strings.TrimSpace(text))
}

// kvmCreateVM makes a guest (linux/kvm.h, KVM_CREATE_VM).
const kvmCreateVM = 0xae01

// holdKVM makes a guest that nobody closes before the agent ends.
func holdKVM() error {
	kvm, err := unix.Open("/dev/kvm", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("cannot open /dev/kvm: %w", err)
	}
	defer unix.Close(kvm)
	if _, err := unix.IoctlRetInt(kvm, kvmCreateVM); err != nil {
		return fmt.Errorf("cannot make KVM guest: %w", err)
	}
	return nil
}

// logError says that the log of a service, which is ours, cannot be written.
type logError struct{ error }

func (e logError) Unwrap() error { return e.error }

// complaint says why a service is not up, after FaultLine: the product did not
// start only when it was asked to.
func complaint(s agent.Service, err error) string {
	verb := agent.Start
	switch {
	case errors.As(err, &logError{}):
		verb = "open log of "
	case s.Own:
		verb = "do step "
	}
	return fmt.Sprintf("%s%s: %v", verb, s.Name, err)
}

func startService(s agent.Service, logTo string) error {
	log, err := os.OpenFile(logTo, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return logError{err}
	}
	defer log.Close()
	cmd := exec.Command(s.Argv[0], s.Argv[1:]...)
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = agent.Environment(), "/", log, log
	if s.Once {
		return cmd.Run()
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() {
		err := cmd.Wait()
		note(s.Name, fmt.Sprintf("ended: %v", err))
		ended <- err
	}()
	if s.Wait == "" {
		return nil
	}
	deadline := time.After(s.Within)
	for {
		if _, err := os.Stat(s.Wait); err == nil {
			return nil
		}
		select {
		case err := <-ended:
			if err == nil {
				ended = nil // it went to the background: its sign may still come
				continue
			}
			return fmt.Errorf("it ended before %s was there: %w", s.Wait, err)
		case <-deadline:
			return fmt.Errorf("%s%s%s", s.Wait, agent.Late, s.Within)
		case <-time.After(20 * time.Millisecond):
		}
	}
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
