package host

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// nodeCPUs is the word of virNodeInfo on the wire that has the processors: each of the 32
// characters of the model has one, and the memory has two (remote_protocol.x).
const nodeCPUs = 34

var _ = check.Register("O-NODE", check.Spec{
	Asserts:  "What libvirt tells of the host's processors and memory is what the host's kernel tells",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "1.0.0")},
	Depends:  check.On(matrix.Linux, matrix.Libvirt),
	Control:  sabotage.SetWord("virNodeGetInfo", nodeCPUs, 4096),
}, func(t *steps.T) {
	conn := t.Connection().Raw
	online := len(cpus(t, t.Sh("cat /sys/devices/system/cpu/online")))
	node := steps.Get(t, "ask about the node", conn.GetNodeInfo)
	t.Expect(node.Model).To(Equal(arch))
	t.Expect(node.Memory).To(BeElementOf(nodes(t, "MemTotal"), meminfo(t)["MemTotal"]), "KiB of memory")
	t.Expect(node.Cpus).To(BeNumerically("==", online), "processors")
	t.Expect(uint32(node.Cpus)).To(BeNumerically("<=", node.Nodes*node.Sockets*node.Cores*node.Threads), "processors by their topology")
	var count uint
	t.Do("ask for the map of processors", func() (err error) { _, count, err = conn.GetCPUMap(0); return err })
	t.Expect(count).To(BeNumerically("==", online), "processors that are online")

	before := idle(t, "/proc/stat")
	told := steps.Get(t, "ask for statistics of processors", func() (*libvirt.NodeCPUStats, error) {
		return conn.GetCPUStats(int(libvirt.NODE_CPU_STATS_ALL_CPUS), 0)
	})
	t.Expect(told.Idle).To(And(BeNumerically(">=", before), BeNumerically("<=", idle(t, "/proc/stat"))), "ns that the processors were idle")
	stats := steps.Get(t, "ask for statistics of memory", func() (*libvirt.NodeMemoryStats, error) {
		return conn.GetMemoryStats(libvirt.NODE_MEMORY_STATS_ALL_CELLS, 0)
	})
	t.Expect(stats.Total).To(Equal(meminfo(t)["MemTotal"]), "KiB of memory, of the statistics")
	t.Expect(stats.Free).To(isAbout(meminfo(t)["MemFree"], stats.Total), "KiB that are free")
	free := steps.Get(t, "ask for free memory", conn.GetFreeMemory)
	t.Expect(free>>10).To(Or(isAbout(nodes(t, "MemFree"), stats.Total), isAbout(meminfo(t)["MemFree"], stats.Total)), "KiB that are free, of bytes")
	cells := steps.Get(t, "ask for free memory of nodes", func() ([]uint64, error) { return conn.GetCellsFreeMemory(0, 64) })
	t.Expect(len(cells)).To(Equal(int(node.Nodes)), "NUMA nodes with free memory")
	t.Expect(t.VirshSays("nodeinfo")).To(MatchRegexp(`(?m)^CPU\(s\):\s+` + strconv.Itoa(online) + `$`))
	t.Expect(t.VirshSays("nodecpumap")).To(MatchRegexp(`(?m)^CPUs online:\s+` + strconv.Itoa(online) + `$`))
	tellsSystem(t)
})

// isAbout is about n, by a tenth of all: memory is used meanwhile.
func isAbout(n, all uint64) OmegaMatcher { return BeNumerically("~", n, all/10) }

// meminfo is what the host's kernel says of memory, in KiB.
func meminfo(t *steps.T) map[string]uint64 {
	all := map[string]uint64{}
	for _, m := range regexp.MustCompile(`(?m)^(\S+):\s+(\d+)`).FindAllStringSubmatch(t.Sh("cat /proc/meminfo"), -1) {
		all[m[1]], _ = strconv.ParseUint(m[2], 10, 64)
	}
	return all
}

