package network

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

var _ = check.Register("O-NET-NAT", check.Spec{
	Asserts:  "A guest on a NAT network has lease, names and gateway, goes out as its host, and nothing is left of the destroyed network",
	Requires: since("1.2.6"),
	Depends:  depends,
	Hosts:    hosts,
	Control:  sabotage.Swallow("virNetworkDestroy"),
}, func(t *steps.T) {
	l := lan(0)
	out := t.Outside(l.guest())
	n := t.StartNetwork(l.xml("<forward mode='nat'/><dns><host ip='" + l.address(9) + "'><hostname>known.example</hostname></host></dns>"))
	t.Expect(l.traces(t)).NotTo(BeEmpty(), "bridge, rules and dnsmasq of the network")
	g, lease := l.joined(t)
	t.Expect(lease.Router.String()).To(Equal(l.gateway()), "gateway of the guest's lease")
	g.Ping(lease.Router)
	t.Expect(g.Resolve("known.example", lease.DNS[0])).To(ConsistOf(l.address(9)), "addresses of a name that the network knows")
	out.ExpectSees(g, "", l.guest())
	expectLease(t, n, l.mac(), l.guest())
	t.Expect(t.VirshSays("net-dhcp-leases " + n.Name)).To(ContainSubstring(l.guest() + "/24"))
	l.destroyed(t, n)
})
