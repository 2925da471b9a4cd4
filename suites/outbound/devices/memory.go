package devices

import (
	"fmt"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// ballooned is what of a guest's memory a check takes away, in KiB.
const ballooned = 32 << 10

var _ = check.Register("O-HP-MEM", check.Spec{
	Asserts:  "A running guest gives memory back and gets it again, and has the memory device that it was given until that is detached",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "1.2.14")},
	Depends:  check.On(matrix.Linux, matrix.QEMU, matrix.Libvirt, matrix.XenHyp, "machine", "firmware", "accel"),
	Control:  sabotage.Swallow("virDomainSetMemoryFlags"),
}, func(t *steps.T) {
	if t.Kind() == matrix.Xen {
		balloons(t, t.Guest())
		return
	}
	const size, block = 128, 128 << 20
	d, g := t.Started(domain.WithSize(domain.Size{MemoryMB: 256, MaxMemoryMB: 512}), domain.WithRootPorts(3))
	balloons(t, g)
	// bytes is the guest's memory that is there, used or not.
	bytes := func() int64 {
		m := g.MemoryNow()
		return int64(len(m.Blocks.Online)+len(m.Blocks.Offline)) * m.BlockBytes
	}
	before, used := bytes(), g.MemoryNow().TotalKB
	dimm := domain.NewMemory(size)
	d.Attach(dimm)
	t.Until(plugLimit, "the guest has the memory device", func() bool { return bytes() == before+block })
	t.Expect(d.Live().Devices.Memorydevs).To(HaveLen(1), "memory devices in the live XML")
	for _, unit := range g.MemoryNow().Blocks.Offline {
		g.Online(unit)
	}
	t.Until(plugLimit, "the guest uses the memory device", func() bool { return g.MemoryNow().TotalKB >= used+block>>10-block>>14 })
	plugged := d.Live().Devices.Memorydevs[0]
	if err := t.Try("detach memory device", func() error {
		return d.Raw.DetachDeviceFlags(t.Marshal(&plugged), libvirt.DOMAIN_DEVICE_MODIFY_LIVE)
	}); err != nil {
		t.Note("the memory device was not detached: %s", steps.Text(err)) // a guest need not let it go
	}
	t.Until(plugLimit, "the guest has as many memory devices as the live XML", func() bool {
		return bytes() == before+int64(len(d.Live().Devices.Memorydevs))*block
	})
	t.Note("the live XML has %d memory devices after that was detached", len(d.Live().Devices.Memorydevs))
	g.ExpectSameBoot(g.Tick())
})

// balloons takes memory from a guest and gives it back.
func balloons(t *steps.T, g *steps.Guest) {
	d := g.Domain
	all, seen := d.Info().Memory, g.MemoryNow().TotalKB
	less := all - ballooned
	t.Do("take memory from the guest", func() error { return d.Raw.SetMemoryFlags(less, libvirt.DOMAIN_MEM_LIVE) })
	t.Until(plugLimit, "the guest has given memory back", func() bool { return g.MemoryNow().TotalKB <= seen-ballooned/2 })
	t.Until(plugLimit, "libvirt counts what the guest has left", func() bool { return d.Info().Memory == less })
	t.Expect(t.VirshSays("dommemstat " + d.Name)).To(ContainSubstring(fmt.Sprintf("actual %d", less)))
	t.VirshSays(fmt.Sprintf("setmem %s %d --live", d.Name, all))
	t.Until(plugLimit, "the guest has its memory again", func() bool { return g.MemoryNow().TotalKB >= seen-1<<10 })
	t.Refuses("give the guest more memory than its maximum", libvirt.ERR_INVALID_ARG, func() error { return d.Raw.SetMemoryFlags(all*2, libvirt.DOMAIN_MEM_LIVE) })
}
