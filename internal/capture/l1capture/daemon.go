package main

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virtmatrix/virtmatrix/internal/layout"
)

// daemon is a running daemon of the image.
type daemon struct {
	name string
	cmd  *exec.Cmd
	over chan struct{}
	said strings.Builder
}

func startDaemon(d layout.Daemon) (*daemon, error) {
	it := &daemon{name: d.Name, cmd: exec.Command(d.Path), over: make(chan struct{})}
	it.cmd.Stderr = &it.said
	if err := os.MkdirAll(filepath.Dir(d.Socket), 0o755); err != nil {
		return nil, err
	}
	if err := it.cmd.Start(); err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", d.Name, err)
	}
	go func() {
		_ = it.cmd.Wait() // that it ended is what counts
		close(it.over)
	}()
	return it, nil
}

// await waits until the daemon's socket is there.
func (d *daemon) await(socket string) error {
	limit := time.After(startLimit)
	for {
		if _, err := os.Stat(socket); err == nil {
			return nil
		}
		select {
		case <-d.over:
			return fmt.Errorf("cannot start %s: it ended: %s", d.name, strings.TrimSpace(d.said.String()))
		case <-limit:
			return fmt.Errorf("cannot start %s: %s was not there within %s", d.name, socket, startLimit)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (d *daemon) end() {
	_ = d.cmd.Process.Signal(syscall.SIGKILL) // it may have ended by itself
	<-d.over
}

// accounts are the names of users or groups by their numbers.
func accounts(file string) (map[string]string, error) {
	text, err := os.ReadFile(file)
	names := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Split(line, ":"); len(fields) > 2 {
			names[fields[2]] = fields[0]
		}
	}
	return names, err
}

// describeFile says what a file is: where a link leads, or its mode, owner and
// capabilities.
func describeFile(path string, d fs.DirEntry, users, groups map[string]string) (string, error) {
	if d.Type() == fs.ModeSymlink {
		to, err := os.Readlink(path)
		return "link to " + unversioned(to), err
	}
	info, err := d.Info()
	if err != nil {
		return "", err
	}
	owner := info.Sys().(*syscall.Stat_t)
	text := fmt.Sprintf("%s %s %s", info.Mode(), users[fmt.Sprint(owner.Uid)], groups[fmt.Sprint(owner.Gid)])
	// vfs_cap_data: the second word are the permitted capabilities (linux/capability.h).
	held := make([]byte, 64)
	if n, err := unix.Lgetxattr(path, "security.capability", held); err == nil && n >= 8 {
		text += fmt.Sprintf(" capabilities %x", held[4:8])
	}
	return text, nil
}
