// Package network holds the checks of libvirt's networks, as guests see them.
package network

import (
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// Networks need hosts that may make them, and what filters and forwards is the
// kernel's.
var (
	hosts   = matrix.Hosts{Network: true}
	depends = check.On(matrix.Linux, matrix.Libvirt)
)

// lan is a network of a check's own. Its number is in its name, its bridge, its subnet
// and the address of its guest's card.
type lan int

func (l lan) name() string            { return fmt.Sprintf("vmnet%d", l) }
func (l lan) bridge() string          { return fmt.Sprintf("vmbr%d", l) }
func (l lan) subnet() string          { return fmt.Sprintf("192.168.%d", 190+l) }
func (l lan) address(n int) string    { return fmt.Sprintf("%s.%d", l.subnet(), n) }
func (l lan) gateway() string         { return l.address(1) }
func (l lan) guest() string           { return l.address(77) }
func (l lan) mac() string             { return fmt.Sprintf("52:54:00:19:00:%02x", 0x70+int(l)) }
func (l lan) nic() domain.Option      { return domain.WithNIC(l.card()) }
func (l lan) card() domain.NIC        { return domain.NIC{Network: l.name(), MAC: l.mac()} }
func (l lan) isolated() string        { return l.xml("") }
func (l lan) forward(m string) string { return l.xml("<forward mode='" + m + "'/>") }

// xml is a network with DHCP, which keeps an address for the guest. STP would keep the
// bridge silent for seconds.
func (l lan) xml(more string) string {
	return fmt.Sprintf(`<network xmlns:dnsmasq='http://libvirt.org/schemas/network/dnsmasq/1.0'>
  <name>%s</name>
  %s
  <bridge name='%s' stp='off'/>
  <ip address='%s' netmask='255.255.255.0'>
    <dhcp>
      <range start='%s' end='%s'/>
      <host mac='%s' name='guest' ip='%s'/>
    </dhcp>
  </ip>
</network>`, l.name(), more, l.bridge(), l.gateway(), l.address(100), l.address(200), l.mac(), l.guest())
}

// serving is an isolated network with a server of files, and the name of one to boot from.
func (l lan) serving(folder, boot string) string {
	return strings.NewReplacer("<dhcp>", "<tftp root='"+folder+"'/><dhcp>", "</dhcp>", "<bootp file='"+boot+"'/></dhcp>").Replace(l.isolated())
}

// traces is what a network leaves on a host: its bridge, addresses and routes, its
// rules, its dnsmasq.
func (l lan) traces(t *steps.T) string {
	return t.Sh(`{ ip -o address; ip route; ip -6 route; nft list ruleset; iptables-save; pgrep -af "[d]nsmasq"; } 2>/dev/null | ` +
		`grep -v ` + steps.OutsideAddress + ` | grep -e '` + l.bridge() + `\>' -e ` + l.subnet() + `. -e ` + l.name() + `.conf || true`)
}

// rules are those of the host's firewall that are about the network.
func (l lan) rules(t *steps.T) []string {
	said := t.Sh(`{ nft -s list ruleset | sed 's/counter packets .* bytes [0-9]*//'; } | grep -v ` + steps.OutsideAddress + ` | grep -e '"` + l.bridge() + `"' -e ` + l.subnet() + `. || true`)
	return strings.FieldsFunc(said, func(r rune) bool { return r == '\n' })
}

// destroyed asserts that nothing is left of a network once it is destroyed.
func (l lan) destroyed(t *steps.T, n *steps.Network) {
	n.Destroy()
	left := l.traces(t) // dnsmasq has been told to end, and may need a moment
	t.Until(goneLimit, "nothing is left of the destroyed network, of\n"+left, func() bool { return l.traces(t) == "" })
}

// joined starts a guest on the network, and has it get the lease that is kept for it.
func (l lan) joined(t *steps.T, opts ...domain.Option) (g *steps.Guest, lease l2.Lease) {
	_, g = t.Started(append([]domain.Option{l.nic()}, opts...)...)
	return g, l.leased(t, g)
}

// leased has the guest get the lease that is kept for it.
func (l lan) leased(t *steps.T, g *steps.Guest) l2.Lease {
	lease := g.DHCP(g.NIC(l.mac()).Name)
	t.Expect(lease.Address.String()).To(Equal(l.guest()+"/24"), "address of the guest's lease")
	return lease
}

// expectLease asserts that libvirt tells of a lease, which a program of dnsmasq's writes
// down after the guest has it.
func expectLease(t *steps.T, n *steps.Network, mac, address string) {
	t.Until(leaseLimit, "libvirt tells of the lease of "+address, func() bool { return n.Leases()[mac] == address })
}

// since requires the kvm stack and a first libvirt.
func since(libvirt string, more ...matrix.Requirement) []matrix.Requirement {
	return append([]matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, libvirt)}, more...)
}

// leaseLimit bounds how long a change may take to be in leases, goneLimit how long what a
// network is made of may take to go, at scale 1.
const (
	leaseLimit = time.Minute
	goneLimit  = 10 * time.Second
)

// both are the flags of what runs and of the definition.
const both = libvirt.NETWORK_UPDATE_AFFECT_LIVE | libvirt.NETWORK_UPDATE_AFFECT_CONFIG
