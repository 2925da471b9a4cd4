package owner

import (
	"fmt"
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
	pid := p.cmd.Process.Pid
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return sum
	}
	for _, child := range strings.Fields(string(children)) {
		files, _ := filepath.Glob("/proc/" + child + "/task/*/schedstat")
		for _, f := range files {
			b, _ := os.ReadFile(f)
			w := strings.Fields(string(b))
			if len(w) < 2 {
				continue // the thread ended between the two
			}
			ran, _ := strconv.ParseInt(w[0], 10, 64)
			waited, _ := strconv.ParseInt(w[1], 10, 64)
			sum.Ran += time.Duration(ran)
			sum.Waited += time.Duration(waited)
		}
	}
	return sum
}
