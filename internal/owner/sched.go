package owner

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Sched is how a process fared with the scheduler: how long its threads ran,
// and how long they were ready to run but had to wait for a processor
// (Documentation/scheduler/sched-stats.rst, /proc/PID/schedstat).
type Sched struct{ Ran, Waited time.Duration }

// Sub returns what happened since an earlier reading.
func (s Sched) Sub(earlier Sched) Sched {
	return Sched{s.Ran - earlier.Ran, s.Waited - earlier.Waited}
}

// Starved says that the process waited for a processor longer than it had one:
// being slow was not its own doing.
func (s Sched) Starved() bool { return s.Waited > s.Ran && s.Waited > time.Second }

// String tells both for a report.
func (s Sched) String() string {
	return fmt.Sprintf("ran %s and waited %s for a processor", s.Ran.Round(time.Millisecond), s.Waited.Round(time.Millisecond))
}

// Sched reads the counters of the guarded process, summed over its threads.
// They are zero when it has ended.
func (p *Process) Sched() Sched {
	var sum Sched
	for _, child := range children(p.cmd.Process.Pid) {
		for _, s := range threads(child) {
			sum.Ran, sum.Waited = sum.Ran+s.Ran, sum.Waited+s.Waited
		}
	}
	return sum
}

// Threads reads the counters of a process and all its descendants, by the path of
// each thread in /proc. They are none when it has ended.
func Threads(pid int) map[string]Sched {
	all := threads(pid)
	for _, below := range Descendants(pid) {
		maps.Copy(all, threads(below))
	}
	return all
}

// Descendants are the processes that a process started, and theirs, parents first.
func Descendants(pid int) []int {
	all := children(pid)
	for i := 0; i < len(all); i++ {
		all = append(all, children(all[i])...)
	}
	return all
}

// children are those that all threads of a process have started and not yet
// waited for (CONFIG_PROC_CHILDREN, proc_pid_task(5)).
func children(pid int) []int {
	var pids []int
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, f := range files {
		b, _ := os.ReadFile(f)
		for _, w := range strings.Fields(string(b)) {
			if child, err := strconv.Atoi(w); err == nil {
				pids = append(pids, child)
			}
		}
	}
	return pids
}

func threads(pid int) map[string]Sched {
	all := map[string]Sched{}
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	for _, f := range files {
		b, _ := os.ReadFile(f)
		w := strings.Fields(string(b))
		if len(w) < 2 {
			continue // the thread ended between the two
		}
		ran, _ := strconv.ParseInt(w[0], 10, 64)
		waited, _ := strconv.ParseInt(w[1], 10, 64)
		all[f] = Sched{time.Duration(ran), time.Duration(waited)}
	}
	return all
}
