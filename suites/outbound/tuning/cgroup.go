package tuning

import (
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// The files are those of control groups of version 2.
var _ = check.Register("O-CGRP", check.Spec{
	Asserts:  "What a guest is given of memory, processors, disks and nodes is in its control groups, at once and after the next start",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.OwnKernel, matrix.Since(matrix.Libvirt, "4.9.0")},
	Depends:  check.On(matrix.Linux, matrix.QEMU, matrix.Libvirt),
	Control:  sabotage.Swallow("virDomainSetMemoryParameters"),
}, func(t *steps.T) {
	g := t.Guest()
	d, both := g.Domain, libvirt.DOMAIN_AFFECT_LIVE|libvirt.DOMAIN_AFFECT_CONFIG
	disk := t.Sh("findmnt -no SOURCE -T " + host.ScratchDir)
	number := t.Sh("findmnt -no MAJ:MIN -T " + host.ScratchDir)
	t.Do("limit memory", func() error {
		return d.Raw.SetMemoryParameters(&libvirt.DomainMemoryParameters{HardLimitSet: true, HardLimit: 1 << 20, SoftLimitSet: true, SoftLimit: 900 << 10}, both)
	})
	t.Do("share processors", func() error {
		return d.Raw.SetSchedulerParametersFlags(&libvirt.DomainSchedulerParameters{
			CpuSharesSet: true, CpuShares: 200, EmulatorPeriodSet: true, EmulatorPeriod: 100000, EmulatorQuotaSet: true, EmulatorQuota: 50000,
		}, both)
	})
	t.VirshSays("schedinfo " + d.Name + " --live --config --set vcpu_period=100000 --set vcpu_quota=60000 >/dev/null")
	t.VirshSays("blkiotune " + d.Name + " --live --config --device-write-bytes-sec " + disk + ",1048576")
	t.VirshSays("numatune " + d.Name + " --config --mode strict --nodeset 0")
	hasLimits(t, d, number)
	g.ExpectSameBoot(g.Tick())
	d.Destroy()
	d.Start()
	d.Guest()
	hasLimits(t, d, number)
	is(t, d, "cpuset.mems", "0")
})

// hasLimits looks for what the check gave the guest, in the groups that libvirt made.
func hasLimits(t *steps.T, d *steps.Domain, disk string) {
	is(t, d, "memory.max", "1073741824")
	is(t, d, "memory.high", "943718400")
	is(t, d, "cpu.weight", "200")
	is(t, d, "emulator/cpu.max", "50000 100000")
	is(t, d, "vcpu0/cpu.max", "60000 100000")
	is(t, d, "io.max", disk+" rbps=max wbps=1048576 riops=max wiops=max")
}

// is asserts that one of the guest's control groups has a file with that in it: libvirt
// has put guests into one group or into several, in each other.
func is(t *steps.T, d *steps.Domain, file, want string) {
	files := strings.Split(t.Sh("find "+d.ControlGroup()+" -path '*/"+file+"' -exec cat {} +"), "\n")
	t.Expect(files).To(ContainElement(want), "%s in the guest's control groups", file)
}