// nodes is what the host's NUMA nodes have together, in KiB. A machine may have memory
// that is in none of them: what libvirt says of all then depends on its version.
func nodes(t *steps.T, what string) (sum uint64) {
	for _, m := range regexp.MustCompile(what+`:\s+(\d+)`).FindAllStringSubmatch(t.Sh("cat /sys/devices/system/node/node*/meminfo"), -1) {
		n, _ := strconv.ParseUint(m[1], 10, 64)
		sum += n
	}
	return sum
}

// idle is how many ns the host's processors were idle, as its kernel says in hundredths
// of a second.
func idle(t *steps.T, file string) uint64 {
	fields := strings.Fields(t.Sh("head -n 1 " + file))
	n, err := strconv.ParseUint(fields[4], 10, 64)
	t.Expect(err).NotTo(HaveOccurred(), file)
	return n * 1e7
}

// cpus are the numbers in a list of the kernel's, as in "0-2,4".
func cpus(t *steps.T, list string) (all []int) {
	for _, part := range strings.Split(list, ",") {
		var first, last int
		if n, _ := fmt.Sscanf(part, "%d-%d", &first, &last); n == 1 {
			last = first
		}
		for ; first <= last; first++ {
			all = append(all, first)
		}
	}
	return all
}

// tellsSystem asks for the firmware's tables: libvirt has them of dmidecode, and says so
// where that is not there or has none.
func tellsSystem(t *steps.T) {
	conn := t.Connection().Raw
	if !t.Run("dmidecode -q -t 1").OK() {
		t.Refuses("ask for the firmware's tables without dmidecode", libvirt.ERR_CONFIG_UNSUPPORTED, func() error { _, err := conn.GetSysinfo(0); return err })
		return
	}
	t.Expect(steps.Get(t, "ask for the firmware's tables", func() (string, error) { return conn.GetSysinfo(0) })).To(ContainSubstring("<sysinfo type='smbios'>"))
}

var _ = check.Register("O-HP", check.Spec{
	Asserts:  "libvirt counts free pages of each size as the kernel does, and gives the host the huge pages that it is asked for",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "1.2.9")},
	Depends:  check.On(matrix.Linux, matrix.Libvirt),
	Control:  sabotage.ChangeCode("virNodeGetFreePages", libvirt.ERR_INTERNAL_ERROR),
}, func(t *steps.T) {
	const large = 2048
	conn := t.Connection().Raw
	free := steps.Get(t, "ask for free pages", func() ([]uint64, error) { return conn.GetFreePages([]uint64{4, large}, 0, 1, 0) })
	t.Expect(free).To(HaveLen(2), "sizes of pages")
	pools := "/sys/devices/system/node/node0/hugepages/hugepages-2048kB/"
	t.Expect(strconv.FormatUint(free[1], 10)).To(Equal(t.Sh("cat "+pools+"free_hugepages")), "free huge pages")
	t.Expect(t.VirshSays("freepages --cellno 0 --pagesize 4")).To(ContainSubstring("4KiB"))
	t.Refuses("ask for free pages of a size that there is none of", libvirt.ERR_OPERATION_FAILED, func() error {
		_, err := conn.GetFreePages([]uint64{5}, 0, 1, 0)
		return err
	})
	alloc := func(n int64) error {
		_, err := conn.AllocPages(map[int]int64{large: n}, 0, 1, libvirt.NODE_ALLOC_PAGES_SET)
		return err
	}
	if t.Contained() { // where the pages are L0's, and cannot be had
		t.Refuses("allocate huge pages in a container", libvirt.ERR_SYSTEM_ERROR, func() error { return alloc(3) })
		return
	}
	t.Do("allocate huge pages", func() error { return alloc(3) })
	t.Expect(t.Sh("cat "+pools+"nr_hugepages")).To(Equal("3"), "huge pages of the host")
	t.VirshSays("allocpages --pagesize 2048 --pagecount 1 --cellno 0 --add")
	t.Expect(t.Sh("cat "+pools+"nr_hugepages")).To(Equal("4"), "huge pages of the host, when one was added")
	t.Do("give huge pages back", func() error { return alloc(0) })
	t.Expect(t.Sh("cat "+pools+"nr_hugepages")).To(Equal("0"), "huge pages of the host, when none was asked for")
})
