// Package hosttest fakes hosts: an L1 without a machine, for tests of what works with
// one. It answers, prints, starves and dies as it is told.
package hosttest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/internal/console"
	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/internal/layout"
	"github.com/virtmatrix/virtmatrix/internal/owner"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// Panicked is what a host dies of whose kernel did.
var Panicked = fault.Productf(matrix.LayerKernel, "run host", "its console says %q", "Kernel panic")

var errUnreachable = errors.New("a fake host cannot be reached")

// Host is an L1 without a machine.
type Host struct {
	t      testing.TB
	logDir string

	// OnExec answers commands. As a rule each succeeds without a word.
	OnExec func(ctx context.Context, command string) (agent.Result, error)
	// OnDial opens sockets, OnForward makes them available. As a rule none is there.
	OnDial    func(path string) (net.Conn, error)
	OnForward func(remote string) (string, error)
	// Places are where it has its things, unless told otherwise as Debian does.
	Places layout.Manifest
	// Fresh are the notes of how the host came to be, Ends how connections into it
	// ended.
	Fresh []string
	Ends  []host.HangUp

	mu     sync.Mutex
	dead   error
	sched  owner.Sched
	ran    []string
	closed int
	gone   chan struct{}
}

// New makes a host that keeps its logs in a folder.
func New(t testing.TB, logDir string) *Host {
	t.Helper()
	if err := os.MkdirAll(logDir, 0o755); err != nil {
		t.Fatal(err)
	}
	return &Host{
		t: t, logDir: logDir, Places: places(), gone: make(chan struct{}),
		OnExec:    func(context.Context, string) (agent.Result, error) { return agent.Result{}, nil },
		OnDial:    func(string) (net.Conn, error) { return nil, errUnreachable },
		OnForward: func(string) (string, error) { return "", errUnreachable },
	}
}

// Die lets the host have died of an error.
func (h *Host) Die(of error) { h.mu.Lock(); h.dead = of; h.mu.Unlock() }

// Schedule books time of L0's scheduler for the host.
func (h *Host) Schedule(ran, waited time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sched = h.sched.Sub(owner.Sched{Ran: -ran, Waited: -waited})
}

// Starve has the host wait an hour for a second of a processor.
func (h *Host) Starve() { h.Schedule(time.Second, time.Hour) }

// FallSilent has the host answer no command any more, while L0's scheduler does this
// to it for each of them.
func (h *Host) FallSilent(ran, waited time.Duration) {
	h.OnExec = func(context.Context, string) (agent.Result, error) {
		h.Schedule(ran, waited)
		return agent.Result{}, fault.Infraf("run command in L1", "deadline exceeded")
	}
}

// Print prints on the host's console.
func (h *Host) Print(text string) {
	f, err := os.OpenFile(h.Console().Path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		h.t.Error(err)
		return
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		h.t.Error(err)
	}
}

// Ran are the commands that the host was given.
func (h *Host) Ran() []string { h.mu.Lock(); defer h.mu.Unlock(); return slices.Clone(h.ran) }

// Closed is how often the host was ended.
func (h *Host) Closed() int { h.mu.Lock(); defer h.mu.Unlock(); return h.closed }

// Gone is closed when it is.
func (h *Host) Gone() <-chan struct{} { return h.gone }

// What follows makes it a host; see steps.Host.

func (h *Host) Exec(ctx context.Context, command string) (agent.Result, error) {
	h.mu.Lock()
	h.ran = append(h.ran, command)
	h.mu.Unlock()
	return h.OnExec(ctx, command)
}

func (h *Host) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed++; h.closed == 1 {
		close(h.gone)
	}
	return nil
}

func (h *Host) Console() console.Log {
	return console.Log{Path: filepath.Join(h.logDir, host.ConsoleFile)}
}

// Layout is where the host has its things.
func (h *Host) Layout() layout.Manifest { return h.Places }

// places are those of a host with the monolithic daemon and firmware for UEFI.
func places() layout.Manifest {
	return layout.Manifest{
		LibvirtConfig: "/etc/libvirt",
		Programs:      map[string]string{layout.Emulator: "/usr/bin/qemu-system-x86_64", layout.QEMUImg: "/usr/bin/qemu-img"},
		Daemons:       []layout.Daemon{{Name: "libvirtd", Path: "/usr/sbin/libvirtd", Socket: "/run/libvirt/libvirt-sock", ReadOnly: "/run/libvirt/libvirt-sock-ro"}},
		Firmware:      []layout.Firmware{{Code: "/usr/share/OVMF/OVMF_CODE_4M.fd", Vars: "/usr/share/OVMF/OVMF_VARS_4M.fd", Format: "raw"}},
	}
}

// Restart is told as a command.
func (h *Host) Restart(ctx context.Context, daemon string, signal syscall.Signal) error {
	_, err := h.Exec(ctx, fmt.Sprintf("restart %s by %s", daemon, signal))
	return err
}

func (h *Host) Dial(path string) (net.Conn, error)          { return h.OnDial(path) }
func (h *Host) Forward(remote string) (string, error)       { return h.OnForward(remote) }
func (h *Host) Write(context.Context, string, []byte) error { return nil }
func (h *Host) OpenTTY(string) (io.ReadWriteCloser, error)  { return nil, errUnreachable }
func (h *Host) Tap(string, host.Tap)                        {}
func (h *Host) HangUps(string) []host.HangUp                { return h.Ends }
func (h *Host) Registers(context.Context) (string, error)   { return "RIP=ffffffff81000000", nil }
func (h *Host) Alive() error                                { h.mu.Lock(); defer h.mu.Unlock(); return h.dead }
func (h *Host) Sched() owner.Sched                          { h.mu.Lock(); defer h.mu.Unlock(); return h.sched }
func (h *Host) Address() (alone host.Address)               { return alone }
func (h *Host) Quirks() []string                            { return []string{"a quirk"} }
func (h *Host) Notes() []string                             { return h.Fresh }
func (h *Host) LogDir() string                              { return h.logDir }
