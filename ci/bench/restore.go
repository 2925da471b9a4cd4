package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/internal/run"
	"github.com/virtmatrix/virtmatrix/internal/snapshot"
	"libvirt.org/go/libvirt"
)

const (
	// again is ours in a process that restored from the snapshot before.
	again = "ours, again"
	// mapped is plain qemu that maps the memory of the very snapshot, as ours does.
	mapped = "plain, mapped"
)

// restores measures how long a pristine host takes from its snapshot: until its
// agent answers, and until its libvirt has answered a call from L0. What is judged
// is the first restore of a process, which verifies all of the snapshot: in a run
// nearly every restore is one, for each cell has a snapshot of its own.
func restores(ctx context.Context, l *lab) ([]row, error) {
	if err := l.warm(ctx); err != nil {
		return nil, err
	}
	r := &restoreBench{lab: l}
	// This one is not counted: it finds out how plain qemu is to be started.
	if _, err := r.again(ctx); err != nil {
		return nil, err
	}
	s, err := l.inTurn(ctx, "agent", side{ours, r.ours}, side{plain, r.plain}, side{mapped, r.mapped}, side{again, r.again})
	return restoreRows(s), err
}

func restoreRows(s series) []row {
	return []row{
		rowOf(s, "agent", plain, "first in a process, request to the agent's answer; plain -incoming until it runs", inSeconds, &target{Of: ofRatio, Most: 1.5}),
		rowOf(s, "libvirt", "", "... until a libvirt call from L0 is answered", inSeconds, &target{Of: ofOurs, Most: 1.5}),
		rowOf(s, "runs", plain, "... both until it runs", inSeconds, nil),
		rowOf(s, "runs", mapped, "... both until it runs, and plain qemu maps the same memory", inSeconds, nil),
		rowOf(s.judging(again), "agent", plain, "... again in the same process, to the agent's answer", inSeconds, nil),
		rowOf(s.judging(again), "libvirt", "", "... again in the same process, until a libvirt call is answered", inSeconds, nil),
	}
}

type restoreBench struct {
	*lab
	// like is how our host was started, less how its state came in.
	like command
	// snapshot is its snapshot's folder, state all of the host's state in one
	// file, as qemu writes it.
	snapshot, state string
}

func (r *restoreBench) ours(ctx context.Context) (map[string]float64, error) {
	return r.restore(ctx, r.anew())
}

func (r *restoreBench) again(ctx context.Context) (map[string]float64, error) {
	return r.restore(ctx, r.hosts)
}

// anew are the hosts of a process that has not looked at the snapshots yet: a store
// remembers what it has verified.
func (r *restoreBench) anew() *run.Hosts {
	hosts := *r.hosts
	hosts.Snapshots = snapshot.In(r.file(snapshots))
	return &hosts
}

func (r *restoreBench) restore(ctx context.Context, hosts *run.Hosts) (map[string]float64, error) {
	vm, err := r.boot(ctx, hosts, r.file("restored"))
	if err != nil {
		return nil, err
	}
	defer vm.Close()
	values := map[string]float64{"agent": time.Since(vm.asked).Seconds()}
	if err := asksLibvirt(vm.VM); err != nil {
		return nil, err
	}
	values["libvirt"] = time.Since(vm.asked).Seconds()
	runs, err := resumed(filepath.Join(vm.LogDir(), host.QMPFile))
	if err != nil {
		return nil, err
	}
	values["runs"] = runs.Sub(vm.asked).Seconds()
	if r.state == "" {
		err = r.keep(ctx, vm.VM)
	}
	return values, err
}

// resumed is when a host began to run, as the transcript of its monitor tells.
func resumed(transcript string) (time.Time, error) {
	text, err := os.ReadFile(transcript)
	if err != nil {
		return time.Time{}, err
	}
	for line := range bytes.Lines(text) {
		var entry struct {
			Time    time.Time
			Message struct{ Event string }
		}
		if json.Unmarshal(line, &entry) == nil && entry.Message.Event == "RESUME" {
			return entry.Time, nil
		}
	}
	return time.Time{}, fmt.Errorf("cannot tell when the host ran: %s has no event RESUME", transcript)
}

// asksLibvirt opens a connection to L1's libvirt from here and makes a call.
func asksLibvirt(vm *host.VM) error {
	local, err := vm.Forward(host.LibvirtSocket)
	if err != nil {
		return err
	}
	conn, err := libvirt.NewConnect("qemu+unix:///system?socket=" + local)
	if err != nil {
		return fmt.Errorf("cannot connect to libvirt in L1: %w", err)
	}
	_, err = conn.GetLibVersion()
	_, closing := conn.Close()
	return errors.Join(err, closing)
}

