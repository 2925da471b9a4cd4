package network

import (
	"net/netip"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirtxml"
)

// libvirt isolates a port by a file of sysfs, which containers may not write to.
var _ = check.Register("O-NET-APART", check.Spec{
	Asserts:  "Guests with isolated ports reach their gateway and guests without, and not each other, whatever is plugged anew",
	Requires: since("6.1.0", matrix.Privileged),
	Depends:  depends,
	Hosts:    hosts,
	Control: sabotage.CommandOn("a hook that undoes the isolation of ports", func(t *steps.T) string {
		t.InstallHook("qemu", `cat >/dev/null; test "$2" != started || for p in /sys/class/net/vnet*/brport/isolated; do echo 0 >$p; done`)
		return "true"
	}),
}, func(t *steps.T) {
	l := lan(0)
	t.StartNetwork(l.isolated())
	_, other := t.Started(domain.WithNIC(domain.NIC{Network: l.name()}), domain.Apart)
	_, open := t.Started(domain.WithNIC(domain.NIC{Network: l.name()}))
	g, _ := l.joined(t, domain.Apart)
	address := func(g *steps.Guest) netip.Addr { return g.DHCP(g.NICs()[0].Name).Address.Addr() }
	apart, reached := address(other), address(open)
	expectApart := func(when string) {
		t.Expect(g.Reaches(l.gateway())).To(BeTrue(), "the guest reaches its gateway %s", when)
		token, _ := g.Dial(reached)
		t.Expect(token).To(Equal(open.Token), "what the guest without an isolated port tells the guest %s", when)
		_, ok := g.Dial(apart)
		t.Expect(ok).To(BeFalse(), "the guest reaches one that is apart as well %s", when)
		_, ok = other.Dial(netip.MustParseAddr(l.guest()))
		t.Expect(ok).To(BeFalse(), "one that is apart as well reaches the guest %s", when)
	}
	expectApart("as they were started")
	card := domain.NewNIC(domain.NIC{Network: l.name(), MAC: l.mac()})
	card.PortOptions = &libvirtxml.DomainInterfacePortOptions{Isolated: "yes"}
	g.Domain.Detach(card)
	g.WaitNoNIC(l.mac())
	g.Domain.Attach(card)
	g.WaitNIC(l.mac())
	l.leased(t, g)
	expectApart("with a card that was plugged anew")
})
