package admit

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Machine is read through its /proc and /sys, which are below Root.
type Machine struct{ Root string }

func (m Machine) path(p string) string { return filepath.Join(m.Root, p) }

// Read reads what the machine has, and what is free on the disk that holds a
// folder; no folder asks about none.
func (m Machine) Read(disk string) (r Reading, err error) {
	// Go takes the machine's, or fewer by affinity and control group.
	r.Processors = runtime.GOMAXPROCS(0)
	if r.FreeMB, r.TotalMB, err = m.memory(); err != nil {
		return r, err
	}
	if r.ticks, err = m.busyTicks(); err != nil {
		return r, err
	}
	if disk != "" {
		var st unix.Statfs_t
		if err := unix.Statfs(disk, &st); err != nil {
			return r, fmt.Errorf("cannot ask for space in %s: %w", disk, err)
		}
		r.DiskMB = int(st.Bavail * uint64(st.Bsize) >> 20)
	}
	return r, nil
}

// memory is what can be had, and what there is, in MiB: of the machine
// (/proc/meminfo, proc_meminfo(5)), or of a control group that has less.
func (m Machine) memory() (free, total int, err error) {
	text, err := os.ReadFile(m.path("/proc/meminfo"))
	if err != nil {
		return 0, 0, fmt.Errorf("cannot ask for memory: %w", err)
	}
	values := pairs(text)
	free, total = int(values["MemAvailable:"]>>10), int(values["MemTotal:"]>>10)
	if total == 0 {
		return 0, 0, errors.New("cannot ask for memory: /proc/meminfo says nothing of it")
	}
	for _, g := range m.groups() {
		if limit, used, ok := g.read(); ok && limit < total {
			total, free = limit, min(free, limit-used)
		} else if ok {
			free = min(free, limit-used)
		}
	}
	return max(free, 0), total, nil
}

// pairs reads lines of a name and a number, as meminfo and memory.stat have them.
func pairs(text []byte) map[string]uint64 {
	values := map[string]uint64{}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) >= 2 {
			values[f[0]], _ = strconv.ParseUint(f[1], 10, 64)
		}
	}
	return values
}

// group is a memory control group, of version 1 or 2 of their interface
// (Documentation/admin-guide/cgroup-v1/memory.rst, cgroup-v2.rst).
type group struct {
	dir string
	v1  bool
}

// read returns the group's limit and what it uses less what the kernel can take
// back at once, in MiB; ok is false when nothing is limited.
func (g group) read() (limit, used int, ok bool) {
	names := [3]string{"memory.max", "memory.current", "inactive_file"}
	if g.v1 {
		names = [3]string{"memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"}
	}
	number := func(name string) (uint64, error) {
		b, err := os.ReadFile(filepath.Join(g.dir, name))
		if err != nil {
			return 0, err
		}
		return strconv.ParseUint(string(bytes.TrimSpace(b)), 10, 64)
	}
	most, err := number(names[0])
	if err != nil || most > 1<<60 { // "max", or the largest number of pages there is
		return 0, 0, false
	}
	now, err := number(names[1])
	if err != nil {
		return 0, 0, false
	}
	stat, _ := os.ReadFile(filepath.Join(g.dir, "memory.stat"))
	now -= min(now, pairs(stat)[names[2]])
	return int(most >> 20), int(now >> 20), true
}

// groups are the memory control groups that this process is in, the innermost
// first: /proc/self/cgroup names them, mountinfo says where they are (cgroups(7),
// proc_pid_mountinfo(5)).
func (m Machine) groups() []group {
	own, err := os.ReadFile(m.path("/proc/self/cgroup"))
	if err != nil {
		return nil
	}
	mounts, err := os.ReadFile(m.path("/proc/self/mountinfo"))
	if err != nil {
		return nil
	}
	var all []group
	for line := range strings.Lines(string(own)) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) != 3 {
			continue
		}
		v1 := f[0] != "0"
		if v1 && !inList(f[1], "memory") {
			continue
		}
		root, at, ok := cgroupMount(mounts, v1)
		if !ok {
			continue
		}
		rel, below := strings.CutPrefix(f[2], strings.TrimSuffix(root, "/"))
		if !below {
			rel = "/"
		}
		for ; ; rel = filepath.Dir(rel) {
			all = append(all, group{m.path(filepath.Join(at, rel)), v1})
			if rel == "/" || rel == "." || rel == "" {
				break
			}
		}
	}
	return all
}

// cgroupMount finds which part of the hierarchy is mounted where.
func cgroupMount(mountinfo []byte, v1 bool) (root, at string, ok bool) {
	for s := bufio.NewScanner(bytes.NewReader(mountinfo)); s.Scan(); {
		fields, after, found := strings.Cut(s.Text(), " - ")
		f, kind := strings.Fields(fields), strings.Fields(after)
		if !found || len(f) < 5 || len(kind) < 3 {
			continue
		}
		if v1 && kind[0] == "cgroup" && inList(kind[2], "memory") || !v1 && kind[0] == "cgroup2" {
			return f[3], f[4], true
		}
	}
	return "", "", false
}

func inList(list, word string) bool {
	for w := range strings.SplitSeq(list, ",") {
		if w == word {
			return true
		}
	}
	return false
}
