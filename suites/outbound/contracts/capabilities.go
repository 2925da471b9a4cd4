package contracts

import (
	"encoding/xml"
	"fmt"
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"
)

func init() {
	vdsm("C-VDSM-CAPS", "The capabilities tell machines with their canonical names, live snapshots and the cells of the host, whose memory is told by cell",
		sabotage.Alter("virConnectGetCapabilities", "<disksnapshot", "<disksnapshto"), tells)
	vdsm("C-VDSM-CPUMAP", "The processors' map is a file at its old place, and each of its models is compared with the host's processor",
		sabotage.Command("a map that is not there", "rm -f "+cpuMap), mapped)
	vdsm("C-VDSM-CPUS", "The domain capabilities list models of processors with their use, for the host's architecture, its emulator and machine left open",
		sabotage.Alter("virConnectGetDomainCapabilities", "usable='yes'", "usable='yse'"), lists)
}

// arch is the architecture of all hosts.
const arch = "x86_64"

func capabilities(t *steps.T) (caps libvirtxml.Caps) {
	t.Parse("the capabilities", steps.Get(t, "ask for capabilities", t.Connection().Raw.GetCapabilities), &caps)
	return caps
}

// tells reads machines as vdsm does: those of the domain type kvm, or the architecture's
// where there is no such type.
func tells(t *steps.T) {
	caps, machines := capabilities(t), map[string]string{}
	for _, g := range caps.Guests {
		if g.Arch.Name != arch || g.OSType != "hvm" {
			continue
		}
		from := g.Arch.Machines
		for _, d := range g.Arch.Domains {
			if d.Type == "kvm" && len(d.Machines) > 0 {
				from = d.Machines
			}
		}
		for _, m := range from {
			machines[m.Name] = m.Canonical
		}
		t.Expect(g.Features.DiskSnapshot).NotTo(BeNil(), "the feature of live snapshots")
		t.Expect(g.Features.DiskSnapshot.Default).To(Equal("on"), "live snapshots")
	}
	t.Expect(machines).To(HaveKey(t.Machine()))
	t.Expect(machines["pc"]).To(HavePrefix("pc-i440fx-"), "what the machine pc is")
	t.Note("pc is %s", machines["pc"])

	cells, cpus := caps.Host.NUMA.Cells.Cells, 0
	for _, c := range cells {
		for _, cpu := range c.CPUS.CPUs {
			cpus++
			t.Expect(cpu.SocketID != nil && cpu.Siblings != "").To(BeTrue(), "socket and siblings of processor %d are told", cpu.ID)
		}
		memory(t, c.ID, len(cells))
	}
	t.Expect(fmt.Sprint(cpus)).To(Equal(t.Sh("grep -c ^processor /proc/cpuinfo")), "processors of all cells")
}

// memory asks for the memory of a cell, which is -1 where there is only one.
func memory(t *steps.T, cell, cells int) {
	if cells == 1 {
		cell = -1
	}
	got := steps.Get(t, "ask for memory", func() (*libvirt.NodeMemoryStats, error) { return t.Connection().Raw.GetMemoryStats(cell, 0) })
	t.Expect(got.TotalSet && got.FreeSet && got.Free <= got.Total).To(BeTrue(), "total and free memory of cell %d are told: %+v", cell, got)
	if cells == 1 {
		t.Expect(fmt.Sprint(got.Total)).To(Equal(t.Sh("sed -n 's/^MemTotal: *\\([0-9]*\\) kB/\\1/p' /proc/meminfo")), "memory of the host in KiB")
	}
}

// cpuMap is where vdsm up to 4.20 looks for models. libvirt has a folder of files since 4.7.
const cpuMap = "/usr/share/libvirt/cpu_map.xml"

func mapped(t *steps.T) {
	var all struct {
		Archs []struct {
			Name   string `xml:"name,attr"`
			Models []struct {
				Name string `xml:"name,attr"`
			} `xml:"model"`
		} `xml:"arch"`
	}
	t.Expect(t.Exists(cpuMap)).To(BeTrue(), "the map of processors is at %s", cpuMap)
	t.Expect(xml.Unmarshal([]byte(t.Sh("cat "+cpuMap)), &all)).To(Succeed(), "the map of processors")
	usable := 0
	for _, a := range all.Archs {
		for _, m := range a.Models {
			got, err := t.Connection().Raw.CompareCPU("<cpu match='minimum'><model>"+m.Name+"</model></cpu>", 0)
			if err == nil && got != libvirt.CPU_COMPARE_INCOMPATIBLE && a.Name == "x86" {
				usable++
			}
		}
	}
	t.Expect(usable).To(BeNumerically(">", 0), "models that the host can be")
}

func lists(t *steps.T) {
	kind := t.Settings().Type
	var caps libvirtxml.DomainCaps
	t.Parse("the domain capabilities", steps.Get(t, "ask for domain capabilities", func() (string, error) {
		return t.Connection().Raw.GetDomainCapabilities("", arch, "", kind, 0)
	}), &caps)
	usable := map[string][]string{}
	for _, m := range caps.CPU.Modes {
		if m.Name == "custom" && m.Supported == "yes" {
			for _, model := range m.Models {
				usable[model.Usable] = append(usable[model.Usable], model.Name)
			}
		}
	}
	t.Expect(usable["yes"]).To(ContainElements("qemu64", "Nehalem"), "models that guests of %s can have", kind)
	for word := range usable {
		t.Expect(word).To(BeElementOf("yes", "no", "unknown"), "whether a model can be used")
	}
	t.Note("%d models can be used, %d cannot: %s", len(usable["yes"]), len(usable["no"]), strings.Join(usable["no"], ", "))
}
