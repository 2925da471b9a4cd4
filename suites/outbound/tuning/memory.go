package tuning

import (
	"strconv"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

var _ = check.Register("O-MEM-RULES", check.Spec{
	Asserts:  "A domain's maximum of memory changes only while it is off, and what is set for the next start waits for it",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "0.9.0")},
	Depends:  check.On(matrix.QEMU, matrix.Libvirt, "machine", "firmware"),
	Control:  sabotage.Swallow("virDomainSetMemoryFlags"),
}, func(t *steps.T) {
	d := t.Define()
	first := uint64(t.GuestMemoryKB())
	set := func(kib uint64, flags libvirt.DomainMemoryModFlags) func() error {
		return func() error { return d.Raw.SetMemoryFlags(kib, flags) }
	}
	t.Do("set the maximum of a domain that is off", set(first*2, libvirt.DOMAIN_MEM_CONFIG|libvirt.DOMAIN_MEM_MAXIMUM))
	t.Do("set the memory of a domain that is off", set(first+first/2, libvirt.DOMAIN_MEM_CONFIG))
	has := func(what string, maximum, now uint64) {
		info := d.Info()
		t.Expect([]uint64{info.MaxMem, info.Memory}).To(Equal([]uint64{maximum, now}), "maximum and memory of the domain, %s", what)
	}
	has("as set while it was off", first*2, first+first/2)
	t.Refuses("set memory of a running guest while the domain is off", libvirt.ERR_OPERATION_INVALID, set(first, libvirt.DOMAIN_MEM_LIVE))
	t.Refuses("set more memory than the maximum", libvirt.ERR_INVALID_ARG, set(first*4, libvirt.DOMAIN_MEM_CONFIG))
	d.Start()
	g := d.Guest()
	t.Until(steps.PlugLimit, "the guest has given back what is between its memory and its maximum", func() bool { return d.Info().Memory == first+first/2 })
	t.Expect(g.MemoryNow().TotalKB).To(And(BeNumerically(">", first), BeNumerically("<", first+first/2)), "memory that the guest sees")

	t.Refuses("set the maximum of a running guest", libvirt.ERR_OPERATION_INVALID, set(first*4, libvirt.DOMAIN_MEM_LIVE|libvirt.DOMAIN_MEM_MAXIMUM))
	t.Do("set the maximum of the next start", set(first, libvirt.DOMAIN_MEM_CONFIG|libvirt.DOMAIN_MEM_MAXIMUM))
	has("while it runs with another one", first*2, first+first/2)
	t.VirshSays("setmem " + d.Name + " " + strconv.FormatUint(first+first/4, 10) + " --live")
	t.Until(steps.PlugLimit, "the running guest has the memory that was set", func() bool { return d.Info().Memory == first+first/4 })
	d.Destroy()
	has("off again", first, first)
	d.Start()
	d.Guest()
	has("started with its new maximum", first, first)
})
