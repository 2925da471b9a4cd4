// Package guest holds the checks of what is told of running guests and done with them.
package guest

import (
	"time"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

var _ = check.Register("O-STAT", check.Spec{
	Asserts:  "The statistics of a running domain come in all groups, in sane units",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "1.2.8")},
	Control:  sabotage.Alter("virConnectGetAllDomainStats", "block.0.wr.reqs", "block.0.wr.raqs"),
}, func(t *steps.T) {
	if t.Kind() == matrix.Xen {
		tellsSingleStatistics(t)
		return
	}
	g := t.Guest()
	d := g.Domain
	for _, group := range statGroups {
		if t.AtLeast(matrix.Libvirt, group.libvirt) && t.AtLeast(matrix.QEMU, group.qemu) {
			statistics(t, d, group.types)
		}
	}
	if !countsProcessor(t) {
		t.Note("the guest's processor time is not judged: libvirt %s has it from control groups alone", t.Version(matrix.Libvirt))
	}
	start := time.Now()
	before := statistics(t, d, 0)
	g.WriteAt(t.Settings().DiskName, 0, "written for the statistics")
	g.ExpectSameBoot(g.Tick())
	after := statistics(t, d, 0)
	isSane(t, before)
	isSane(t, after)
	if countsProcessor(t) {
		grew(t, "processor time", before.Cpu.Time, after.Cpu.Time, time.Since(start))
	}
	grew(t, "time of the virtual processor", before.Vcpu[0].Time, after.Vcpu[0].Time, time.Since(start))
	disk, earlier := after.Block[0], before.Block[0]
	t.Expect(disk.WrBytes-earlier.WrBytes).To(And(BeNumerically(">=", 512), BeNumerically("<=", 1<<20)), "bytes that the guest's write took")
	t.Expect(disk.WrReqs).To(BeNumerically(">", earlier.WrReqs))
	t.Expect(t.VirshSays("domstats " + d.Name)).To(ContainSubstring("state.state=1"))
})

// statGroups are the groups of virDomainStatsTypes with the first libvirt that
// has them, and the first qemu that serves them (qemuDomainGetStatsWorkers).
var statGroups = []struct {
	types         libvirt.DomainStatsTypes
	libvirt, qemu string
}{
	{libvirt.DOMAIN_STATS_STATE, "1.2.8", "0"},
	{libvirt.DOMAIN_STATS_CPU_TOTAL, "1.2.9", "0"},
	{libvirt.DOMAIN_STATS_BALLOON, "1.2.9", "0"},
	{libvirt.DOMAIN_STATS_VCPU, "1.2.9", "0"},
	{libvirt.DOMAIN_STATS_INTERFACE, "1.2.9", "0"},
	{libvirt.DOMAIN_STATS_BLOCK, "1.2.9", "0"},
	{libvirt.DOMAIN_STATS_PERF, "1.3.3", "0"},
	{libvirt.DOMAIN_STATS_IOTHREAD, "4.10", "2.9"},
	{libvirt.DOMAIN_STATS_MEMORY, "6.0", "0"},
	{libvirt.DOMAIN_STATS_DIRTYRATE, "7.2", "5.2"},
	{libvirt.DOMAIN_STATS_VM, "8.9", "7.1"},
}

// statistics asks for groups of statistics of one domain, or with 0 for all that
// there are. A group that is asked for by name must be there.
func statistics(t *steps.T, d *steps.Domain, types libvirt.DomainStatsTypes) libvirt.DomainStats {
	conn := t.Connection().Raw
	flags := libvirt.ConnectGetAllDomainStatsFlags(0)
	if types != 0 {
		flags = libvirt.CONNECT_GET_ALL_DOMAINS_STATS_ENFORCE_STATS
	}
	all := steps.Get(t, "ask for statistics", func() ([]libvirt.DomainStats, error) {
		return conn.GetAllDomainStats([]*libvirt.Domain{d.Raw}, types, flags)
	})
	t.Expect(all).To(HaveLen(1), "domains that the answer is about")
	return all[0]
}

