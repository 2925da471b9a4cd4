package admit

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Processor time is counted in ticks of 1/100 s (USER_HZ, the same on all
// architectures that Go has; proc_stat(5)).
const ticksPerSecond = 100

// busyTicks is what all processors did since boot besides being idle, niced
// work aside: that makes way for ours (proc_stat(5)). What a hypervisor took
// from the machine is busy, too.
func (m Machine) busyTicks() (uint64, error) {
	text, err := os.ReadFile(m.path("/proc/stat"))
	if err != nil {
		return 0, fmt.Errorf("cannot ask for processors: %w", err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	f := strings.Fields(line) // cpu user nice system idle iowait irq softirq steal
	if len(f) < 9 || f[0] != "cpu" {
		return 0, fmt.Errorf("cannot ask for processors: /proc/stat begins with %q", line)
	}
	var sum uint64
	for _, i := range []int{1, 3, 6, 7, 8} {
		n, _ := strconv.ParseUint(f[i], 10, 64)
		sum += n
	}
	return sum, nil
}

// table is the processes of the machine by number.
type table struct {
	parent   map[int]int
	children map[int][]int
	// ticks are what a process and its children that have ended ran.
	ticks map[int]uint64
	// memory tells what a process has for itself, in MiB.
	memory func(pid int) int
}

// processes reads the table of processes (proc_pid_stat(5)).
func (m Machine) processes() (table, error) {
	t := table{parent: map[int]int{}, children: map[int][]int{}, ticks: map[int]uint64{}, memory: m.ownMB}
	files, err := filepath.Glob(m.path("/proc/[0-9]*/stat"))
	if err != nil {
		return t, fmt.Errorf("cannot look at processes: %w", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		// The name, in parentheses, may hold anything.
		f := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		if len(f) < 15 {
			continue
		}
		parent, _ := strconv.Atoi(f[1])
		t.parent[pid] = parent
		t.children[parent] = append(t.children[parent], pid)
		for _, n := range f[11:15] { // utime stime cutime cstime
			ticks, _ := strconv.ParseUint(n, 10, 64)
			t.ticks[pid] += ticks
		}
	}
	return t, nil
}

// ownMB is the memory of a process that is no file's, in MiB: what files have in
// memory is given back when it is needed (proc_pid_status(5)).
func (m Machine) ownMB(pid int) int {
	text, _ := os.ReadFile(m.path(fmt.Sprintf("/proc/%d/status", pid)))
	values := pairs(text)
	return int((values["RssAnon:"] + values["RssShmem:"]) >> 10)
}

// below visits the descendants of a process, but not what is below the roots of
// other claims.
func (t table) below(root int, others map[int]bool, visit func(pid int)) {
	for _, pid := range t.children[root] {
		if !others[pid] {
			visit(pid)
			t.below(pid, others, visit)
		}
	}
}

// roots are the processes at the top of the claims' trees.
func roots(claims []claimed) map[int]bool {
	all := map[int]bool{}
	for _, c := range claims {
		all[c.state.Owner], all[c.state.Root] = true, true
	}
	return all
}

// heldOf are the claims that were admitted, with what they have taken already.
// Claims of one tree share what it has.
func heldOf(claims []claimed, t table) []held {
	all := roots(claims)
	has := map[int]int{}
	for _, c := range claims {
		root := c.state.Root
		if _, known := has[root]; known || !c.state.Held {
			continue
		}
		has[root] = 0
		if root != c.state.Owner { // the harness is no part of what it claims
			has[root] = t.memory(root)
		}
		t.below(root, all, func(pid int) { has[root] += t.memory(pid) })
	}
	var list []held
	for _, c := range claims {
		if c.state.Held {
			h := held{Need: c.state.Need, usedMB: min(has[c.state.Root], c.state.Need.MemoryMB)}
			has[c.state.Root] -= h.usedMB
			list = append(list, h)
		}
	}
	return list
}

// window is the time over which other work is measured, at least; memorable how
// long a result is good for.
const (
	window    = time.Second
	memorable = 10 * time.Second
)

// meter measures how busy others keep the processors.
type meter struct {
	at    time.Time
	ticks uint64
	// ours are the ticks of the claims' trees, by their roots.
	ours map[int]uint64
	// busy is the last result, of the time measured.
	busy     float64
	measured time.Time
}

// look returns how many processors are kept busy by what is not below a claim,
// measured since the last look; known is false before a window's end.
func (m *meter) look(at time.Time, ticks uint64, t table, claims []claimed) (busy float64, known bool) {
	ours := map[int]uint64{}
	all := roots(claims)
	for root := range all {
		ours[root] = t.ticks[root]
		t.below(root, all, func(pid int) { ours[root] += t.ticks[pid] })
	}
	took := at.Sub(m.at)
	if m.ours == nil || took >= window {
		if m.ours != nil {
			m.busy, m.measured = m.since(ticks, ours, took), at
		}
		m.at, m.ticks, m.ours = at, ticks, ours
	}
	return m.busy, !m.measured.IsZero() && at.Sub(m.measured) < memorable
}

// since is how many processors others have kept busy since the last look.
func (m *meter) since(ticks uint64, ours map[int]uint64, took time.Duration) float64 {
	others := float64(ticks) - float64(m.ticks)
	for root, n := range ours {
		others -= max(float64(n)-float64(m.ours[root]), 0)
	}
	return max(others, 0) / ticksPerSecond / took.Seconds()
}

// measure looks at the processors while the trees of all claims are there: what a
// child of ours ran is still known when it has ended, that of a container is not.
func (r *Room) measure() {
	ctx, cancel := context.WithTimeout(context.Background(), window)
	defer cancel()
	unlock, err := r.lock(ctx)
	if err != nil {
		return // what is not measured now is measured when it is asked for
	}
	defer unlock()
	claims, err := r.others(0)
	if err != nil {
		return
	}
	if now, err := r.read(""); err == nil {
		_, _, _ = r.beside(claims, &now)
	}
}
