package container

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/client"

	"github.com/virtmatrix/virtmatrix/internal/console"
	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/internal/layout"
	"github.com/virtmatrix/virtmatrix/internal/owner"
	"github.com/virtmatrix/virtmatrix/internal/store/disk"
)

// FolderPrefix starts the names of containers' folders.
const FolderPrefix = "ct-"

// Options say which host is wanted.
type Options struct {
	// Runtime is the folder for sockets, and Home the cache.
	Runtime, Home string
	Above         Above
	Parts         host.Parts
	// Settings are as a machine's. Its accelerator is the one that L2 runs under,
	// and its size means nothing: a container has the machine's.
	Settings host.Settings
}

// Above is what the host sees besides its parts.
type Above struct {
	// Packages is a folder of those that the root can get, or move to; Machine one of an image
	// that guests boot whole. Empty for none.
	Packages, Machine string
}

// Host is a running L1 that is a container.
type Host struct {
	host.Link
	engine   *Engine
	settings host.Settings
	// folder holds the sockets, bulk what L1 may write.
	folder, bulk *owner.Folder
	console      *console.Watch
	quirks       []string
	layout       layout.Manifest
	id           string
	// release gives the unpacked bundle back; nil for a host without one.
	release func()
	// over tells how the container ended, when Docker has removed it.
	over chan ending
	// parted is closed when the agent's session has ended.
	parted chan struct{}
	// oom is the file that counts the container's processes that were killed for want
	// of memory; empty when there is none.
	oom string

	mu     sync.Mutex
	sched  tally
	closed bool

	dying sync.Mutex
	why   error
}

// The files and folders of a host on L0.
const (
	fileSpec   = "spec.json"
	fileInitrd = "l2-initrd"
	dirCall    = "harness"
	dirScratch = "scratch"
	socket     = "agent.sock"
)

// The limits of a start at scale 1: for Docker to start the container, for the
// agent to call, and for all until the services are up.
const (
	startLimit    = 2 * time.Minute
	callLimit     = time.Minute
	servicesLimit = 5 * time.Minute
)

// Boot starts a host and returns when its agent answers and its services are up.
// Its errors are ours, but for a daemon of the product that does not start.
func Boot(ctx context.Context, o Options) (_ *Host, err error) {
	h, err := create(o)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			h.Close()
		}
	}()
	mounts, err := h.compose(o)
	if err != nil {
		return nil, infra("compose container", disk.Explain(err, h.bulk.Path))
	}
	if h.engine, err = Connect(ctx); err != nil {
		return nil, err
	}
	listener, err := net.Listen("unix", filepath.Join(h.folder.Path, dirCall, socket))
	if err != nil {
		return nil, fault.Infraf("await agent", "%w", disk.Explain(err, h.folder.Path))
	}
	defer listener.Close()
	if err := h.start(ctx, o, mounts); err != nil {
		return nil, err
	}
	return h, h.meet(ctx, listener)
}

// create makes the folders of a host and its empty console.
func create(o Options) (_ *Host, err error) {
	const op = "prepare container"
	s := o.Settings
	if err := os.MkdirAll(s.LogDir, 0o755); err != nil {
		return nil, fault.Infraf(op, "%w", disk.Explain(err, s.LogDir))
	}
	h := &Host{settings: s, parted: make(chan struct{}), over: make(chan ending, 1)}
	h.console = console.NewWatch(h.Console())
	if h.folder, err = s.Peers.Folder(o.Runtime, FolderPrefix); err != nil {
		return nil, fault.Infraf(op, "%w", disk.Explain(err, o.Runtime))
	}
	h.Transport = host.Transport{Dir: h.folder.Path, Limit: s.Limit, Alive: h.Alive, Lost: h.lost, Sched: h.Sched}
	if h.bulk, err = owner.NewFolder(s.ScratchDir, FolderPrefix); err != nil {
		h.folder.Remove()
		return nil, fault.Infraf(op, "%w", disk.Explain(err, s.ScratchDir))
	}
	err = errors.Join(
		os.WriteFile(h.Console().Path, nil, 0o644),
		os.Mkdir(filepath.Join(h.folder.Path, dirCall), 0o755),
		os.Mkdir(filepath.Join(h.bulk.Path, dirScratch), 0o755),
	)
	if err != nil {
		h.Close()
		return nil, fault.Infraf(op, "%w", disk.Explain(err, s.ScratchDir))
	}
	return h, nil
}

