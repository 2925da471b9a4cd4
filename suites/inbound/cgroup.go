package inbound

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/internal/probe"
	"github.com/virtmatrix/virtmatrix/suites/cell"
)

const (
	groupRoot = "/sys/fs/cgroup"
	// groupTop holds a group for each limit that is tried.
	groupTop    = groupRoot + "/virtmatrix"
	controllers = "+cpu +cpuset +io +memory +pids"
)

// controlGroupsHold: each controller can be enabled two levels down, where
// libvirt puts its guests, and what it is told there happens.
func controlGroupsHold(ctx context.Context, t *cell.T) {
	wanted := strings.Fields(strings.ReplaceAll(controllers, "+", ""))
	t.Expect(strings.Fields(t.Sh(ctx, "cat "+groupRoot+"/cgroup.controllers"))).To(ContainElements(wanted), "the kernel's controllers")
	t.Cleanup(removeGroups(t))
	t.Sh(ctx, "echo "+host.Quote(controllers)+" > "+groupRoot+"/cgroup.subtree_control && mkdir "+groupTop+" && echo "+host.Quote(controllers)+" > "+groupTop+"/cgroup.subtree_control")

	g := newGroup(ctx, t, "list")
	t.Expect(strings.Fields(t.Sh(ctx, "cat "+g.file("cgroup.controllers")))).To(ContainElements(wanted), "the controllers of a group in a group")
	pidsHold(ctx, t)
	memoryHolds(ctx, t)
	cpuHolds(ctx, t)
	ioHolds(ctx, t)
	devicesHold(ctx, t)
}

func removeGroups(t *cell.T) func(context.Context) error {
	return func(ctx context.Context) error {
		ctx, cancel := t.Within(ctx, time.Minute)
		defer cancel()
		// A group can be removed a moment after its last process has ended.
		_, err := t.Host(ctx).Exec(ctx, "cat "+groupTop+"/*/cgroup.procs | xargs -r kill -9; until find "+groupTop+" -depth -type d -exec rmdir {} +; ! test -d "+groupTop+"; do sleep 0.1; done")
		return err
	}
}

// group is a control group of its own.
type group struct{ path string }

func newGroup(ctx context.Context, t *cell.T, name string) group {
	g := group{groupTop + "/" + name}
	t.Sh(ctx, "mkdir "+g.path)
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
func (g group) count(ctx context.Context, t *cell.T, name, key string) int {
	text := t.Sh(ctx, "cat "+g.file(name))
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
func pidsHold(ctx context.Context, t *cell.T) {
	g := newGroup(ctx, t, "pids")
	t.Expect(t.Sh(ctx, g.set("pids.max", "2"))).To(Equal("2"))
	one := "sleep 60 >/dev/null 2>&1 & "
	t.Expect(t.Run(ctx, g.in(one+"kill $!; wait")).OK()).To(BeTrue(), "a shell and one child fit into pids.max 2")
	res := t.Run(ctx, g.in(one+one+"wait"))
	t.Expect(res.OK()).To(BeFalse(), "a shell with two children does not fit into pids.max 2")
	t.Expect(g.count(ctx, t, "pids.events", "max")).To(BeNumerically(">", 0), "the forks that pids.max refused")
}

// memoryHolds: reading three times the limit through the page cache stays
// within it. Nothing needs to be killed for that.
func memoryHolds(ctx context.Context, t *cell.T) {
	const limit = 16 << 20
	g := newGroup(ctx, t, "memory")
	t.Expect(t.Sh(ctx, g.set("memory.max", strconv.Itoa(limit)))).To(Equal(strconv.Itoa(limit)))
	t.Sh(ctx, g.in("exec dd if="+scratchDisk(ctx, t)+" of=/dev/null bs=1M count=48 skip=1024 2>&1"))
	t.Expect(g.count(ctx, t, "memory.events", "max")).To(BeNumerically(">", 0), "how often memory.max was run into")
	t.Expect(strconv.Atoi(t.Sh(ctx, "cat "+g.file("memory.current")))).To(BeNumerically("<=", limit), "memory.current under memory.max")
}

// cpuHolds: a loop in a group with a tenth of a processor is throttled, and
// runs where cpuset says.
func cpuHolds(ctx context.Context, t *cell.T) {
	g := newGroup(ctx, t, "cpu")
	t.Expect(t.Sh(ctx, g.set("cpu.max", "10000 100000"))).To(Equal("10000 100000"))
	t.Run(ctx, g.in("exec timeout 2 sh -c 'while :; do :; done'"))
	t.Expect(g.count(ctx, t, "cpu.stat", "nr_throttled")).To(BeNumerically(">", 0), "the periods in which the loop was throttled")
	t.Expect(t.Sh(ctx, g.set("cpu.max", "max 100000"))).To(Equal("max 100000"))
	t.Expect(t.Sh(ctx, g.set("cpuset.cpus", "1"))).To(Equal("1"))
	t.Expect(t.Sh(ctx, g.in("exec grep Cpus_allowed_list: /proc/self/status"))).To(MatchRegexp(`^Cpus_allowed_list:\s+1$`), "where a process of the group may run")
}

// ioHolds: reading 3 MiB at 1 MiB a second takes its time, and is booked on
// the group. Without a throttle, an emulated host takes a tenth of a second.
func ioHolds(ctx context.Context, t *cell.T) {
	const rate, size = 1 << 20, 3 << 20
	g := newGroup(ctx, t, "io")
	disk := scratchDisk(ctx, t)
	number := t.Sh(ctx, "cat /sys/block/"+strings.TrimPrefix(disk, "/dev/")+"/dev")
	t.Expect(t.Sh(ctx, g.set("io.max", fmt.Sprintf("%s rbps=%d", number, rate)))).To(HavePrefix(fmt.Sprintf("%s rbps=%d ", number, rate)))
	read := fmt.Sprintf("dd if=%s of=/dev/null bs=64K count=%d skip=32768 iflag=direct 2>&1", disk, size/(64<<10))
	took := t.Sh(ctx, "from=$(date +%s%N); sh -c "+host.Quote(g.in(read))+" >&2 || exit; to=$(date +%s%N); echo $(((to - from) / 1000000))")
	// A slow machine makes it longer, and nothing but a missing throttle shorter;
	// the kernel may let a fraction of a second's worth through at once.
	t.Expect(strconv.Atoi(took)).To(BeNumerically(">=", 2000), "milliseconds for %d bytes at %d bytes a second", size, rate)
	t.Expect(g.count(ctx, t, "io.stat", "rbytes")).To(BeNumerically(">=", size), "the bytes booked on the group")
}

// scratchDisk is the disk under the guests' images, of which a part is never
// used.
func scratchDisk(ctx context.Context, t *cell.T) string {
	disk := t.Sh(ctx, "findmnt -n -o SOURCE "+host.ScratchDir)
	t.Expect(disk).To(MatchRegexp(`^/dev/\w+$`), "the disk of %s", host.ScratchDir)
	return disk
}

// devicesHold: a filter as libvirt attaches to each guest lets through what its
// map holds, from the moment that it does.
func devicesHold(ctx context.Context, t *cell.T) {
	g := newGroup(ctx, t, "devices")
	var filter probe.DeviceFilter
	ask(ctx, t, &filter, probe.AskDeviceFilter, g.path)
	const refused = "operation not permitted"
	t.Expect(filter).To(Equal(probe.DeviceFilter{AllowedZero: refused}), "what opening devices gave under the filter")
}
