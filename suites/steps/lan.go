package steps

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/matrix"
	"libvirt.org/go/libvirt"
)

// StartNetwork defines a network from its XML and starts it.
func (t *T) StartNetwork(xml string) *Network {
	n := t.DefineNetwork(xml)
	n.Start()
	return n
}

// Network finds a network by its name, as on a connection that is new.
func (t *T) Network(name string) *Network {
	conn := t.Connection().Raw
	n := &Network{t: t, Name: name}
	n.Raw = Get(t, "look up network", func() (*libvirt.Network, error) { return conn.LookupNetworkByName(name) })
	t.Cleanup(func() { _ = n.Raw.Free() })
	return n
}

// TryNetwork makes a network with define or create and returns libvirt's error. It is
// gone when the check is over.
func (t *T) TryNetwork(op, name string, call func() (*libvirt.Network, error)) error {
	t.Cleanup(func() { t.Virsh("-q \"net-destroy " + host.Quote(name) + "; net-undefine " + host.Quote(name) + "\"") })
	return t.Try(op, func() error {
		n, err := call()
		if err == nil {
			_ = n.Free()
		}
		return err
	})
}

// XML is what libvirt says of the network, of its definition with
// libvirt.NETWORK_XML_INACTIVE.
func (n *Network) XML(flags libvirt.NetworkXMLFlags) string {
	return Get(n.t, "dump network XML", func() (string, error) { return n.Raw.GetXMLDesc(flags) })
}

// UUID is the network's, in its usual form.
func (n *Network) UUID() string { return Get(n.t, "ask for UUID of network", n.Raw.GetUUIDString) }

// Undefine removes the definition.
func (n *Network) Undefine() { n.t.Do("undefine network", n.Raw.Undefine) }

// Update changes a part of the network, of what runs and of the definition.
func (n *Network) Update(cmd libvirt.NetworkUpdateCommand, section libvirt.NetworkUpdateSection, xml string) {
	n.t.Do("update network", func() error {
		return n.Raw.Update(cmd, section, -1, xml, libvirt.NETWORK_UPDATE_AFFECT_LIVE|libvirt.NETWORK_UPDATE_AFFECT_CONFIG)
	})
}

// Ports are the UUIDs of the network's ports.
func (n *Network) Ports() (uuids []string) {
	ports := Get(n.t, "list ports of network", func() ([]libvirt.NetworkPort, error) { return n.Raw.ListAllPorts(0) })
	for i := range ports {
		uuids = append(uuids, Get(n.t, "ask for UUID of port", ports[i].GetUUIDString))
		_ = ports[i].Free()
	}
	return uuids
}

// Port is the XML of one of the network's ports.
func (n *Network) Port(uuid string) string {
	port := Get(n.t, "look up port of network", func() (*libvirt.NetworkPort, error) { return n.Raw.LookupNetworkPortByUUIDString(uuid) })
	defer func() { _ = port.Free() }()
	return Get(n.t, "dump port XML", func() (string, error) { return port.GetXMLDesc(0) })
}

// Reaches says whether an echo of an address comes back to the guest. Without one it
// takes 5 s.
func (g *Guest) Reaches(address string) bool {
	return g.can("ping "+address, func(c *l2.Client, ctx context.Context) error {
		_, err := c.Ping(ctx, netip.MustParseAddr(address))
		return err
	})
}

// TryDHCP has the guest ask for a lease for 15 s; ok is false when it gets none.
func (g *Guest) TryDHCP(nic string) (lease l2.Lease, ok bool) {
	ok = g.can("get a lease for "+nic, func(c *l2.Client, ctx context.Context) (err error) {
		lease, err = c.DHCP(ctx, nic)
		return err
	})
	return lease, ok
}

// can says whether the guest could do what it was asked.
func (g *Guest) can(what string, do func(*l2.Client, context.Context) error) (could bool) {
	g.ask(guestAnswer, what, func(ctx context.Context, c *l2.Client) error {
		err := do(c, ctx)
		could = err == nil
		if errors.As(err, new(*l2.RefusedError)) {
			return nil
		}
		return err
	})
	return could
}