// isSane looks at what the statistics say of the shared guest: one processor,
// its memory in KiB, its disk in bytes.
func isSane(t *steps.T, s libvirt.DomainStats) {
	t.Expect(s.State).NotTo(BeNil(), "state")
	t.Expect(s.State.State).To(Equal(libvirt.DOMAIN_RUNNING))
	if countsProcessor(t) {
		t.Expect(s.Cpu).NotTo(BeNil(), "processor")
	}
	t.Expect(s.Balloon).NotTo(BeNil(), "balloon")
	t.Expect(s.Balloon.Maximum).To(BeNumerically("==", t.GuestMemoryKB()))
	t.Expect(s.Balloon.Current).To(And(BeNumerically(">", 0), BeNumerically("<=", t.GuestMemoryKB())))
	t.Expect(s.Vcpu).To(HaveLen(1), "virtual processors")
	t.Expect(s.Vcpu[0].State).To(Equal(libvirt.VCPU_RUNNING))
	t.Expect(s.Net).To(BeEmpty(), "interfaces of a guest that has none")
	t.Expect(s.Block).To(HaveLen(1), "disks")
	t.Expect(s.Block[0].Name).To(Equal(t.Settings().DiskName))
	t.Expect(s.Block[0].Capacity).To(BeNumerically("==", steps.SharedDiskBytes))
	t.Expect(s.Block[0].Allocation).To(BeNumerically("<=", steps.SharedDiskBytes))
}

// countsProcessor says whether libvirt can tell a guest's processor time here. 7.0
// has it from control groups alone, which it gets none of in a container; 9.0 has
// other ways.
func countsProcessor(t *steps.T) bool {
	return !t.Contained() || t.AtLeast(matrix.Libvirt, "9.0")
}

// grew asserts that a time in nanoseconds grew, and not beyond what two
// processors of L1 could give in the wall's time.
func grew(t *steps.T, what string, before, after uint64, wall time.Duration) {
	t.Expect(time.Duration(after-before)).To(And(BeNumerically(">", 0), BeNumerically("<", 2*wall)), "growth of %s in %s", what, wall)
}

// tellsSingleStatistics asks call by call on Xen, where the libxl driver has no
// statistics in bulk (libxlHypervisorDriver lacks connectGetAllDomainStats).
func tellsSingleStatistics(t *steps.T) {
	g := t.Guest()
	d := g.Domain
	conn := t.Connection().Raw
	t.Refuses("ask for statistics in bulk", libvirt.ERR_NO_SUPPORT, func() error {
		_, err := conn.GetAllDomainStats([]*libvirt.Domain{d.Raw}, 0, 0)
		return err
	})
	start := time.Now()
	before := d.Info()
	g.ExpectSameBoot(g.Tick())
	after := d.Info()
	grew(t, "processor time", before.CpuTime, after.CpuTime, time.Since(start))
	t.Expect(after.MaxMem).To(BeNumerically("==", t.GuestMemoryKB()))
	t.Expect(after.Memory).To(And(BeNumerically(">", 0), BeNumerically("<=", t.GuestMemoryKB())))
	t.Expect(after.NrVirtCpu).To(BeNumerically("==", 1))
	memory := steps.Get(t, "ask for memory statistics", func() ([]libvirt.DomainMemoryStat, error) { return d.Raw.MemoryStats(20, 0) })
	t.Expect(memory).To(ContainElement(libvirt.DomainMemoryStat{Tag: int32(libvirt.DOMAIN_MEMORY_STAT_AVAILABLE), Val: uint64(t.GuestMemoryKB())}))
	cpu := steps.Get(t, "ask for processor statistics", func() ([]libvirt.DomainCPUStats, error) { return d.Raw.GetCPUStats(-1, 1, 0) })
	t.Expect(cpu).To(HaveLen(1))
	t.Expect(cpu[0].CpuTime).To(BeNumerically(">=", after.CpuTime))
	// A raw file is served by a qemu of its own, which the driver does not ask
	// (libxlDomainBlockStatsGatherSingle).
	t.Refuses("ask for disk statistics", libvirt.ERR_OPERATION_UNSUPPORTED, func() error { _, err := d.Raw.BlockStatsFlags("xvda", 0); return err })
}
