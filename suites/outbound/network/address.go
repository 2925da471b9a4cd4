package network

import (
	"time"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

var _ = check.Register("O-IFADDR", check.Spec{
	Asserts:  "A guest's addresses are the same as its network leased them and as its agent tells them",
	Requires: since("1.2.14"),
	Depends:  check.On(matrix.Libvirt, matrix.QEMU),
	Hosts:    hosts,
	Control:  sabotage.Alter("virDomainInterfaceAddresses", "192.168.190.77", "192.168.190.78"),
}, func(t *steps.T) {
	l := lan(0)
	t.StartNetwork(l.isolated())
	g, _ := l.joined(t, domain.WithAgent)
	g.Domain.WaitAgent()
	expectAddress(t, l, g.Domain, libvirt.DOMAIN_INTERFACE_ADDRESSES_SRC_LEASE, "lease")
	expectAddress(t, l, g.Domain, libvirt.DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT, "agent")
})

// neighbourLimit bounds how long the host may take to ask a neighbour, at scale 1.
const neighbourLimit = 20 * time.Second

// The kernel's table of neighbours is read by netlink, whose answers grow with kernels.
var _ = check.Register("O-IFADDR-ARP", check.Spec{
	Asserts:  "A guest's address is the same as the host's table of neighbours tells it",
	Requires: since("4.2.0", matrix.OwnKernel),
	Depends:  depends,
	Hosts:    hosts,
	Control:  sabotage.Alter("virDomainInterfaceAddresses", "192.168.190.77", "192.168.190.78"),
}, func(t *steps.T) {
	l := lan(0)
	t.StartNetwork(l.isolated())
	g, lease := l.joined(t)
	g.Ping(lease.Server)
	// One that the host only heard of is asked after 5 s (arp(7), delay_first_probe_time).
	t.Until(neighbourLimit, "the host has asked its neighbour", func() bool {
		return t.Run("ip neigh show " + l.guest() + " | grep -q REACHABLE").OK()
	})
	expectAddress(t, l, g.Domain, libvirt.DOMAIN_INTERFACE_ADDRESSES_SRC_ARP, "arp")
})

// addresses are a domain's by the hardware addresses of its cards.
func addresses(t *steps.T, d *steps.Domain, source libvirt.DomainInterfaceAddressesSource) map[string][]string {
	told := map[string][]string{}
	for _, card := range steps.Get(t, "ask for addresses", func() ([]libvirt.DomainInterface, error) { return d.Raw.ListAllInterfaceAddresses(source) }) {
		for _, a := range card.Addrs {
			if a.Type == libvirt.IP_ADDR_TYPE_IPV4 {
				told[card.Hwaddr] = append(told[card.Hwaddr], a.Addr)
			}
		}
	}
	return told
}

// expectAddress asserts that a source tells the guest's one address, as virsh does.
func expectAddress(t *steps.T, l lan, d *steps.Domain, source libvirt.DomainInterfaceAddressesSource, name string) {
	var told map[string][]string
	// dnsmasq tells the guest of its lease first, and libvirt_leaseshelper then.
	t.Until(leaseLimit, "there are addresses by source "+name, func() bool {
		told = addresses(t, d, source)
		return len(told) > 0
	})
	t.Expect(told).To(HaveKeyWithValue(l.mac(), []string{l.guest()}), "addresses by source %s", name)
	t.Expect(t.VirshSays("domifaddr " + d.Name + " --source " + name)).To(MatchRegexp(`(?i)%s\s+ipv4\s+%s/`, l.mac(), l.guest()))
}
