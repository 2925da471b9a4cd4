package features

import (
	"fmt"
	"regexp"
	"strconv"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/internal/layout"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// The model has two threads in a core for the kernel only if it is not AMD's.
const (
	sockets = `<cpu mode='custom' match='exact'><model fallback='forbid'>Nehalem</model>
<topology sockets='2' cores='1' threads='2'/>`
	nodes = `<numa>
<cell id='0' cpus='0-1' memory='131072' unit='KiB'><distances><sibling id='0' value='10'/><sibling id='1' value='25'/></distances></cell>
<cell id='1' cpus='2-3' memory='196608' unit='KiB'><distances><sibling id='0' value='25'/><sibling id='1' value='10'/></distances></cell>
</numa></cpu>`
)

var _ = check.Register("O-KEEP-NUMA", check.Spec{
	Asserts:  "A guest keeps its NUMA nodes with their memory and distances, its sockets and its threads, and its kernel sees them",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "3.10.0")},
	Depends:  check.On(matrix.Linux, matrix.QEMU, matrix.Libvirt, "machine", "firmware", "accel"),
	Control:  sabotage.Wrap(layout.Emulator, "an emulator whose threads are cores", `exec $REAL "${@/cores=1,threads=2/cores=2,threads=1}"`),
}, func(t *steps.T) {
	keeps(t, feature{top: sockets + nodes, size: domain.Size{CPUs: 4, MemoryMB: 320}, seen: func(t *steps.T, _ *steps.Domain, g *steps.Guest) {
		sees := func(file, want string) {
			t.Expect(g.LoadFile("/sys/devices/system/"+file)).To(Equal(want+"\n"), "what the guest's kernel says in %s", file)
		}
		for node, cpus := range []string{"0-1", "2-3"} {
			sees(fmt.Sprintf("node/node%d/cpulist", node), cpus)
			sees(fmt.Sprintf("node/node%d/distance", node), []string{"10 25", "25 10"}[node])
			sees(fmt.Sprintf("cpu/cpu%d/topology/thread_siblings_list", 2*node), cpus)
			sees(fmt.Sprintf("cpu/cpu%d/topology/physical_package_id", 2*node+1), strconv.Itoa(node))
			total := regexp.MustCompile(`MemTotal: +(\d+) kB`).FindStringSubmatch(g.LoadFile(fmt.Sprintf("/sys/devices/system/node/node%d/meminfo", node)))
			t.Expect(total).To(HaveLen(2), "memory of node %d", node)
			kib, _ := strconv.Atoi(total[1])
			t.Expect(kib>>10).To(BeNumerically("~", []int{128, 192}[node], 80), "memory of node %d in MiB, without what its kernel keeps", node)
		}
	}})
})
