package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/admit"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/internal/owner"
	"github.com/virtmatrix/virtmatrix/internal/run"
	"github.com/virtmatrix/virtmatrix/internal/snapshot"
	"github.com/virtmatrix/virtmatrix/internal/source/tool"
	"github.com/virtmatrix/virtmatrix/internal/store"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// subject is the cell that is measured: all of one release, installed by its own
// package manager.
const subject = "kvm_linux-6.1_qemu-7.2_libvirt-9.0"

// snapshots is the folder of the measures' own snapshots.
const snapshots = "snapshots"

// lab is what the measures share. What only some need is made for the first.
type lab struct {
	options
	progress io.Writer
	measure  string

	home string
	// short is for sockets, large for everything else.
	short, large *owner.Folder
	driver       *run.Driver
	catalog      *matrix.Catalog

	plan   *matrix.Plan
	images *run.Images
	hosts  *run.Hosts
	// runs are those that measures memory and parallel share.
	runs *runs
}

func openLab(ctx context.Context, o options, progress io.Writer) (_ *lab, err error) {
	if err := tool.Require(run.Tools()); err != nil {
		return nil, err
	}
	l := &lab{options: o, progress: progress, home: store.Home()}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.close())
		}
	}()
	if l.catalog, err = run.Catalog(os.Getenv(run.MatrixEnv), l.home); err != nil {
		return nil, err
	}
	if l.driver, err = run.Open(run.Config{Home: l.home}); err != nil {
		return nil, err
	}
	if l.short, err = owner.NewFolder(l.driver.Runtime(), "bench-"); err != nil {
		return nil, err
	}
	l.large, err = owner.NewFolder(run.Scratch(l.home), "bench-")
	return l, err
}

func (l *lab) close() error {
	var err error
	if l.hosts != nil {
		err = l.hosts.Close()
	}
	for _, f := range []*owner.Folder{l.short, l.large} {
		if f != nil {
			err = errors.Join(err, f.Remove())
		}
	}
	return err
}

// say tells people what is being done.
func (l *lab) say(format string, args ...any) {
	fmt.Fprintf(l.progress, "%s: %s\n", l.measure, fmt.Sprintf(format, args...))
}

// ready plans the subject, makes sure of its images, and prepares to boot it.
func (l *lab) ready(ctx context.Context) (err error) {
	if l.hosts != nil {
		return nil
	}
	l.say("preparing %s", subject)
	l.plan, err = l.driver.Plan(ctx, l.catalog, matrix.Request{Profile: matrix.DefaultProfile, Cells: []string{subject}})
	if err != nil {
		return err
	}
	if l.images, err = l.driver.Build(ctx, l.catalog, l.plan); err != nil {
		return err
	}
	l.hosts, err = l.driver.Hosts(ctx, l.plan, l.images)
	if err == nil {
		// Its own: the measures look at it, and others' are left alone.
		l.hosts.Snapshots = snapshot.In(l.file(snapshots))
	}
	return err
}

// cell is the subject in the plan.
func (l *lab) cell() (*matrix.Cell, error) {
	for i := range l.plan.Cells {
		if l.plan.Cells[i].ID == subject {
			return &l.plan.Cells[i], nil
		}
	}
	return nil, fmt.Errorf("cannot measure cell %s: profile %s has it no more", subject, matrix.DefaultProfile)
}

// file is a large file of ours.
func (l *lab) file(names ...string) string {
	return filepath.Join(append([]string{l.large.Path}, names...)...)
}

// admitted is a host with the room that it has on the machine.
type admitted struct {
	*host.VM
	// asked is when the host was asked for, or when there was room for it after
	// other runs had left none.
	asked  time.Time
	room   *admit.Claim
	closed bool
}

// Close ends the host, once.
func (a *admitted) Close() error {
	if a.closed {
		return nil
	}
	a.closed = true
	a.room.Release()
	return a.VM.Close()
}

// crowded is what waiting for room takes only when others take it.
const crowded = time.Second

// boot boots or restores a host of the subject as a run does.
func (l *lab) boot(ctx context.Context, hosts *run.Hosts, logs string) (*admitted, error) {
	cell, err := l.cell()
	if err != nil {
		return nil, err
	}
	asked := time.Now()
	room, err := hosts.Admit(ctx, cell, func(why string) { l.say("waiting %s", why) })
	if err != nil {
		return nil, err
	}
	if time.Since(asked) > crowded {
		asked = time.Now()
	}
	vm, err := hosts.Boot(ctx, cell, logs)
	if err != nil {
		room.Release()
		return nil, err
	}
	return &admitted{VM: vm, asked: asked, room: room}, nil
}

// restored is a host of the subject, once one has left a snapshot.
func (l *lab) restored(ctx context.Context, logs string) (*admitted, error) {
	return l.boot(ctx, l.hosts, l.file(logs))
}

// warm makes sure that there is a snapshot to restore from.
func (l *lab) warm(ctx context.Context) error {
	if err := l.ready(ctx); err != nil {
		return err
	}
	if kept, err := l.hosts.Snapshots.List(); err != nil || len(kept) > 0 {
		return err
	}
	l.say("booting a host for the snapshot")
	vm, err := l.restored(ctx, "warm")
	if err != nil {
		return err
	}
	kept, err := l.hosts.Snapshots.List()
	if err == nil && len(kept) != 1 {
		err = fmt.Errorf("cannot restore hosts: the first left %d snapshots; it notes %q", len(kept), vm.Notes())
	}
	return errors.Join(err, vm.Close())
}
