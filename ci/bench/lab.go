package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/owner"
	"github.com/virtmatrix/virtmatrix/internal/run"
	"github.com/virtmatrix/virtmatrix/internal/source/tool"
	"github.com/virtmatrix/virtmatrix/internal/store"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// subject is the cell that is measured: all of one release, installed by its own
// package manager.
const subject = "kvm_linux-6.1_qemu-7.2_libvirt-9.0"

// lab is what the measures share.
type lab struct {
	options
	measure string

	// home is the cache, and virtmatrix the command.
	home, virtmatrix string
	// folder is for everything that ends with us.
	folder  *owner.Folder
	driver  *run.Driver
	catalog *matrix.Catalog
	// plan is of the subject alone, which is cell, and hosts boots it.
	plan  *matrix.Plan
	cell  *matrix.Cell
	hosts *run.Hosts
}

// openLab plans the subject, makes sure of its images, and prepares to boot it.
func openLab(ctx context.Context, o options) (_ *lab, err error) {
	l := &lab{options: o, measure: "preparing", home: store.Home()}
	if l.catalog, err = run.Catalog(os.Getenv(run.MatrixEnv), l.home); err != nil {
		return nil, err
	}
	if err := tool.Require(run.Tools(l.catalog)); err != nil {
		return nil, err
	}
	if l.driver, err = run.Open(run.Config{Home: l.home}); err != nil {
		return nil, err
	}
	l.say("plan and images of %s", subject)
	l.plan, err = l.driver.Plan(ctx, l.catalog, matrix.Request{Profile: matrix.DefaultProfile, Cells: []string{subject}})
	if err == nil && (len(l.plan.Cells) != 1 || l.plan.Cells[0].ID != subject) {
		err = fmt.Errorf("cannot measure cell %s: profile %s has it no more", subject, matrix.DefaultProfile)
	}
	if err != nil {
		return nil, err
	}
	l.cell = &l.plan.Cells[0]
	images, err := l.driver.Build(ctx, l.catalog, l.plan)
	if err != nil {
		return nil, err
	}
	if l.hosts, err = l.driver.Hosts(ctx, l.plan, images); err != nil {
		return nil, err
	}
	if l.folder, err = owner.NewFolder(run.Scratch(l.home), "bench-"); err != nil {
		return nil, errors.Join(err, l.hosts.Close())
	}
	l.virtmatrix = l.file("virtmatrix")
	return l, command(ctx, "env", "CGO_ENABLED=0", "go", "build", "-o", l.virtmatrix, "github.com/virtmatrix/virtmatrix/ci/virtmatrix")
}

func (l *lab) close() error { return errors.Join(l.hosts.Close(), l.folder.Remove()) }

// say tells people what is being done.
func (l *lab) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%s: %s\n", l.measure, fmt.Sprintf(format, args...))
}

// file is a file or folder of ours.
func (l *lab) file(names ...string) string {
	return filepath.Join(append([]string{l.folder.Path}, names...)...)
}

// homeWith is a cache of our own that shares some entries with the real one.
func (l *lab) homeWith(shared ...string) (string, error) {
	home := l.file("home-" + l.measure)
	err := os.MkdirAll(home, 0o755)
	for _, name := range shared {
		err = errors.Join(err, os.Symlink(filepath.Join(l.home, name), filepath.Join(home, name)))
	}
	return home, err
}

// machine describes where the samples were taken.
func (l *lab) machine(ctx context.Context) string {
	cpu, _ := os.ReadFile("/proc/cpuinfo")
	_, model, _ := strings.Cut(string(cpu), "model name\t: ")
	model, _, _ = strings.Cut(model, "\n")
	load, _ := os.ReadFile("/proc/loadavg")
	return fmt.Sprintf("%d x %s, %.0f MiB, load at the end %.15s, virtmatrix %s\nL1 under %s of qemu %s, scale %.2f",
		runtime.NumCPU(), model, valueOf("/proc/meminfo", "MemTotal"), load, run.Revision(ctx), l.hosts.Accel().Accel, l.hosts.Emulator().Version, l.hosts.Accel().Scale)
}

// valueOf reads "KEY: N kB" of a file in /proc, in MiB; 0 when it has none.
func valueOf(file, key string) (n float64) {
	text, _ := os.ReadFile(file)
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, key+":"); ok {
			_, _ = fmt.Sscan(value, &n)
		}
	}
	return n / 1024
}
