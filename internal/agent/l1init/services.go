package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/agent"
	"golang.org/x/sys/unix"
)

// supervisor starts the host's services, and can start one again.
type supervisor struct {
	mu sync.Mutex
	// daemons are those that came up, by name.
	daemons map[string]*daemon
}

// daemon is a service, and its process.
type daemon struct {
	agent.Service
	log     string
	process *os.Process
	// ended is closed when the process has ended, with err.
	ended chan struct{}
	err   error
}

func newSupervisor() *supervisor { return &supervisor{daemons: map[string]*daemon{}} }

// startAll brings the host's daemons up in order. What goes wrong is in the
// service's log and on the console; the harness asks what is running.
func (s *supervisor) startAll(spec *agent.Spec) {
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
	for _, service := range spec.Services {
		if err := s.start(service, agent.ServiceLog(service.Name)); err != nil {
			note(service.Name, fmt.Sprintf("%v", err))
			fmt.Fprintf(os.Stderr, "\n%s%s\n", agent.FaultLine, complaint(service, err))
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

// The calls that make a guest, its interrupt controllers and its processor (linux/kvm.h).
const (
	kvmCreateVM      = 0xae01
	kvmCreateIRQChip = 0xae60
	kvmCreateVCPU    = 0xae41
)

// holdKVM makes a guest that nobody closes before the agent ends, with a processor that
// never runs: its local APIC stays disabled by software, as it is made.
func holdKVM() error {
	kvm, err := unix.Open("/dev/kvm", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("cannot open /dev/kvm: %w", err)
	}
	defer unix.Close(kvm)
	vm, err := unix.IoctlRetInt(kvm, kvmCreateVM)
	if err != nil {
		return fmt.Errorf("cannot make KVM guest: %w", err)
	}
	for _, call := range []uint{kvmCreateIRQChip, kvmCreateVCPU} {
		if _, err := unix.IoctlRetInt(vm, call); err != nil {
			return fmt.Errorf("cannot make the processor of a KVM guest (call %#x): %w", call, err)
		}
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

// start starts a service for the first time.
func (s *supervisor) start(service agent.Service, log string) error {
	d := &daemon{Service: service, log: log}
	err := d.start(func() bool { _, err := os.Stat(d.Wait); return err == nil })
	if err == nil && d.Wait != "" {
		s.mu.Lock()
		s.daemons[service.Name] = d
		s.mu.Unlock()
	}
	return err
}

// restart ends a service by a signal and starts it again.
func (s *supervisor) restart(name string, signal syscall.Signal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, there := s.daemons[name]
	if !there {
		return fmt.Errorf("restart %s: the host has no daemon of this name", name)
	}
	if err := d.restart(signal); err != nil {
		return errors.New(complaint(d.Service, err))
	}
	return nil
}

func (d *daemon) restart(signal syscall.Signal) error {
	// One that has ended by itself is started all the same.
	_ = d.process.Signal(signal)
	select {
	case <-d.ended:
	case <-time.After(d.Within):
		return fmt.Errorf("its end by %s%s%s", unix.SignalName(signal), agent.Late, d.Within)
	}
	// What was killed leaves its socket behind: the file is no sign of life. Nor is a connection,
	// where a child of what was killed still has the socket and lets it go.
	return d.start(func() bool { return listenerLives(d.Wait) })
}

// listenerLives says whether the process that listens on a socket (SO_PEERCRED, unix(7)) is there.
func listenerLives(socket string) (lives bool) {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return false
	}
	defer conn.Close()
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return false
	}
	_ = raw.Control(func(fd uintptr) {
		peer, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
		lives = err == nil && unix.Kill(int(peer.Pid), 0) == nil
	})
	return lives
}

// start starts the service's program, and waits until it has ended or is up.
func (d *daemon) start(up func() bool) error {
	log, err := os.OpenFile(d.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return logError{err}
	}
	defer log.Close()
	cmd := exec.Command(d.Argv[0], d.Argv[1:]...)
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = agent.Environment(), "/", log, log
	if d.Once {
		return cmd.Run()
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	d.process, d.ended = cmd.Process, make(chan struct{})
	ended := d.ended
	go func() {
		d.err = cmd.Wait()
		note(d.Name, fmt.Sprintf("ended: %v", d.err))
		close(ended)
	}()
	if d.Wait == "" {
		return nil
	}
	return d.await(ended, up)
}

// await waits until the service is up.
func (d *daemon) await(ended <-chan struct{}, up func() bool) error {
	deadline := time.After(d.Within)
	for !up() {
		select {
		case <-ended:
			if d.err == nil {
				ended = nil // it went to the background: its sign may still come
				continue
			}
			return fmt.Errorf("it ended before %s was there: %w", d.Wait, d.err)
		case <-deadline:
			return fmt.Errorf("%s%s%s", d.Wait, agent.Late, d.Within)
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}
