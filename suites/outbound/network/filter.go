package network

import (
	"net/netip"
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirtxml"
)

var noRules = sabotage.Wrap("ebtables", "an ebtables that sets nothing", "exit 0")

var _ = check.Register("O-NWF", check.Spec{
	Asserts:  "Behind clean-traffic a guest reaches its network with its own addresses and no others, for as long as it runs",
	Requires: since("4.5.0"),
	Depends:  depends,
	Hosts:    hosts,
	Control:  noRules,
}, func(t *steps.T) {
	l := lan(0)
	t.StartNetwork(l.isolated())
	g, lease := l.joined(t, domain.WithFilter("clean-traffic", libvirtxml.DomainInterfaceFilterParam{Name: "IP", Value: l.guest()}))
	vnet := t.Sh("ls /sys/class/net/" + l.bridge() + "/brif")
	t.Expect(t.Bindings()).To(ConsistOf(vnet), "devices that filters are bound to")
	t.Expect(t.VirshSays("nwfilter-binding-dumpxml " + vnet)).To(And(ContainSubstring("clean-traffic"), ContainSubstring(l.mac()), ContainSubstring(l.guest())))
	card := g.NIC(l.mac()).Name
	t.Expect(g.Reaches(l.gateway())).To(BeTrue(), "the guest reaches the gateway with its own address")
	g.Disguise(l2.Guise{NIC: card, Address: netip.MustParsePrefix(l.address(88) + "/24")})
	t.Expect(g.Reaches(l.gateway())).To(BeFalse(), "the guest reaches the gateway with another's IP address")
	g.Disguise(l2.Guise{NIC: card, Address: lease.Address, MAC: "52:54:00:19:00:ee"})
	t.Expect(g.Reaches(l.gateway())).To(BeFalse(), "the guest reaches the gateway with another's MAC address")
	g.Disguise(l2.Guise{NIC: card, Address: lease.Address, MAC: l.mac()})
	t.Expect(g.Reaches(l.gateway())).To(BeTrue(), "the guest reaches the gateway with its own addresses again")
	t.Expect(t.Virsh("nwfilter-undefine clean-traffic").OK()).To(BeFalse(), "a filter in use is undefined")
	g.Domain.Destroy()
	t.Expect(t.Bindings()).To(BeEmpty(), "devices that filters are bound to once the guest is off")
	t.Expect(t.FilterRules(vnet)).To(BeEmpty(), "rules of a guest that is off")
})

// tap is a device of L1 that filters are bound to without a guest.
const tap = "vmtap0"

func binding(filter, parameters string) string {
	return "<filterbinding><owner><name>other</name><uuid>" + otherUUID + "</uuid></owner><portdev name='" + tap + "'/>" +
		"<mac address='52:54:00:19:00:aa'/><filterref filter='" + filter + "'>" + parameters + "</filterref></filterbinding>"
}

// ruleTexts are rules of a filter with what the host's tools must say of them, whatever
// their version: words in this order.
var ruleTexts = []struct{ rule, text string }{
	{"<rule action='drop' direction='out' priority='10'><mac srcmacaddr='aa:bb:cc:dd:ee:ff' srcmacmask='ff:ff:ff:ff:ff:ff' protocolid='ipv4'/></rule>", `-s aa:bb:cc:dd:ee:ff.* -j DROP`},
	{"<rule action='accept' direction='out'><ip srcipaddr='10.1.2.3' srcipmask='32' protocol='udp' srcportstart='20' srcportend='22' dstportstart='100' dstportend='101'/></rule>", `--ip-src 10\.1\.2\.3.* --ip-proto udp.* --ip-sport 20:22 --ip-dport 100:101 -j ACCEPT`},
	{"<rule action='accept' direction='in'><arp opcode='Request' arpdstipaddr='10.1.2.3'/></rule>", `-p ARP.* --arp-op Request.* --arp-ip-dst 10\.1\.2\.3.* -j ACCEPT`},
	{"<rule action='drop' direction='inout'><ipv6 protocol='tcp' dstportstart='22'/></rule>", `-p IPv6.* --ip6-proto tcp.* --ip6-dport 22 -j DROP`},
	{"<rule action='return' direction='in'><vlan srcmacaddr='01:02:03:04:05:06' vlanid='0x123'/></rule>", `--vlan-id 291 -j RETURN`},
	{"<rule action='accept' direction='out'><tcp dstipaddr='10.1.2.3' dstportstart='22'/></rule>", `-d 10\.1\.2\.3/32 .*-p tcp .*--dport 22 .*-j RETURN`},
	{"<rule action='accept' direction='in'><icmp type='8' code='0'/></rule>", `-p icmp .*--icmp-type 8/0 .*-j (RETURN|ACCEPT)`},
	{"<rule action='drop' direction='inout'><udp-ipv6 dstportstart='53'/></rule>", `-p udp .*--dport 53 .*-j DROP`},
}

