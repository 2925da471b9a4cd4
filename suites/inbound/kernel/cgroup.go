package kernel

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/internal/probe"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

const (
	groupRoot = "/sys/fs/cgroup"
	// groupTop holds a group for each limit that is tried.
	groupTop    = groupRoot + "/virtmatrix"
	controllers = "+cpu +cpuset +io +memory +pids"
)

// Each controller can be enabled two levels down, where libvirt puts its guests, and
// what it is told there happens.
var _ = check.Register("IK-CG", check.Spec{
	Asserts:  "The control groups cpu, cpuset, io, memory and pids are there, and a device filter can be attached",
	Requires: []matrix.Requirement{matrix.OwnKernel},
	Depends:  check.On(matrix.Linux),
	Control:  sabotage.Wrap(steps.ProbeProgram, "a device filter that lets everything through", `$REAL "$@" | sed 's/"allowed_zero":"[^"]*"/"allowed_zero":""/'`),
}, func(t *steps.T) {
	wanted := strings.Fields(strings.ReplaceAll(controllers, "+", ""))
	t.Expect(strings.Fields(t.Sh("cat "+groupRoot+"/cgroup.controllers"))).To(ContainElements(wanted), "the kernel's controllers")
	t.Cleanup(func() {
		// A group can be removed a moment after its last process has ended.
		t.Sh("cat " + groupTop + "/*/cgroup.procs | xargs -r kill -9; until find " + groupTop + " -depth -type d -exec rmdir {} +; ! test -d " + groupTop + "; do sleep 0.1; done")
	})
	t.Sh("echo " + host.Quote(controllers) + " > " + groupRoot + "/cgroup.subtree_control && mkdir " + groupTop + " && echo " + host.Quote(controllers) + " > " + groupTop + "/cgroup.subtree_control")

	g := newGroup(t, "list")
	t.Expect(strings.Fields(t.Sh("cat "+g.file("cgroup.controllers")))).To(ContainElements(wanted), "the controllers of a group in a group")
	pidsHold(t)
	memoryHolds(t)
	cpuHolds(t)
	ioHolds(t)
	devicesHold(t)
})

// group is a control group of its own.
type group struct{ path string }

func newGroup(t *steps.T, name string) group {
	g := group{groupTop + "/" + name}
	t.Sh("mkdir " + g.path)
	return g
}

func (g group) file(name string) string { return g.path + "/" + name }

// set is the shell command that writes a value and shows what was kept of it.
func (g group) set(name, value string) string {
	return "echo " + host.Quote(value) + " > " + g.file(name) + " && cat " + g.file(name)
}

// in is a shell script that runs in the group.
func (g group) in(script string) string {
	return "echo $$ > " + g.file("cgroup.procs") + " || exit; " + script
}

// count reads a number from a flat-keyed file.
func (g group) count(t *steps.T, name, key string) int {
	text := t.Sh("cat " + g.file(name))
	n, ok := keyed(text, key)
	t.Expect(ok).To(BeTrue(), "%s in %s: %s", key, name, text)
	return n
}

// keyed reads the number of a key, as in "max 3" or "254:0 rbytes=4096".
func keyed(text, key string) (n int, ok bool) {
	m := regexp.MustCompile(`(?m)(?:^|\s)` + regexp.QuoteMeta(key) + `[ =](\d+)`).FindStringSubmatch(text)
	if m == nil {
		return 0, false
	}
	n, err := strconv.Atoi(m[1])
	return n, err == nil
}

// pidsHold: with room for two, a shell cannot have two children.
func pidsHold(t *steps.T) {
	g := newGroup(t, "pids")
	t.Expect(t.Sh(g.set("pids.max", "2"))).To(Equal("2"))
	one := "sleep 60 >/dev/null 2>&1 & "
	t.Expect(t.Run(g.in(one+"kill $!; wait")).OK()).To(BeTrue(), "a shell and one child fit into pids.max 2")
	res := t.Run(g.in(one + one + "wait"))
	t.Expect(res.OK()).To(BeFalse(), "a shell with two children does not fit into pids.max 2")
	t.Expect(g.count(t, "pids.events", "max")).To(BeNumerically(">", 0), "the forks that pids.max refused")
}

