package admit

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/virtmatrix/virtmatrix/internal/owner"
)

// Reading is what the machine has at a moment.
type Reading struct {
	// FreeMB is the memory that can be had without swapping, TotalMB the most
	// that there is ever, in MiB; both respect the limits of our control group.
	FreeMB, TotalMB int
	// Processors are those that we may use. Pressure is for how much of the last
	// ten seconds something waited for one, in percent
	// (Documentation/accounting/psi.rst); 0 where the kernel does not tell.
	Processors int
	Pressure   float64
	// DiskMB is what is free on the disk that was asked about, in MiB.
	DiskMB int
}

// machine is read through its /proc and /sys, which are below root.
type machine struct{ root string }

func (m machine) file(names ...string) ([]byte, error) {
	return os.ReadFile(filepath.Join(append([]string{m.root}, names...)...))
}

// read reads what the machine has, and what is free on the disk that holds a
// folder; no folder asks about none.
func (m machine) read(disk string) (r Reading, err error) {
	// Go takes the machine's, or fewer by affinity and control group.
	r.Processors = runtime.GOMAXPROCS(0)
	if pressure, err := m.file("proc/pressure/cpu"); err == nil {
		_, _ = fmt.Sscanf(string(pressure), "some avg10=%f", &r.Pressure)
	}
	if disk != "" {
		var st unix.Statfs_t
		if err := unix.Statfs(disk, &st); err != nil {
			return r, fmt.Errorf("cannot ask for space in %s: %w", disk, err)
		}
		r.DiskMB = int(st.Bavail * uint64(st.Bsize) >> 20)
	}
	r.FreeMB, r.TotalMB, err = m.memory()
	return r, err
}

// belowMB is the memory of what a process started that is no file's, in MiB: what
// files have in memory is given back when it is needed (proc_pid_status(5)).
func (m machine) belowMB(root int) (sum int) {
	for _, pid := range owner.Descendants(root) {
		text, _ := m.file("proc", strconv.Itoa(pid), "status")
		values := pairs(text)
		sum += values["RssAnon:"] + values["RssShmem:"]
	}
	return sum >> 10
}

// memory is what can be had, and what there is, in MiB: of the machine
// (proc_meminfo(5)), or of a control group that has less.
func (m machine) memory() (free, total int, err error) {
	text, err := m.file("proc/meminfo")
	values := pairs(text)
	if free, total = values["MemAvailable:"]>>10, values["MemTotal:"]>>10; err == nil && total == 0 {
		err = errors.New("/proc/meminfo says nothing of it")
	}
	if err != nil {
		return 0, 0, fmt.Errorf("cannot ask for memory: %w", err)
	}
	own, _ := m.file("proc/self/cgroup")
	for line := range strings.Lines(string(own)) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) != 3 || f[1] != "" && f[1] != "memory" {
			continue
		}
		// A container does not see its own path: its limit is at the top then.
		for dir := filepath.Clean("/" + f[2]); ; dir = filepath.Dir(dir) {
			if limit, used, ok := m.limit(f[1], dir); ok {
				free, total = min(free, limit-used), min(total, limit)
			}
			if dir == "/" {
				break
			}
		}
	}
	return max(free, 0), total, nil
}

// limit returns the limit of a control group, and what it uses less what the
// kernel can take back at once, in MiB; ok is false when nothing is limited. Files
// are named anew since a group has no controller of its own
// (Documentation/admin-guide/cgroup-v1/memory.rst, cgroup-v2.rst).
func (m machine) limit(controller, dir string) (limit, used int, ok bool) {
	names := [3]string{"memory.max", "memory.current", "inactive_file"}
	if controller != "" {
		names = [3]string{"memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"}
	}
	var numbers [2]int
	for i := range numbers {
		text, err := m.file("sys/fs/cgroup", controller, dir, names[i])
		if err == nil {
			numbers[i], err = strconv.Atoi(string(bytes.TrimSpace(text)))
		}
		if err != nil || numbers[i] > 1<<60 { // "max", or the largest number of pages there is
			return 0, 0, false
		}
	}
	stat, _ := m.file("sys/fs/cgroup", controller, dir, "memory.stat")
	return numbers[0] >> 20, max(0, numbers[1]-pairs(stat)[names[2]]) >> 20, true
}

// pairs reads lines of a name and a number, as meminfo and memory.stat have them.
func pairs(text []byte) map[string]int {
	values := map[string]int{}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) >= 2 {
			values[f[0]], _ = strconv.Atoi(f[1])
		}
	}
	return values
}
