// Package network holds the checks of libvirt's networks, as guests see them.
package network

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// A network of the check's own: the name and the bridge say so.
const (
	bridge  = "vmnat0"
	subnet  = "192.168.190"
	address = subnet + ".77"
	mac     = "52:54:00:19:00:77"
	nat     = `<network>
  <name>virtmatrix</name>
  <forward mode='nat'/>
  <bridge name='` + bridge + `' stp='off'/>
  <ip address='` + subnet + `.1' netmask='255.255.255.0'>
    <dhcp>
      <range start='` + subnet + `.100' end='` + subnet + `.200'/>
      <host mac='` + mac + `' name='guest' ip='` + address + `'/>
    </dhcp>
  </ip>
</network>`
)

// traces is what a network leaves on a host: its bridge, its rules, its dnsmasq.
const traces = `{ ip link show ` + bridge + `; nft list ruleset; iptables-save; pgrep -af "[d]nsmasq.*virtmatrix"; } 2>/dev/null | grep -e ` + bridge + ` -e ` + subnet + ` -e virtmatrix.conf || true`

var _ = check.Register("O-NET-NAT", check.Spec{
	Asserts:  "A guest on a NAT network gets its lease and reaches the gateway, and nothing of the network is left once it is destroyed",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "1.2.6")},
	Depends:  check.On(matrix.Linux, matrix.Libvirt),
	Hosts:    matrix.Hosts{Network: true},
	Control:  sabotage.Swallow("virNetworkDestroy"),
}, func(t *steps.T) {
	n := t.DefineNetwork(nat)
	n.Start()
	t.Expect(t.Sh(traces)).NotTo(BeEmpty(), "bridge, rules and dnsmasq of the network")
	_, g := t.Started(domain.WithNIC(domain.NIC{Network: n.Name, MAC: mac}))
	card := g.NIC(mac)
	lease := g.DHCP(card.Name)
	t.Expect(lease.Address.String()).To(Equal(address+"/24"), "address of the guest's lease")
	t.Expect(lease.Router.String()).To(Equal(subnet+".1"), "gateway of the guest's lease")
	g.Ping(lease.Router)
	t.Expect(n.Leases()).To(HaveKeyWithValue(mac, address), "leases that libvirt tells of, by MAC address")
	n.Destroy()
	t.Expect(t.Sh(traces)).To(BeEmpty(), "what is left of the destroyed network")
})