// memoryHolds: reading three times the limit through the page cache stays
// within it. Nothing needs to be killed for that.
func memoryHolds(t *steps.T) {
	const limit = 16 << 20
	g := newGroup(t, "memory")
	t.Expect(t.Sh(g.set("memory.max", strconv.Itoa(limit)))).To(Equal(strconv.Itoa(limit)))
	t.Sh(g.in("exec dd if=" + scratchDisk(t) + " of=/dev/null bs=1M count=48 skip=1024 2>&1"))
	t.Expect(g.count(t, "memory.events", "max")).To(BeNumerically(">", 0), "how often memory.max was run into")
	t.Expect(strconv.Atoi(t.Sh("cat "+g.file("memory.current")))).To(BeNumerically("<=", limit), "memory.current under memory.max")
}

// cpuHolds: a loop in a group with a tenth of a processor is throttled, and
// runs where cpuset says.
func cpuHolds(t *steps.T) {
	g := newGroup(t, "cpu")
	t.Expect(t.Sh(g.set("cpu.max", "10000 100000"))).To(Equal("10000 100000"))
	t.Run(g.in("exec timeout 2 sh -c 'while :; do :; done'"))
	t.Expect(g.count(t, "cpu.stat", "nr_throttled")).To(BeNumerically(">", 0), "the periods in which the loop was throttled")
	t.Expect(t.Sh(g.set("cpu.max", "max 100000"))).To(Equal("max 100000"))
	t.Expect(t.Sh(g.set("cpuset.cpus", "1"))).To(Equal("1"))
	t.Expect(t.Sh(g.in("exec grep Cpus_allowed_list: /proc/self/status"))).To(MatchRegexp(`^Cpus_allowed_list:\s+1$`), "where a process of the group may run")
}

// ioHolds: reading 3 MiB at 1 MiB a second takes its time, and is booked on
// the group. Without a throttle, an emulated host takes a tenth of a second.
func ioHolds(t *steps.T) {
	const rate, size = 1 << 20, 3 << 20
	g := newGroup(t, "io")
	disk := scratchDisk(t)
	number := t.Sh("cat /sys/block/" + strings.TrimPrefix(disk, "/dev/") + "/dev")
	t.Expect(t.Sh(g.set("io.max", fmt.Sprintf("%s rbps=%d", number, rate)))).To(HavePrefix(fmt.Sprintf("%s rbps=%d ", number, rate)))
	read := fmt.Sprintf("dd if=%s of=/dev/null bs=64K count=%d skip=32768 iflag=direct 2>&1", disk, size/(64<<10))
	took := t.Sh("from=$(date +%s%N); sh -c " + host.Quote(g.in(read)) + " >&2 || exit; to=$(date +%s%N); echo $(((to - from) / 1000000))")
	// A slow machine makes it longer, and nothing but a missing throttle shorter;
	// the kernel may let a fraction of a second's worth through at once.
	t.Expect(strconv.Atoi(took)).To(BeNumerically(">=", 2000), "milliseconds for %d bytes at %d bytes a second", size, rate)
	t.Expect(g.count(t, "io.stat", "rbytes")).To(BeNumerically(">=", size), "the bytes booked on the group")
}

// scratchDisk is the disk under the guests' images, of which a part is never
// used.
func scratchDisk(t *steps.T) string {
	disk := t.Sh("findmnt -n -o SOURCE " + host.ScratchDir)
	t.Expect(disk).To(MatchRegexp(`^/dev/\w+$`), "the disk of %s", host.ScratchDir)
	return disk
}

// devicesHold: a filter as libvirt attaches to each guest lets through what its
// map holds, from the moment that it does.
func devicesHold(t *steps.T) {
	g := newGroup(t, "devices")
	var filter probe.DeviceFilter
	t.Probe(&filter, probe.AskDeviceFilter, g.path)
	const refused = "operation not permitted"
	t.Expect(filter).To(Equal(probe.DeviceFilter{AllowedZero: refused}), "what opening devices gave under the filter")
}