var _ = check.Register("O-NWF-TEXT", check.Spec{
	Asserts:  "A filter in use that changes has its new rules in the firewall at once, and each shipped filter can be bound",
	Requires: since("4.5.0"),
	Depends:  depends,
	Hosts:    hosts,
	Control:  noRules,
}, func(t *steps.T) {
	t.Tap(tap)
	t.DefineFilter("vmfilter", "")
	t.Expect(t.Filters()).To(ContainElement("vmfilter"))
	bound := t.Bind(binding("vmfilter", ""))
	uuid := t.VirshSays("nwfilter-dumpxml vmfilter | grep -o '<uuid>.*</uuid>'")
	for _, c := range ruleTexts {
		t.DefineFilter("vmfilter", uuid+c.rule)
		t.Expect(t.FilterRules(tap)).To(ContainElement(MatchRegexp(c.text)), "rules after the filter became %s", c.rule)
	}
	t.Do("remove binding", bound.Delete)
	t.Expect(t.FilterRules(tap)).To(BeEmpty(), "rules of a device that no filter is bound to")
	const parameters = "<parameter name='IP' value='192.168.190.9'/><parameter name='IPV6' value='2001:db8::9'/>" +
		"<parameter name='GATEWAY_MAC' value='52:54:00:19:00:01'/>"
	for _, shipped := range t.Filters() {
		if shipped == "vmfilter" {
			continue
		}
		server := "192.168.190.1"
		if strings.Contains(shipped, "v6") {
			server = "2001:db8::1"
		}
		b := t.Bind(binding(shipped, parameters+"<parameter name='DHCPSERVER' value='"+server+"'/>"))
		rules := t.FilterRules(tap)
		t.Note("filter %s: %d rules", shipped, len(rules))
		t.Expect(rules).NotTo(BeEmpty(), "rules of filter %s", shipped)
		t.Do("remove binding of "+shipped, b.Delete)
	}
	t.Expect(t.FilterRules(tap)).To(BeEmpty(), "rules when no filter is bound any more")
})

// The guest has no address when its filter is bound: libvirt listens to what the DHCP
// server gives it (CTRL_IP_LEARNING).
var _ = check.Register("O-NWF-LEARN", check.Spec{
	Asserts:  "A filter learns the guest's address from its lease: the guest reaches its network then, and does not with another's",
	Requires: since("4.5.0"),
	Depends:  depends,
	Hosts:    hosts,
	Control:  noRules,
}, func(t *steps.T) {
	l := lan(0)
	t.StartNetwork(l.isolated())
	g, lease := l.joined(t, domain.WithFilter("clean-traffic", libvirtxml.DomainInterfaceFilterParam{Name: "CTRL_IP_LEARNING", Value: "dhcp"}))
	vnet := t.Sh("ls /sys/class/net/" + l.bridge() + "/brif")
	t.Until(leaseLimit, "the guest's address is in the rules", func() bool { return strings.Contains(strings.Join(t.FilterRules(vnet), "\n"), l.guest()) })
	if !g.Reaches(lease.Server.String()) {
		t.Fail(t.Layer, "the guest does not reach the gateway with its leased address; the daemon says: %s", t.DaemonSays("virFirewall"))
	}
	g.Disguise(l2.Guise{NIC: g.NIC(l.mac()).Name, Address: netip.MustParsePrefix(l.address(88) + "/24")})
	t.Expect(g.Reaches(l.gateway())).To(BeFalse(), "the guest reaches the gateway with an address that it was not given")
})
