package container

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// cgroupRoot is where L0 has its control groups.
const cgroupRoot = "/sys/fs/cgroup"

// oomFile is the file that counts the kills for want of memory in the control group
// of a process: whoever was short of it, the group or the machine (Documentation/
// admin-guide/cgroup-v2.rst, memory.events; cgroup-v1/memory.rst, memory.oom_control).
func oomFile(pid int) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return ""
	}
	return oomFileOf(string(b), cgroupRoot)
}

// oomFileOf is that of a process whose control groups are listed as in cgroups(7).
func oomFileOf(groups, root string) string {
	for line := range strings.Lines(groups) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) != 3 {
			continue
		}
		file := ""
		switch fields[1] {
		case "":
			file = filepath.Join(root, fields[2], "memory.events")
		case "memory":
			file = filepath.Join(root, "memory", fields[2], "memory.oom_control")
		}
		// Where both versions are, one has the controller.
		if _, err := os.Stat(file); err == nil {
			return file
		}
	}
	return ""
}

// oomKills is the number of kills that a file counts, 0 when it does not say.
func oomKills(file string) int64 {
	b, _ := os.ReadFile(file)
	for line := range strings.Lines(string(b)) {
		if n, ok := strings.CutPrefix(line, "oom_kill "); ok {
			count, _ := strconv.ParseInt(strings.TrimSpace(n), 10, 64)
			return count
		}
	}
	return 0
}
