package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"golang.org/x/sys/unix"
)

// boots measures cold boots until the agent says on the console that it serves.
func boots(ctx context.Context, l *lab) ([]row, error) {
	if err := l.ready(ctx); err != nil {
		return nil, err
	}
	b := &bootBench{lab: l}
	// The first boot reads the images into memory, and gives plain qemu its
	// command line and initramfs. It is not counted.
	if _, err := b.ours(ctx); err != nil {
		return nil, err
	}
	s, err := l.inTurn(ctx, "serves", side{ours, b.ours}, side{plain, b.plain})
	return []row{
		rowOf(s, "serves", plain, "L1's console says that the agent serves", inSeconds, &target{Of: ofRatio, Most: 1.10}),
		rowOf(s, "up", "", "... until its services are up", inSeconds, nil),
	}, err
}

type bootBench struct {
	*lab
	// like is how our host was started; its initramfs is kept.
	like  command
	again int
}

// ours boots without snapshots.
func (b *bootBench) ours(ctx context.Context) (map[string]float64, error) {
	cold := *b.hosts
	cold.Snapshots = nil
	// A console that is there already would be an earlier host's.
	logs := b.fresh("ours")
	serves := make(chan time.Time, 1)
	watched, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		if awaitLine(watched, filepath.Join(logs, host.ConsoleFile), agent.ReadyLine) == nil {
			serves <- time.Now()
		}
	}()
	vm, err := b.boot(ctx, &cold, logs)
	if err != nil {
		return nil, err
	}
	defer vm.Close()
	up := time.Since(vm.asked).Seconds()
	if b.like.argv == nil {
		if err := b.keep(vm.VM); err != nil {
			return nil, err
		}
	}
	return map[string]float64{"serves": (<-serves).Sub(vm.asked).Seconds(), "up": up}, nil
}

// fresh is a folder that was not there.
func (b *bootBench) fresh(name string) string {
	b.again++
	return b.file(fmt.Sprintf("%s-%d", name, b.again))
}

// keep remembers how a host was started, and its initramfs.
func (b *bootBench) keep(vm *host.VM) error {
	like, err := commandOf(vm)
	if err != nil {
		return err
	}
	if err := copyFile(filepath.Join(like.files, "initramfs"), b.file("initramfs")); err != nil {
		return err
	}
	b.like = like
	return nil
}

// plain boots the same host with qemu alone. Its files are made before.
func (b *bootBench) plain(ctx context.Context) (map[string]float64, error) {
	dir := b.fresh("plain")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := copyFile(b.file("initramfs"), filepath.Join(dir, "initramfs")); err != nil {
		return nil, err
	}
	if err := scratch(filepath.Join(dir, "scratch.img")); err != nil {
		return nil, err
	}
	memory, err := newMemory()
	if err != nil {
		return nil, err
	}
	defer memory.Close()
	e, err := arm(b.like.in(dir).mapping(pathOf(memory)).argv, b.hosts.Emulator().Usr, dir, os.DevNull)
	if err != nil {
		return nil, err
	}
	defer e.stop()
	if err := e.start(); err != nil {
		return nil, err
	}
	if err := awaitLine(ctx, filepath.Join(dir, host.ConsoleFile), agent.ReadyLine); err != nil {
		return nil, err
	}
	return map[string]float64{"serves": time.Since(e.began).Seconds()}, nil
}

// newMemory is an empty memory for a host, as ours have it (memfd_create(2)): the
// emulator makes it as large as it wants.
func newMemory() (*os.File, error) {
	fd, err := unix.MemfdCreate("bench-memory", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("cannot make memory of host: %w", err)
	}
	return os.NewFile(uintptr(fd), "memory"), nil
}

// pathOf leads to a file that may have no name.
func pathOf(f *os.File) string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), f.Fd()) }

// scratch makes an empty disk like those of our hosts.
func scratch(path string) error {
	out, err := exec.Command("mkfs.ext4", "-q", "-F", "-O", "^has_journal", "-E", "lazy_itable_init=1", path, "4G").CombinedOutput()
	if err != nil {
		return fmt.Errorf("cannot make disk: %w: %s", err, out)
	}
	return nil
}

func copyFile(from, to string) error {
	out, err := exec.Command("cp", "--sparse=always", from, to).CombinedOutput()
	if err != nil {
		return fmt.Errorf("cannot copy %s: %w: %s", from, err, out)
	}
	return nil
}