// Dial has the guest connect to another one's address by TCP, and returns the token that it
// is told there: packets have gone both ways. ok is false when there is no connection.
func (g *Guest) Dial(address netip.Addr) (token string, ok bool) {
	ok = g.can("connect to "+address.String(), func(c *l2.Client, ctx context.Context) (err error) {
		token, err = c.Dial(ctx, address)
		return err
	})
	return token, ok
}

// Knock has the guest send one echo request to an address, whatever comes of it.
func (g *Guest) Knock(address string) {
	g.ask(guestAnswer, "knock at "+address, func(ctx context.Context, c *l2.Client) error {
		return c.Knock(ctx, netip.MustParseAddr(address))
	})
}

// Resolve has the guest ask a name server for a name.
func (g *Guest) Resolve(name string, server netip.Addr) []string {
	found := guestSays(g, "resolve "+name, func(c *l2.Client, ctx context.Context) ([]netip.Addr, error) {
		return c.Resolve(ctx, l2.Query{Name: name, Server: server})
	})
	return strings.Fields(strings.Trim(fmt.Sprint(found), "[]"))
}

// Disguise gives a network card of the guest other addresses.
func (g *Guest) Disguise(guise l2.Guise) {
	g.ask(guestAnswer, "disguise "+guise.NIC, func(ctx context.Context, c *l2.Client) error { return c.Disguise(ctx, guise) })
}

// Outside is a network beyond L1, with one address that answers nothing. Who sent
// packets there is counted.
type Outside struct{ t *T }

// The link to the outside, of addresses that are reserved for documentation (RFC 5737).
const (
	OutsideAddress = "203.0.113.9"
	outsideGate    = "203.0.113.1"
)

// Outside makes L1 the router to an outside, where the packets of some sources are
// counted. It is gone when the check is over.
func (t *T) Outside(sources ...string) *Outside {
	t.Cleanup(func() { t.Run("nft delete table netdev vmoutside; ip link delete vmout0") })
	rules := "table netdev vmoutside {\nchain seen {\ntype filter hook ingress device vmout1 priority 0;\n"
	for _, source := range append(sources, outsideGate) {
		rules += "ip daddr " + OutsideAddress + " ip saddr " + source + " counter\n"
	}
	t.must(t.Ours("make an outside", func() {
		t.Sh("set -e\nip link add vmout0 type veth peer name vmout1\nip address add " + outsideGate + "/24 dev vmout0\n" +
			"ip link set vmout0 up\nip link set vmout1 up\n" +
			"ip neighbour replace " + OutsideAddress + " lladdr 02:00:00:00:00:09 dev vmout0 nud permanent\n" +
			"nft -f - <<'EOF'\n" + rules + "}\n}\nEOF")
	}), "make an outside")
	return &Outside{t}
}

var counted = regexp.MustCompile(`ip saddr (\S+) counter packets (\d+)`)

// Saw says how many packets came from a source.
func (o *Outside) Saw(source string) int {
	for _, m := range counted.FindAllStringSubmatch(o.t.Sh("nft list table netdev vmoutside"), -1) {
		if n, err := strconv.Atoi(m[2]); err == nil && m[1] == source {
			return n
		}
	}
	o.t.Fail(matrix.LayerHarness, "nobody counts the packets of %s", source)
	return 0
}

// ExpectSees has the guest send to the outside and asserts that its packets come from
// a source, which may be L1 itself ("").
func (o *Outside) ExpectSees(g *Guest, source, other string) {
	if source == "" {
		source = outsideGate
	}
	if other == "" {
		other = outsideGate
	}
	o.t.Until(eventLimit, "packets of the guest arrive outside from "+source, func() bool {
		g.Knock(OutsideAddress)
		return o.Saw(source) > 0
	})
	o.t.Expect(o.Saw(other)).To(gomega.BeZero(), "packets of the guest that came from %s", other)
}
