package network

import (
	"fmt"
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// Documentation has this prefix (RFC 3849).
const prefix6 = "2001:db8:190:"

// wide is a network of several subnets and both protocols.
func (l lan) wide() string {
	second := lan(7)
	return strings.Replace(l.forward("nat"), "</network>", fmt.Sprintf(`
  <ip address='%s' prefix='24'/>
  <ip family='ipv6' address='%s:1' prefix='64'><dhcp><range start='%[2]s:100' end='%[2]s:1ff'/></dhcp></ip>
  <route address='198.51.100.0' prefix='24' gateway='%[3]s'/>
</network>`, second.gateway(), prefix6, l.address(2)), 1)
}

var _ = check.Register("O-NET-TRACE", check.Spec{
	Asserts:  "A network of several addresses, IPv6 and a route has them on the host while it runs, and leaves nothing",
	Requires: since("1.0.6"),
	Depends:  depends,
	Hosts:    hosts,
	Control:  sabotage.Swallow("virNetworkDestroy"),
}, func(t *steps.T) {
	l := lan(0)
	n := t.DefineNetwork(l.wide())
	n.Start()
	n.Destroy() // what all networks share is there from the first on
	before := surroundings(t)
	n.Start()
	addresses := t.Sh("ip -o address show dev " + l.bridge())
	for _, want := range []string{l.gateway() + "/24", lan(7).gateway() + "/24", prefix6 + ":1/64"} {
		t.Expect(addresses).To(ContainSubstring(want), "addresses of the bridge")
	}
	t.Expect(t.Sh("ip route")).To(ContainSubstring("198.51.100.0/24 via " + l.address(2) + " dev " + l.bridge()))
	config := t.Sh("cat $(pgrep -af '[d]nsmasq.*" + l.name() + "[.]conf' | grep -o -m1 '/[^ ]*" + l.name() + "[.]conf')")
	for _, want := range []string{"bind-dynamic", "interface=" + l.bridge(), "dhcp-range=" + l.address(100) + "," + l.address(200), "dhcp-range=" + prefix6 + ":100"} {
		t.Expect(config).To(ContainSubstring(want), "dnsmasq's configuration")
	}
	t.Expect(l.rules(t)).NotTo(BeEmpty(), "rules of the network")
	l.destroyed(t, n)
	t.Expect(surroundings(t)).To(Equal(before), "the host after the network was destroyed")
	n.Undefine()
	files := "find %s -path '*" + l.name() + "*' -o -name '" + l.bridge() + ".*'"
	t.Note("files of the undefined network that are gone at the next boot: %q", t.Sh(fmt.Sprintf(files, "/run/libvirt")))
	t.Expect(t.Sh(fmt.Sprintf(files, "/etc/libvirt /var/lib/libvirt"))).To(BeEmpty(), "files of a network that is undefined")
})

// surroundings is all that a network may change on a host.
func surroundings(t *steps.T) string {
	return t.Sh("ip -o link | cut -d' ' -f2; ip -o address | sed 's/valid_lft.*//'; ip route; ip -6 route; nft -s list ruleset | sed 's/counter packets [0-9]* bytes [0-9]*//'; pgrep -a dnsmasq || true")
}
