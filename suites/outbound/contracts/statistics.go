package contracts

import (
	"regexp"
	"slices"
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

func init() {
	vdsm("C-VDSM-STATS", "The statistics of all running guests have each key that vdsm reads, by its name",
		sabotage.Filter("virsh", "a virsh that names bytes otherwise", `s/tx\.bytes/tx.octets/`), counts, bridge)
	vdsm("C-VDSM-AGENT", "An agent tells what it can, its system and its guest's addresses; one that is not connected is told from one that lacks a command",
		sabotage.ChangeCode("virDomainFSFreeze", libvirt.ERR_INTERNAL_ERROR), asksAgent)
}

// statistics are what vdsm reads (sampling.py, vmstats.py). Of the balloon's only the
// current size is always there: the others come from the guest's driver.
var statistics = []string{
	`vcpu\.current`, `vcpu\.0\.state`, `vcpu\.0\.time`, `balloon\.current`,
	`net\.count`, `net\.0\.name`, `net\.0\.rx\.bytes`, `net\.0\.rx\.errs`, `net\.0\.rx\.drop`, `net\.0\.tx\.bytes`, `net\.0\.tx\.errs`, `net\.0\.tx\.drop`,
	`block\.count`, `block\.0\.name`, `block\.0\.rd\.bytes`, `block\.0\.rd\.reqs`, `block\.0\.rd\.times`, `block\.0\.wr\.bytes`, `block\.0\.wr\.reqs`, `block\.0\.wr\.times`,
	`block\.0\.fl\.reqs`, `block\.0\.fl\.times`, `block\.0\.allocation`, `block\.0\.capacity`, `block\.0\.physical`,
}

// processorTime is read from control groups by old versions, which a container has none of,
// and from the emulator's process by newer ones.
var processorTime = []string{`cpu\.time`, `cpu\.user`, `cpu\.system`}

var optional = []string{"balloon.available", "balloon.unused", "balloon.major_fault", "balloon.minor_fault", "balloon.swap_in", "balloon.swap_out"}

func counts(t *steps.T) {
	t.OwnBridge("vmstat0", "192.168.189.1", "--dhcp-range=192.168.189.2,192.168.189.99")
	t.StartNetwork("<network><name>vmstat</name><forward mode='bridge'/><bridge name='vmstat0'/></network>")
	d, g := t.Started(domain.WithDisk(t.DiskImage("disk", mib), "raw", domain.At(disk, "virtio")), domain.WithNIC(domain.NIC{Network: "vmstat", MAC: cardMAC}))
	g.DHCP(g.NIC(cardMAC).Name)
	g.WriteAt(disk, 0, one)
	t.Do("have the balloon tell", func() error { return d.Raw.SetMemoryStatsPeriod(1, libvirt.DOMAIN_MEM_LIVE) })
	said := t.VirshSays("domstats --state --cpu-total --balloon --vcpu --interface --block --list-running")
	t.KeepText("statistics", said)
	var lost []string
	keys := statistics
	if t.AtLeast(matrix.Libvirt, "9.0") {
		keys = slices.Concat(keys, processorTime)
	} else {
		t.Note("%q are not asked for: they come from control groups, which this host has none of", processorTime)
	}
	for _, key := range keys {
		if !regexp.MustCompile(`(?m)^\s*` + key + `=\S`).MatchString(said) {
			lost = append(lost, key)
		}
	}
	t.Expect(lost).To(BeEmpty(), "keys that vdsm reads and the statistics lack")
	for _, key := range optional {
		if !strings.Contains(said, key+"=") {
			t.Note("the statistics lack %s, which vdsm does without", key)
		}
	}
	stats := steps.Get(t, "ask for statistics", func() ([]libvirt.DomainStats, error) {
		return t.Connection().Raw.GetAllDomainStats(nil, libvirt.DOMAIN_STATS_STATE|libvirt.DOMAIN_STATS_CPU_TOTAL|libvirt.DOMAIN_STATS_BALLOON|libvirt.DOMAIN_STATS_VCPU|libvirt.DOMAIN_STATS_INTERFACE|libvirt.DOMAIN_STATS_BLOCK,
			libvirt.CONNECT_GET_ALL_DOMAINS_STATS_RUNNING)
	})
	for _, s := range stats {
		if name := steps.Get(t, "ask for name", s.Domain.GetName); name == d.Name {
			t.Expect(s.Block[0].WrBytes).To(BeNumerically(">=", 512), "bytes that the guest wrote")
			t.Expect(s.Net[0].RxBytes).To(BeNumerically(">", 0), "bytes that came to the guest")
		}
		_ = s.Domain.Free()
	}
}

func asksAgent(t *steps.T) {
	d := t.Define(domain.WithAgent, domain.WithNIC(domain.NIC{MAC: cardMAC}))
	freeze := func() error { return d.Raw.FSFreeze(nil, 0) }
	d.Start()
	t.Refuses("freeze a guest that has only begun to boot", libvirt.ERR_AGENT_UNRESPONSIVE, freeze)
	g := d.Guest()
	d.WaitAgent()
	ask := func(command string) (string, error) {
		return d.Raw.QemuAgentCommand(`{"execute":"`+command+`"}`, 10, 0)
	}
	for command, want := range map[string]string{"guest-info": `"supported_commands"`, "guest-get-host-name": l2.Hostname(g.Token), "guest-get-osinfo": "kernel-release"} {
		t.Expect(steps.Get(t, "ask agent for "+command, func() (string, error) { return ask(command) })).To(ContainSubstring(want), "answer to %s", command)
	}
	t.Expect(steps.Code(t.Try("ask an agent for what it lacks", func() error { _, err := ask("guest-get-users"); return err }))).NotTo(
		BeElementOf(libvirt.ERR_OK, libvirt.ERR_AGENT_UNRESPONSIVE), "code of a command that the agent lacks")
	g.DHCP(g.NIC(cardMAC).Name)
	found := false
	for _, i := range steps.Get(t, "ask agent for addresses", func() ([]libvirt.DomainInterface, error) {
		return d.Raw.ListAllInterfaceAddresses(libvirt.DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT)
	}) {
		found = found || i.Hwaddr == cardMAC && len(i.Addrs) > 0 && i.Addrs[0].Addr != ""
	}
	t.Expect(found).To(BeTrue(), "the agent tells the address of the guest's card")
	t.Do("freeze the guest's file systems", freeze)
	t.Do("thaw the guest's file systems", func() error { return d.Raw.FSThaw(nil, 0) })
	t.Do("set the guest's time", func() error { return d.Raw.SetTime(g.Clock().Unix(), 0, 0) })
}