// start has Docker make and start the container.
func (h *Host) start(ctx context.Context, o Options, mounts []mount.Mount) error {
	const op = "start container"
	image, err := h.engine.userland(ctx, o.Parts.Root, o.Parts.Sums[o.Parts.Root], o.Home)
	if err != nil {
		return err
	}
	if o.Parts.QEMU != "" {
		usr, release, err := view(ctx, o.Parts.QEMU, o.Parts.Sums[o.Parts.QEMU], o.Home)
		if err != nil {
			return err
		}
		h.release = release
		mounts = append(mounts, shown(usr, host.BundleDir))
	}
	ctx, cancel := context.WithTimeoutCause(ctx, h.settings.Limit(startLimit), fmt.Errorf("docker did not start it within %s", h.settings.Limit(startLimit)))
	defer cancel()
	c, err := h.engine.provider.CreateContainer(ctx, h.request(o, image, mounts))
	if c != nil {
		h.id = c.GetContainerID()
	}
	if err != nil {
		return fault.Infraf(op, "%w", fault.Cause(ctx, err))
	}
	h.watchEnd()
	if err := c.Start(ctx); err != nil {
		return fault.Infraf(op, "%w", fault.Cause(ctx, err))
	}
	state, err := c.State(ctx)
	if err != nil {
		return fault.Infraf(op, "%w", fault.Cause(ctx, err))
	}
	h.sched.init, h.oom = state.Pid, oomFile(state.Pid)
	return nil
}

// meet waits for the agent's call, and until its services are up.
func (h *Host) meet(ctx context.Context, listener net.Listener) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go h.watchStart(ctx, cancel)
	conn, err := h.awaitCall(ctx, listener)
	if err == nil {
		err = h.Open(ctx, conn)
	}
	if err != nil {
		return h.startFault(ctx, err)
	}
	go func() {
		_ = h.Link.Wait() // its end is what matters
		close(h.parted)
	}()
	if err := h.AwaitServices(ctx); err != nil {
		return h.startFault(ctx, err)
	}
	return nil
}

func (h *Host) awaitCall(ctx context.Context, listener net.Listener) (net.Conn, error) {
	defer context.AfterFunc(ctx, func() { listener.Close() })()
	limit := h.settings.Limit(callLimit)
	if l, ok := listener.(*net.UnixListener); ok {
		if err := l.SetDeadline(time.Now().Add(limit)); err != nil {
			return nil, err
		}
	}
	conn, err := listener.Accept()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = fmt.Errorf("its agent did not call within %s", limit)
	}
	return conn, err
}

// startPoll is how often a host that starts is looked at.
const startPoll = 100 * time.Millisecond

// watchStart ends the start with the reason when the host cannot come up.
func (h *Host) watchStart(ctx context.Context, cancel context.CancelCauseFunc) {
	limit := time.After(h.settings.Limit(servicesLimit))
	for {
		select {
		case <-ctx.Done():
			return
		case end := <-h.over:
			h.over <- end
			cancel(h.whyEnded())
			return
		case <-limit:
			cancel(fault.Infraf("start container", "its services were not up within %s", h.settings.Limit(servicesLimit)))
			return
		case <-time.After(startPoll):
		}
		if err := h.Alive(); err != nil {
			cancel(err)
			return
		}
	}
}

// startFault returns the watcher's reason when it has one.
func (h *Host) startFault(ctx context.Context, err error) error {
	return fault.OrInfra("start container", fault.Cause(ctx, err))
}

// Console is what the agent's init prints.
func (h *Host) Console() console.Log {
	return console.Log{Path: filepath.Join(h.settings.LogDir, host.ConsoleFile)}
}

// Quirks are the adaptations of the product that this host runs with.
func (h *Host) Quirks() []string { return h.quirks }

// Layout is where the host has its things.
func (h *Host) Layout() layout.Manifest { return h.layout }

// Notes tell how the host came to be.
func (h *Host) Notes() []string { return nil }

// LogDir is where the host's logs are on L0.
func (h *Host) LogDir() string { return h.settings.LogDir }

// closeLimit bounds how long Docker may take to remove a container, at scale 1.
const closeLimit = 30 * time.Second

// Close ends the host and removes what it used on L0. Its logs stay.
func (h *Host) Close() error {
	h.mu.Lock()
	done := h.closed
	h.closed = true
	h.mu.Unlock()
	if done {
		return nil
	}
	h.Shut() // its init ends with the session, and Docker removes it
	err := h.remove()
	if h.release != nil {
		h.release()
	}
	return errors.Join(err, h.bulk.Remove(), h.folder.Remove())
}

// remove sees to it that the container is gone.
func (h *Host) remove() error {
	if h.id == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), h.settings.Limit(closeLimit))
	defer cancel()
	select {
	case end := <-h.over:
		h.over <- end
		if end.err == nil {
			return nil
		}
	case <-time.After(h.settings.Limit(partLimit)):
	}
	_, err := h.engine.docker().ContainerRemove(ctx, h.id, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
	if err == nil || gone(err) {
		return nil
	}
	return fault.Infraf("remove container", "%w", err)
}
