package host

import (
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"
)

var _ = check.Register("O-CPU", check.Spec{
	Asserts:  "libvirt knows its models of processors, and which of two processors can do what the other can",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "4.4.0")},
	Depends:  check.On(matrix.Linux, matrix.QEMU, matrix.Libvirt, "accel"),
	Control:  sabotage.SetWord("virConnectCompareCPU", 0, uint32(libvirt.CPU_COMPARE_INCOMPATIBLE)),
}, func(t *steps.T) {
	conn := t.Connection().Raw
	host := t.Marshal(capabilities(t).Host.CPU)
	compare := func(what, cpu string) libvirt.CPUCompareResult {
		return steps.Get(t, "compare "+what, func() (libvirt.CPUCompareResult, error) { return conn.CompareCPU(cpu, 0) })
	}
	t.Expect(compare("the host's processor", host)).To(Equal(libvirt.CPU_COMPARE_IDENTICAL), "the host's processor and itself")
	t.Expect(compare("a processor of few features", model("pentium"))).To(Equal(libvirt.CPU_COMPARE_SUPERSET), "the host's processor and one of few features")
	common := baseline(t, host, model("pentium"))
	t.Expect(compare("what both have", common)).To(Equal(libvirt.CPU_COMPARE_SUPERSET), "the host's processor and what it has in common with another")
	t.Refuses("compare a processor of no known model", libvirt.ERR_INTERNAL_ERROR, func() error { _, err := conn.CompareCPU(model("nosuch"), 0); return err })
	t.Refuses("compare what is no processor", libvirt.ERR_XML_DETAIL, func() error { _, err := conn.CompareCPU("<cpu", 0); return err })

	models := steps.Get(t, "ask for models", func() ([]string, error) { return conn.GetCPUModelNames(arch, 0) })
	t.Expect(strings.Fields(t.VirshSays("cpu-models "+arch))).To(Equal(models), "models that virsh tells")
	for _, name := range models {
		compare("model "+name, model(name))
	}
	known := domainModels(t)
	t.Expect(models).To(ContainElements(known), "models of the domain capabilities")
	fitsHypervisor(t)
})

// model is a processor of a model.
func model(name string) string {
	return "<cpu><arch>" + arch + "</arch><model>" + name + "</model></cpu>"
}

func baseline(t *steps.T, cpus ...string) string {
	return steps.Get(t, "ask what processors have in common", func() (string, error) { return t.Connection().Raw.BaselineCPU(cpus, 0) })
}

// domainCapabilities are those of the cell's own guests.
func domainCapabilities(t *steps.T) (caps libvirtxml.DomainCaps) {
	t.Parse("the domain capabilities", steps.Get(t, "ask for domain capabilities", func() (string, error) {
		return t.Connection().Raw.GetDomainCapabilities("", arch, t.Machine(), domainType(t), 0)
	}), &caps)
	return caps
}

// domainModels are the models that guests can be given.
func domainModels(t *steps.T) (names []string) {
	for _, mode := range domainCapabilities(t).CPU.Modes {
		if mode.Name == "custom" {
			for _, m := range mode.Models {
				names = append(names, m.Name)
			}
		}
	}
	t.Expect(names).NotTo(BeEmpty(), "models of the domain capabilities")
	return names
}

// fitsHypervisor: what the hypervisor's processor has in common with another is one that
// it can give a guest.
func fitsHypervisor(t *steps.T) {
	conn, caps := t.Connection().Raw, t.Scratch("caps.xml")
	t.Put(caps, steps.Get(t, "ask for domain capabilities", func() (string, error) {
		return conn.GetDomainCapabilities("", arch, t.Machine(), domainType(t), 0)
	}))
	of := " --virttype " + domainType(t) + " --machine " + t.Machine() + " " + caps
	common := t.VirshSays("hypervisor-cpu-baseline" + of)
	compare := func(cpu string) libvirt.CPUCompareResult {
		return steps.Get(t, "compare with the hypervisor's processor", func() (libvirt.CPUCompareResult, error) {
			return conn.CompareHypervisorCPU("", arch, t.Machine(), domainType(t), cpu, 0)
		})
	}
	t.Expect(compare(common)).To(BeElementOf(libvirt.CPU_COMPARE_IDENTICAL, libvirt.CPU_COMPARE_SUPERSET), "the hypervisor's processor and what it has in common with itself")
	t.Expect(t.VirshSays("hypervisor-cpu-compare"+of)).NotTo(ContainSubstring("incompatible"), "what virsh says of the hypervisor's own processor")
}
