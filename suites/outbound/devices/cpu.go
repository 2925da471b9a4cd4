package devices

import (
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

var _ = check.Register("O-HP-CPU", check.Spec{
	Asserts:  "Processors come to a running guest as libvirt counts them, its agent takes them offline, and none comes beyond the maximum",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "3.1.0")},
	Depends:  check.On(matrix.Linux, matrix.QEMU, matrix.Libvirt, "machine", "firmware", "accel"),
	Control:  sabotage.Swallow("virDomainSetVcpusFlags"),
}, func(t *steps.T) {
	d, g := t.Started(domain.WithSize(domain.Size{CPUs: 1, MaxCPUs: 3}), domain.WithAgent)
	d.WaitAgent()
	t.Do("plug a processor", func() error { return d.Raw.SetVcpusFlags(2, libvirt.DOMAIN_VCPU_LIVE) })
	agreeOnCPUs(t, g, 2)
	t.Do("plug the third processor", func() error {
		return d.Raw.SetVcpu([]bool{false, false, true}, true, uint32(libvirt.DOMAIN_AFFECT_LIVE))
	})
	agreeOnCPUs(t, g, 3)
	t.Expect(steps.Get(t, "ask for processors of the next start", func() (int32, error) { return d.Raw.GetVcpusFlags(libvirt.DOMAIN_VCPU_CONFIG) })).To(BeNumerically("==", 1))
	t.Refuses("plug more processors than the maximum", libvirt.ERR_INVALID_ARG, func() error { return d.Raw.SetVcpusFlags(4, libvirt.DOMAIN_VCPU_LIVE) })
	if t.GuestTakesCPUs() {
		takesOffline(t, d, g)
	}
	t.VirshSays("setvcpus " + d.Name + " 2 --config")
	d.Destroy()
	d.Start()
	t.Expect(d.Guest().CPUs().Online).To(HaveLen(2), "processors of the guest that was started with two")
})

var _ = check.Register("O-HP-CPU-OUT", check.Spec{
	Asserts:  "When a guest lets a processor go, libvirt, the emulator and the guest agree on how many there are",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "3.1.0")},
	Depends:  check.On(matrix.Linux, matrix.QEMU, matrix.Libvirt, "machine", "firmware", "accel"),
	Control:  sabotage.SetWord("virDomainGetVcpusFlags", 0, 7),
}, func(t *steps.T) {
	d, g := t.Started(domain.WithSize(domain.Size{CPUs: 1, MaxCPUs: 2}))
	t.VirshSays("setvcpus " + d.Name + " 2 --live")
	agreeOnCPUs(t, g, 2)
	// A guest need not let a processor go, or not soon. What libvirt says becomes so.
	err := t.Try("unplug processor", func() error { return d.Raw.SetVcpu([]bool{false, true}, false, uint32(libvirt.DOMAIN_AFFECT_LIVE)) })
	if err != nil {
		t.Note("libvirt did not see the processor go: %s", steps.Text(err))
	}
	agreeOnCPUs(t, g, 0)
	g.ExpectSameBoot(g.Tick())
})

// agreeOnCPUs waits until libvirt, the emulator and the guest have the same number of
// processors. If n is not 0 it is n, and libvirt says so at once.
func agreeOnCPUs(t *steps.T, g *steps.Guest, n int) {
	counted := func() int {
		return int(steps.Get(t, "ask for processors", func() (int32, error) { return g.Domain.Raw.GetVcpusFlags(libvirt.DOMAIN_VCPU_LIVE) }))
	}
	if n > 0 {
		t.Expect(counted()).To(Equal(n), "processors that libvirt counts")
	}
	t.Until(plugLimit, "libvirt, the emulator and the guest agree on processors", func() bool {
		threads, seen := 0, g.CPUs()
		for name := range g.Domain.Threads() {
			if strings.HasPrefix(name, "CPU ") {
				threads++
			}
		}
		return threads == counted() && (!t.GuestTakesCPUs() || len(seen.Online)+len(seen.Offline) == threads)
	})
}

// takesOffline has the agent take a processor offline and bring it back.
func takesOffline(t *steps.T, d *steps.Domain, g *steps.Guest) {
	g.Online("cpu1")
	t.Do("have the guest take a processor offline", func() error { return d.Raw.SetGuestVcpus([]bool{false, true}, false, 0) })
	t.Expect(g.CPUs().Offline).To(ContainElement("cpu1"))
	t.VirshSays("guestvcpus " + d.Name + " --cpulist 1 --enable")
	t.Expect(g.CPUs().Online).To(ContainElement("cpu1"))
	told := steps.Get(t, "ask for the guest's processors", func() (*libvirt.DomainGuestVcpus, error) { return d.Raw.GetGuestVcpus(0) })
	t.Expect(told.Online[:2]).To(Equal([]bool{true, true}), "processors that are online, as the guest's agent says")
}
