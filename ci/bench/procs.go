package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/owner"
)

// proc is a process as /proc tells of it.
type proc struct {
	pid  int
	argv []string
}

// emulatorName is what emulators of hosts are called.
const emulatorName = "qemu-system-x86_64"

func (p proc) isHost() bool { return len(p.argv) > 0 && filepath.Base(p.argv[0]) == emulatorName }

// name is what a process is called in a list.
func (p proc) name() string {
	if len(p.argv) == 0 {
		return fmt.Sprint(p.pid)
	}
	return filepath.Base(p.argv[0])
}

// descendants are the processes that a process started, and theirs.
func descendants(root int) []proc {
	var all []proc
	for _, pid := range owner.Descendants(root) {
		line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err != nil {
			continue // it has just ended
		}
		p := proc{pid: pid}
		if len(line) > 0 {
			p.argv = strings.Split(string(bytes.TrimSuffix(line, []byte{0})), "\x00")
		}
		all = append(all, p)
	}
	return all
}

// resident is a process's resident memory in bytes: all of it, and with what it
// shares counted in parts, so that the sum over processes is what they take.
func resident(pid int) (whole, shared float64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0, 0, err
	}
	if whole, err = kilobytes(text, "Rss"); err == nil {
		shared, err = kilobytes(text, "Pss")
	}
	return whole, shared, err
}

func kilobytes(text []byte, key string) (float64, error) {
	value, ok := valueOf(text, key)
	if !ok {
		return 0, fmt.Errorf("cannot read memory of process: there is no %s", key)
	}
	var kb float64
	if _, err := fmt.Sscan(value, &kb); err != nil {
		return 0, fmt.Errorf("cannot read memory of process: %w", err)
	}
	return kb * 1024, nil
}
