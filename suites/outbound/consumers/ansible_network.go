package consumers

import (
	"fmt"
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

func init() {
	ansible("C-ANS-NET", "Playbooks define a network, start it, have it start with the host, stop it and forget it, once each, and a guest gets its lease there",
		binding("virNetworkCreate"), networkLife)
	ansible("C-ANS-NET-HOST", "The address that a playbook keeps for a guest on a running network, and changes, is the guest's, also when the network starts anew",
		binding("virNetworkUpdate"), hostEntries)
	ansible("C-ANS-NET-FACTS", "What a playbook gathers of networks is what virsh tells, also where one of them has no bridge",
		module("a module that calls each network persistent", "modules/virt_net.py", "self.conn.get_persistent(entry)", "'no'"), networkFacts)
}

const (
	playNet = "vmplay"
	playXML = `<network><name>vmplay</name><uuid>5a6b7c8d-0000-4000-8000-00000000000a</uuid><bridge name='vmplay0' stp='off'/>
  <ip address='192.168.187.1' netmask='255.255.255.0'><dhcp><range start='192.168.187.2' end='192.168.187.99'/></dhcp></ip></network>`
	bridgeless = `<network><name>vmdirect</name><forward mode='bridge'><interface dev='lo'/></forward></network>`
)

// net is a task about the network of playbooks.
func net(a *steps.Ansible, name string, more steps.Args) steps.Task {
	args := steps.Args{"name": playNet}
	for key, value := range more {
		args[key] = value
	}
	return a.VirtNet(name, args)
}

func networkLife(t *steps.T, a *steps.Ansible) {
	t.ForgetNetwork(playNet)
	state := func(state string) steps.Task { return net(a, state, steps.Args{"state": state}) }
	once := func(task steps.Task) {
		a.Play(task).ExpectChanged(task.Name)
		a.Play(task).ExpectChanged()
	}
	once(net(a, "present", steps.Args{"state": "present", "xml": playXML}))
	once(state("active"))
	once(net(a, "autostart", steps.Args{"autostart": true}))
	info := t.VirshSays("net-info " + playNet)
	t.Expect(strings.Fields(info)).To(ContainElements("vmplay0"), "virsh's words of the network")
	t.Expect(t.VirshSays("net-list --autostart --name")).To(ContainSubstring(playNet), "networks that start with the host and run")
	_, g := t.Started(domain.WithNIC(domain.NIC{Network: playNet, MAC: someMAC}))
	t.Expect(g.DHCP(g.NIC(someMAC).Name).Address.String()).To(HavePrefix("192.168.187."), "the guest's address")
	once(state("inactive"))
	t.Expect(t.VirshSays("net-list --name")).NotTo(ContainSubstring(playNet), "networks that run once it was stopped")
	once(state("active"))
	once(state("absent"))
	t.ExpectNoNetwork(playNet)
	t.Expect(t.Run("ip link show vmplay0").OK()).To(BeFalse(), "the network's bridge is there")
}

func hostEntries(t *steps.T, a *steps.Ansible) {
	t.ForgetNetwork(playNet)
	entry := func(name string, n int) steps.Task {
		return net(a, name, steps.Args{"command": "modify", "xml": fmt.Sprintf("<host mac='%s' ip='192.168.187.%d'/>", someMAC, n)})
	}
	a.Play(net(a, "define", steps.Args{"command": "define", "xml": playXML}), net(a, "active", steps.Args{"state": "active"}), entry("keep", 142)).ExpectChanged("define", "active", "keep")
	_, g := t.Started(domain.WithNIC(domain.NIC{Network: playNet, MAC: someMAC}))
	gets := func(n int, when string) {
		t.Expect(g.DHCP(g.NIC(someMAC).Name).Address.Addr().String()).To(Equal(fmt.Sprintf("192.168.187.%d", n)), "the guest's address %s", when)
	}
	gets(142, "that was kept for it")
	a.Play(entry("keep", 142)).ExpectChanged()
	a.Play(entry("change", 143)).ExpectChanged("change")
	gets(143, "that was changed")
	t.ExpectSays("the network's definition", t.VirshSays("net-dumpxml --inactive "+playNet), "/network/ip/dhcp/host/@ip=192.168.187.143")
}

func networkFacts(t *steps.T, a *steps.Ansible) {
	var said struct {
		Networks map[string]struct{ Autostart, Persistent, State, Bridge, UUID string }
	}
	t.StartNetwork(playXML)
	gather := a.VirtNet("info", steps.Args{"command": "info"})
	a.Play(gather).ExpectOK().Returned("info", &said)
	told := said.Networks[playNet]
	t.Expect([]string{told.Autostart, told.Persistent, told.State, told.Bridge, told.UUID}).To(
		Equal([]string{"no", "yes", "active", "vmplay0", t.VirshSays("net-uuid " + playNet)}), "what a playbook gathered of the network")
	t.DefineNetwork(bridgeless)
	a.Play(gather).ExpectOK().Returned("info", &said)
	t.Expect(said.Networks).To(HaveKey("vmdirect"), "networks of which a playbook gathered facts")
}
