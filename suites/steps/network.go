package steps

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/matrix"
	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"
)

// Network is a virtual network of the cell.
type Network struct {
	t *T
	// Raw is the binding's, for calls that are to be refused.
	Raw  *libvirt.Network
	Name string
}

// DefineNetwork defines a network from its XML. It is gone when the check is over.
func (t *T) DefineNetwork(xml string) *Network {
	var def libvirtxml.Network
	t.must(def.Unmarshal(xml), "read XML of network")
	n := &Network{t: t, Name: def.Name}
	conn := t.Connection().Raw
	n.Raw = Get(t, "define network", func() (*libvirt.Network, error) { return conn.NetworkDefineXML(xml) })
	t.ForgetNetwork(n.Name)
	t.Cleanup(func() { _ = n.Raw.Free() })
	return n
}

// ForgetNetwork has a network, whoever makes it, gone when the check is over.
func (t *T) ForgetNetwork(name string) {
	t.Cleanup(func() {
		t.Run("virsh -c " + t.URI() + " \"net-destroy " + host.Quote(name) + "; net-undefine " + host.Quote(name) + "\" >/dev/null 2>&1")
		t.ExpectNoNetwork(name)
	})
}

// ExpectNoNetwork asserts that libvirt does not know a network.
func (t *T) ExpectNoNetwork(name string) {
	t.Refuses("look up network "+name, libvirt.ERR_NO_NETWORK, func() error {
		_, err := t.Connection().Raw.LookupNetworkByName(name) // the daemon may be another by now
		return err
	})
}

// Start starts the network.
func (n *Network) Start() { n.t.Do("start network", n.Raw.Create) }

// Destroy stops the network.
func (n *Network) Destroy() { n.t.Do("destroy network", n.Raw.Destroy) }

// Leases are the addresses that the network gave away, by MAC address.
func (n *Network) Leases() map[string]string {
	leases := map[string]string{}
	for _, l := range Get(n.t, "ask for leases of network", n.Raw.GetDHCPLeases) {
		leases[l.Mac] = l.IPaddr
	}
	return leases
}

// NIC returns the guest's network card with a MAC address.
func (g *Guest) NIC(mac string) l2.NIC {
	for _, nic := range guestSays(g, "list its network cards", (*l2.Client).NICs) {
		if nic.MAC == mac {
			return nic
		}
	}
	g.t.Fail(matrix.LayerL2, "the guest has no network card with the address %s", mac)
	return l2.NIC{}
}

// DHCP has the guest get a lease for a network card.
func (g *Guest) DHCP(nic string) l2.Lease {
	return guestSays(g, "get a lease for "+nic, func(c *l2.Client, ctx context.Context) (l2.Lease, error) { return c.DHCP(ctx, nic) })
}

// Ping has the guest reach an address.
func (g *Guest) Ping(address netip.Addr) {
	guestSays(g, "ping "+address.String(), func(c *l2.Client, ctx context.Context) (time.Duration, error) { return c.Ping(ctx, address) })
}

// OwnBridge makes a bridge in L1 that no product knows of, with a gateway's address and
// a DHCP server with these options. Both are gone when the check is over.
func (t *T) OwnBridge(name, gateway string, options ...string) {
	t.Cleanup(func() { t.Run("ip link delete " + name) })
	t.Sh("set -e; ip link add " + name + " type bridge; ip address add " + gateway + "/24 dev " + name + "; ip link set " + name + " up")
	t.OwnDHCP(name, options...)
}

// OwnDHCP serves leases on a bridge, until the check is over.
func (t *T) OwnDHCP(bridge string, options ...string) {
	pid := t.Scratch(bridge + ".pid")
	t.RemoveAfter(pid + ".leases")
	t.Cleanup(func() { t.Run("kill $(cat " + pid + ")") })
	t.Sh("dnsmasq --conf-file=/dev/null --port=0 --bind-interfaces --interface=" + bridge + " --except-interface=lo --pid-file=" + pid +
		" --dhcp-leasefile=" + pid + ".leases " + strings.Join(options, " "))
}

// ExpectGreets asserts that the guest greets who connects to its address from L1.
func (g *Guest) ExpectGreets(address netip.Addr) {
	g.ExpectGreetsAt(netip.AddrPortFrom(address, l2.GreetPort))
}

// ExpectGreetsAt asserts that it greets who connects to a port that leads to its own.
func (g *Guest) ExpectGreetsAt(at netip.AddrPort) {
	said := g.t.Sh(fmt.Sprintf("timeout %d bash -c 'cat </dev/tcp/%s/%d'", int(g.t.Limit(guestAnswer).Seconds()), at.Addr(), at.Port()))
	g.t.Expect(said).To(gomega.Equal(g.Token), "what is said at %s", at)
}