// keep remembers how a host was restored and from what, and saves its state as
// plain qemu does: all of it in one file.
func (r *restoreBench) keep(ctx context.Context, vm *host.VM) error {
	like, err := commandOf(vm)
	if err != nil {
		return err
	}
	if err := copyFile(filepath.Join(like.files, "initramfs"), r.file("initramfs")); err != nil {
		return err
	}
	kept, err := r.hosts.Snapshots.List()
	if err != nil {
		return err
	}
	if len(kept) != 1 || len(vm.Notes()) == 0 {
		return fmt.Errorf("cannot measure restores: the host was not restored; its notes: %q", vm.Notes())
	}
	r.like, r.snapshot = like.without("-S", 0).without("-incoming", 1), r.file(snapshots, kept[0].Name)
	r.state = r.file("state")
	return saveAll(ctx, vm, filepath.Join(r.short.Path, "state.sock"), r.state)
}

// saveAll stops a host and writes its state to a file, by way of a socket because
// the emulator sees another /usr, and so no shell.
func saveAll(ctx context.Context, vm *host.VM, socket, to string) error {
	f, err := os.Create(to)
	if err != nil {
		return err
	}
	defer f.Close()
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	defer listener.Close()
	copied := make(chan error, 1)
	go func() {
		conn, err := listener.Accept()
		if err == nil {
			_, err = io.Copy(f, conn)
			conn.Close()
		}
		copied <- err
	}()
	type arguments map[string]any
	for _, step := range []struct {
		command string
		with    any
	}{
		{"stop", nil},
		// The host was restored without its memory in the state; this is to have it.
		{"migrate-set-capabilities", arguments{"capabilities": []arguments{{"capability": "x-ignore-shared", "state": false}}}},
		{"migrate", arguments{"uri": "unix:" + socket}},
	} {
		if err := vm.Monitor().Do(ctx, step.command, step.with, nil); err != nil {
			return err
		}
	}
	err = until(ctx, "the host's state is written", func() (bool, error) {
		var now struct{ Status string }
		err := vm.Monitor().Do(ctx, "query-migrate", nil, &now)
		if err == nil && now.Status == "failed" {
			err = errors.New("cannot write the host's state: the emulator says that the migration failed")
		}
		return now.Status == "completed", err
	})
	if err != nil {
		return err
	}
	return <-copied
}

// plain lets qemu alone take the host's state from one file, as it is usual.
func (r *restoreBench) plain(ctx context.Context) (map[string]float64, error) {
	return r.incoming(ctx, r.like.mapping(""), []string{"-incoming", "fd:3"}, r.state)
}

// mapped lets qemu alone map the snapshot's memory, and take the rest of its state.
func (r *restoreBench) mapped(ctx context.Context) (map[string]float64, error) {
	return r.incoming(ctx, r.like.mapping(filepath.Join(r.snapshot, "memory")), []string{"-incoming", "defer"}, filepath.Join(r.snapshot, "state"),
		`{"execute": "migrate-set-capabilities", "arguments": {"capabilities": [{"capability": "x-ignore-shared", "state": true}]}}`,
		`{"execute": "migrate-incoming", "arguments": {"uri": "fd:3"}}`)
}

// incoming starts qemu with the host's other files, which are made before, and
// waits until it runs.
func (r *restoreBench) incoming(ctx context.Context, c command, more []string, state string, commands ...string) (_ map[string]float64, err error) {
	dir := r.file("plain")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	for from, name := range map[string]string{r.file("initramfs"): "initramfs", filepath.Join(r.snapshot, "scratch.img"): "scratch.img"} {
		if err := copyFile(from, filepath.Join(dir, name)); err != nil {
			return nil, err
		}
	}
	e, err := arm(append(c.in(dir).argv, more...), r.hosts.Emulator().Usr, dir, state)
	if err != nil {
		return nil, err
	}
	defer e.stop()
	if err := e.start(); err != nil {
		return nil, err
	}
	if err := running(ctx, filepath.Join(dir, "qmp.sock"), commands...); err != nil {
		text, _ := os.ReadFile(filepath.Join(dir, host.EmulatorFile))
		return nil, fmt.Errorf("%w; qemu says %q", err, text)
	}
	runs := time.Since(e.began).Seconds()
	// Its agent's answer would come later: to compare ours with that is strict.
	return map[string]float64{"agent": runs, "runs": runs}, nil
}
