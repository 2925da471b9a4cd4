package run

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"syscall"

	"github.com/virtmatrix/virtmatrix/internal/accel"
	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/internal/console"
	"github.com/virtmatrix/virtmatrix/internal/container"
	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/internal/layout"
	"github.com/virtmatrix/virtmatrix/internal/owner"
	"github.com/virtmatrix/virtmatrix/matrix"
	"golang.org/x/sync/errgroup"
)

// Host is a running host: a *host.VM or a *container.Host.
type Host interface {
	Shell
	Dialer
	Health
	Record
	// Address is how the host's peers reach it; empty for a host alone.
	Address() host.Address
	// Close ends the host.
	Close() error
}

// Shell works in L1. Its errors are classified: a command that failed is none.
type Shell interface {
	Exec(ctx context.Context, command string) (agent.Result, error)
	Write(ctx context.Context, path string, content []byte) error
	// Restart ends a daemon by a signal and starts it again as it was.
	Restart(ctx context.Context, daemon string, signal syscall.Signal) error
}

// Dialer leads from L0 into L1.
type Dialer interface {
	// Dial connects to a Unix socket of L1, OpenTTY opens a terminal there.
	Dial(path string) (net.Conn, error)
	OpenTTY(path string) (io.ReadWriteCloser, error)
	// Forward makes a Unix socket of L1 available on L0 and returns its path.
	Forward(remote string) (string, error)
}

// Health tells how L1 fares.
type Health interface {
	// Alive is nil while L1 can be worked with, and otherwise the fault of
	// which it died.
	Alive() error
	Console() console.Log
	// Sched is what L0's scheduler gave to L1's emulator so far.
	Sched() owner.Sched
}

// Record is what belongs to an answer that a host gave.
type Record interface {
	// Quirks are the adaptations of the product that it runs with.
	Quirks() []string
	// Notes tell how it came to be, where that is not a plain boot.
	Notes() []string
	// LogDir is where its logs are on L0.
	LogDir() string
	// Layout is where it has its things.
	Layout() layout.Manifest
}

// The size of an L1: enough for two small guests, and few enough processors
// that an emulated one does not starve itself.
const (
	hostCPUs     = 2
	hostMemoryMB = 2048
)

// Start boots or restores all the wanted hosts of a cell, whose room is reserved. Each
// has its logs in logDir, and several in a folder of their name there. Where one
// does not come up, there is none.
func (h *Hosts) Start(ctx context.Context, cell *matrix.Cell, want matrix.Hosts, logDir string) (_ []Host, err error) {
	cells, err := h.cells(cell, want)
	if err != nil {
		return nil, err
	}
	peers, err := h.peers(cell, want)
	if err != nil {
		return nil, fault.Infraf("start hosts", "%w", err)
	}
	packages, err := h.supplied(ctx, cell, want)
	if err != nil {
		return nil, err
	}
	hosts := make([]Host, peers.Count)
	group, starting := errgroup.WithContext(ctx)
	for role := range hosts {
		group.Go(func() (err error) {
			s := h.settings(cells[role], want, role)
			s.Peers.Folders, s.LogDir = peers.Folders, logDir
			if !peers.Alone() {
				s.LogDir = filepath.Join(logDir, s.Peers.Name(role))
			}
			hosts[role], err = h.start(starting, cells[role], s, container.Above{Packages: packages, Machine: h.images.folder(want.Machine)})
			return err
		})
	}
	if err = group.Wait(); err == nil {
		return hosts, nil
	}
	for _, it := range hosts {
		if it != nil {
			_ = it.Close()
		}
	}
	// Whoever did not get so far to take its folder cannot remove it.
	for _, f := range peers.Folders {
		_ = f.Remove()
	}
	return nil, err
}

// start starts one host, which sees what may come above its stack. Its result is no
// interface with nothing in it.
func (h *Hosts) start(ctx context.Context, cell *matrix.Cell, s host.Settings, above container.Above) (Host, error) {
	runtime := h.driver.config.Runtime
	parts, err := h.parts(cell)
	if err != nil {
		return nil, err
	}
	if cell.Tier == matrix.Container {
		it, err := container.Boot(ctx, container.Options{Runtime: runtime, Home: h.driver.config.Home, Above: above, Parts: parts, Settings: s})
		if err != nil {
			return nil, err
		}
		return it, nil
	}
	parts.Packages = above.Packages
	vm, err := host.Boot(ctx, runtime, parts, s, h.emulator)
	if err != nil {
		return nil, err
	}
	return vm, nil
}

// peers makes the folders of hosts that reach each other.
func (h *Hosts) peers(cell *matrix.Cell, want matrix.Hosts) (host.Peers, error) {
	p := host.Peers{Count: max(want.Count, 1)}
	if p.Alone() {
		return p, nil
	}
	prefix := host.FolderPrefix
	if cell.Tier == matrix.Container {
		prefix = container.FolderPrefix
	}
	for range p.Count {
		f, err := owner.NewFolder(h.driver.config.Runtime, prefix)
		if err != nil {
			for _, f := range p.Folders {
				_ = f.Remove()
			}
			return p, err
		}
		p.Folders = append(p.Folders, f)
	}
	return p, nil
}

// settings are those of the host with a role among the wanted ones.
func (h *Hosts) settings(cell *matrix.Cell, want matrix.Hosts, role int) host.Settings {
	s := host.Settings{
		Name: cell.ID, Kind: cell.Kind, Axes: cell.Settings, Accel: h.probed.Accel, Scale: h.probed.Scale,
		CPUs: cmp.Or(want.CPUs, hostCPUs), MemoryMB: cmp.Or(want.MemoryMB, hostMemoryMB), ScratchDir: Scratch(h.driver.config.Home),
		Peers: host.Peers{Role: role, Count: max(want.Count, 1)}, Network: want.Network, Mounts: want.Mounts, Sandboxes: want.Sandboxes,
		Snapshots: h.Snapshots, Machine: h.traits,
	}
	// The disk that a deployment runs from is no part of a snapshot, and a host that moves has
	// an image of packages that was made for this run alone.
	if want.Cold || want.Moves != "" || host.MediaOf(cell.Settings) == host.OSTree {
		s.Snapshots = nil
	}
	if h.probed.Accel == accel.TCG {
		s.Turn = h.turn
	}
	return s
}

// Restorable says whether all the wanted hosts of the cell have snapshots to be
// restored from.
func (h *Hosts) Restorable(cell *matrix.Cell, want matrix.Hosts) bool {
	err := h.each(cell, want, func(parts host.Parts, s host.Settings) error {
		if !host.Restores(parts, s, h.emulator) {
			return errors.New("it boots")
		}
		return nil
	})
	return err == nil
}

// ForgetAll makes the next of the wanted hosts of the cell ones that boot.
func (h *Hosts) ForgetAll(cell *matrix.Cell, want matrix.Hosts) error {
	if cell.Tier == matrix.Container {
		return nil // containers have no snapshots
	}
	return h.each(cell, want, func(parts host.Parts, s host.Settings) error { return host.Forget(parts, s, h.emulator) })
}
