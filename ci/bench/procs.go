package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// proc is a process as /proc tells of it.
type proc struct {
	pid, parent int
	argv        []string
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
func descendants(root int) ([]proc, error) {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	children := map[int][]proc{}
	for _, dir := range dirs {
		p, err := readProc(dir)
		if gone(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		children[p.parent] = append(children[p.parent], p)
	}
	var all []proc
	for queue := children[root]; len(queue) > 0; queue = queue[1:] {
		all = append(all, queue[0])
		queue = append(queue, children[queue[0].pid]...)
	}
	return all, nil
}

// gone says that a process ended while it was looked at.
func gone(err error) bool {
	return errors.Is(err, os.ErrNotExist) || err != nil && strings.Contains(err.Error(), "no such process")
}

func readProc(dir string) (p proc, err error) {
	if p.pid, err = strconv.Atoi(filepath.Base(dir)); err != nil {
		return p, err
	}
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return p, err
	}
	if p.parent, err = parentOf(string(stat)); err != nil {
		return p, err
	}
	line, err := os.ReadFile(filepath.Join(dir, "cmdline"))
	if len(line) > 0 {
		p.argv = strings.Split(string(bytes.TrimSuffix(line, []byte{0})), "\x00")
	}
	return p, err
}

// parentOf reads the fourth word of /proc/PID/stat; the second, the name in
// parentheses, may hold anything.
func parentOf(stat string) (int, error) {
	rest := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(rest) < 2 {
		return 0, fmt.Errorf("cannot read /proc/PID/stat: %q", stat)
	}
	return strconv.Atoi(rest[1])
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
