package network

import (
	"net/netip"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// The option gives the guest the way out that libvirt does not: that its packets do
// not get there must be the rules' doing.
var _ = check.Register("O-NET-ISO", check.Spec{
	Asserts:  "A guest on an isolated network has no way out: neither a route nor, when it makes itself one, the host's help",
	Requires: since("5.6.0"),
	Depends:  depends,
	Hosts:    hosts,
	Control:  sabotage.Command("a host that forgets its rules", "sysctl -qw net.ipv4.ip_forward=1; (while :; do nft flush ruleset; sleep 0.1; done) >/dev/null 2>&1 &"),
}, func(t *steps.T) {
	l, routed := lan(0), lan(1)
	t.StartNetwork(l.isolated())
	n := t.StartNetwork(routed.xml("<dnsmasq:options><dnsmasq:option value='dhcp-option=3," + routed.gateway() + "'/></dnsmasq:options>"))
	out := t.Outside(routed.guest())
	t.Sh("sysctl -qw net.ipv4.ip_forward=1")
	g, lease := l.joined(t, routed.nic())
	t.Expect(lease.Router).To(Equal(netip.Addr{}), "gateway of a lease on an isolated network")
	t.Expect(routed.leased(t, g).Router.String()).To(Equal(routed.gateway()), "gateway that the network was told to give")
	g.Knock(steps.OutsideAddress)
	g.Ping(netip.MustParseAddr(routed.gateway())) // the packet before has come through by then
	t.Expect(out.Saw(routed.guest())).To(BeZero(), "packets of an isolated guest outside")
	routed.destroyed(t, n)
})

var _ = check.Register("O-NET-RT", check.Spec{
	Asserts:  "A guest on a routed network reaches what is beyond the host by its own address",
	Requires: since("0.4.2"),
	Depends:  depends,
	Hosts:    hosts,
	Control:  sabotage.Command("a host that does not forward", "(while :; do sysctl -qw net.ipv4.ip_forward=0; sleep 0.1; done) >/dev/null 2>&1 &"),
}, func(t *steps.T) { goesOut(t, lan(0), "route") })

var _ = check.Register("O-NET-OPEN", check.Spec{
	Asserts:  "A guest on an open network reaches what is beyond the host by its own address, and libvirt makes no rules for it",
	Requires: since("2.2.0"),
	Depends:  depends,
	Hosts:    hosts,
	Control:  sabotage.Command("a host that does not forward", "(while :; do sysctl -qw net.ipv4.ip_forward=0; sleep 0.1; done) >/dev/null 2>&1 &"),
}, func(t *steps.T) {
	l := lan(0)
	t.Cleanup(func() { t.Expect(l.rules(t)).To(BeEmpty(), "rules of an open network") })
	goesOut(t, l, "open")
})

// goesOut starts a guest on a network that forwards without translation.
func goesOut(t *steps.T, l lan, mode string) {
	out := t.Outside(l.guest())
	n := t.StartNetwork(l.forward(mode))
	t.Note("rules of mode %s: %d", mode, len(l.rules(t)))
	t.Expect(len(l.rules(t)) == 0).To(Equal(mode == "open"), "the network has no rules")
	g, lease := l.joined(t)
	g.Ping(lease.Router)
	out.ExpectSees(g, l.guest(), "")
	l.destroyed(t, n)
}

// The bridge is the host's own, and so is the DHCP server on it.
var _ = check.Register("O-NET-BR", check.Spec{
	Asserts:  "A guest on a network of the host's own bridge is on that bridge, which libvirt leaves as it is",
	Requires: since("0.9.4"),
	Depends:  depends,
	Hosts:    hosts,
	Control:  sabotage.Command("a bridge that lets everything go", "(while :; do ip link set $(ls /sys/class/net/vmbr0/brif 2>/dev/null) nomaster; sleep 0.1; done) >/dev/null 2>&1 &"),
}, func(t *steps.T) {
	l := lan(0)
	l.ownBridge(t)
	before := t.Sh("ip -4 -o address show " + l.bridge() + "; bridge link")
	n := t.StartNetwork(l.bridged())
	_, g := t.Started(l.nic())
	t.Expect(t.Sh("ls /sys/class/net/"+l.bridge()+"/brif")).To(MatchRegexp(`^vnet\d+$`), "ports of the bridge")
	lease := l.leased(t, g)
	g.Ping(lease.Router)
	g.Domain.Destroy()
	n.Destroy()
	t.Expect(t.Sh("ip -4 -o address show "+l.bridge()+"; bridge link")).To(Equal(before), "the bridge after the network was destroyed")
})

// ownBridge makes a bridge that libvirt knows nothing of, with a DHCP server.
func (l lan) ownBridge(t *steps.T) {
	t.OwnBridge(l.bridge(), l.gateway(), "--dhcp-range="+l.address(100)+","+l.address(200), "--dhcp-host="+l.mac()+","+l.guest())
}

// bridged is a network of a bridge that is there.
func (l lan) bridged() string {
	return "<network><name>" + l.name() + "</name><forward mode='bridge'/><bridge name='" + l.bridge() + "'/></network>"
}

// One guest has a card on each: a start for each mode would take a boot for each.
var _ = check.Register("O-NET-START", check.Spec{
	Asserts:  "A guest starts with a card on a network of each forward mode, and all have a link",
	Requires: since("2.2.0"),
	Depends:  depends,
	Hosts:    hosts,
	Control:  sabotage.Command("bridges that let everything go", "(while :; do for b in /sys/class/net/vmbr?/brif/*; do ip link set ${b##*/} nomaster; done; sleep 0.1; done) >/dev/null 2>&1 &"),
}, func(t *steps.T) {
	var cards []domain.Option
	modes := []string{"nat", "route", "open", "", "bridge"}
	for i, mode := range modes {
		l, xml := lan(i), lan(i).forward(mode)
		switch mode {
		case "":
			xml = l.isolated()
		case "bridge":
			l.ownBridge(t)
			xml = l.bridged()
		}
		t.StartNetwork(xml)
		cards = append(cards, l.nic())
	}
	_, g := t.Started(cards...)
	for i, mode := range modes {
		l := lan(i)
		t.Until(steps.PlugLimit, "there is a link on a network of mode "+mode, func() bool { return g.NIC(l.mac()).Link })
		t.Expect(t.Sh("ls /sys/class/net/"+l.bridge()+"/brif")).To(MatchRegexp(`^vnet\d+$`), "ports of the bridge of mode %q", mode)
		g.Ping(l.leased(t, g).Server)
	}
})
