package network

import (
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

var _ = check.Register("O-NET-UPD", check.Spec{
	Asserts:  "What is added to a running network's DHCP and DNS is what its guests get, is in its definition too, and is gone once deleted",
	Requires: since("1.2.6"),
	Depends:  depends,
	Hosts:    hosts,
	Control:  sabotage.Swallow("virNetworkUpdate"),
}, func(t *steps.T) {
	const (
		host = libvirt.NETWORK_SECTION_IP_DHCP_HOST
		dns  = libvirt.NETWORK_SECTION_DNS_HOST
	)
	l, mac := lan(0), lan(9).mac() // no address is kept for this one
	n := t.StartNetwork(l.forward("nat"))
	card := l.card()
	card.MAC = mac
	entry := func(n int) string { return "<host mac='" + mac + "' ip='" + l.address(n) + "'/>" }
	name := "<host ip='" + l.address(9) + "'><hostname>added.example</hostname></host>"
	has := func(text string, want bool) {
		for _, flags := range []libvirt.NetworkXMLFlags{0, libvirt.NETWORK_XML_INACTIVE} {
			t.Expect(strings.Contains(n.XML(flags), text)).To(Equal(want), "%s is in the network's XML (flags %d)", text, flags)
		}
	}

	n.Update(libvirt.NETWORK_UPDATE_COMMAND_ADD_LAST, host, entry(40))
	n.Update(libvirt.NETWORK_UPDATE_COMMAND_ADD_LAST, dns, name)
	has(entry(40), true)
	has("added.example", true)
	_, g := t.Started(domain.WithNIC(card))
	nic := g.NIC(mac).Name
	lease := g.DHCP(nic)
	t.Expect(lease.Address.Addr().String()).To(Equal(l.address(40)), "address that was added for the guest")
	t.Expect(g.Resolve("added.example", lease.DNS[0])).To(ConsistOf(l.address(9)), "addresses of the name that was added")
	expectLease(t, n, mac, l.address(40))

	n.Update(libvirt.NETWORK_UPDATE_COMMAND_MODIFY, host, entry(41))
	t.Until(leaseLimit, "the guest gets the address that was changed", func() bool { return g.DHCP(nic).Address.Addr().String() == l.address(41) })
	t.VirshSays("net-update " + n.Name + ` delete ip-dhcp-host "` + entry(41) + `" --live --config`)
	has(mac, false)
	n.Update(libvirt.NETWORK_UPDATE_COMMAND_DELETE, dns, name)
	has("added.example", false)
	t.Refuses("delete what was deleted", libvirt.ERR_OPERATION_INVALID, func() error {
		return n.Raw.Update(libvirt.NETWORK_UPDATE_COMMAND_DELETE, host, -1, entry(41), both)
	})
})

// The client library of L0 is older than this interface: virsh is asked.
var _ = check.Register("O-NET-META", check.Spec{
	Asserts:  "A network keeps a title, a description and metadata, of what runs and of the definition apart",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "9.7.0")},
	Depends:  check.On(matrix.Libvirt),
	Hosts:    hosts,
	Control:  sabotage.Wrap("virsh", "a virsh that describes nothing", `case "$*" in *net-desc*--title*new*) exit 0;; esac; exec $REAL "$@"`),
}, func(t *steps.T) {
	const uri = "http://virtmatrix.example/note"
	n := t.StartNetwork(lan(0).isolated())
	for _, of := range []string{" --live ", " --config "} {
		t.VirshSays("net-desc " + n.Name + " --title" + of + "'a new title'")
	}
	t.VirshSays("net-desc " + n.Name + " --config 'of the definition'")
	t.VirshSays("net-desc " + n.Name + " --live 'of what runs'")
	t.VirshSays("net-metadata " + n.Name + " --live --config --uri " + uri + " --key vm --set '<note>kept</note>'")
	t.Expect(t.VirshSays("net-desc " + n.Name + " --title --config")).To(Equal("a new title"))
	t.Expect(n.XML(0)).To(And(ContainSubstring("<title>a new title</title>"), ContainSubstring("of what runs"), MatchRegexp(`<vm:note[^>]*>kept</vm:note>`)))
	t.Expect(n.XML(libvirt.NETWORK_XML_INACTIVE)).To(And(ContainSubstring("of the definition"), Not(ContainSubstring("of what runs")), ContainSubstring(">kept<")))
	t.Expect(t.VirshSays("net-metadata " + n.Name + " --uri " + uri)).To(ContainSubstring("<note>kept</note>"))
	n.Destroy()
	n.Start()
	t.Expect(n.XML(0)).To(ContainSubstring("of the definition"), "XML of the network that was started anew")
	t.VirshSays("net-metadata " + n.Name + " --live --config --uri " + uri + " --remove")
	t.Expect(n.XML(0) + n.XML(libvirt.NETWORK_XML_INACTIVE)).NotTo(ContainSubstring("kept"))
	// It comes last, as the one that is not so in all versions; virsh(1), net-desc: both are updated.
	t.VirshSays("net-desc " + n.Name + " --live --config 'of both'")
	t.Expect(n.XML(0)).To(ContainSubstring("of both"), "XML of the network that runs")
	t.Expect(n.XML(libvirt.NETWORK_XML_INACTIVE)).To(ContainSubstring("of both"), "XML of the definition")
})

var _ = check.Register("O-NET-PORT", check.Spec{
	Asserts:  "A guest's card is a port of its network for as long as it runs, and ports are made, listed and deleted by themselves",
	Requires: since("5.5.0"),
	Depends:  check.On(matrix.Libvirt, matrix.QEMU),
	Hosts:    hosts,
	Control:  sabotage.Swallow("virNetworkPortDelete"),
}, func(t *steps.T) {
	l := lan(0)
	n := t.StartNetwork(l.isolated())
	d := t.Define(l.nic())
	d.StartWith(libvirt.DOMAIN_START_PAUSED)
	t.Expect(n.Ports()).To(HaveLen(1), "ports of a network with one card")
	t.Expect(n.Port(n.Ports()[0])).To(And(ContainSubstring(d.UUID()), ContainSubstring(l.mac()), ContainSubstring("bridge='"+l.bridge()+"'")))
	d.Destroy()
	t.Expect(n.Ports()).To(BeEmpty(), "ports of a network whose guest is off")

	const uuid = "3a1dcf4e-0b2b-4c1d-9ac5-3c1e1f2d4b5a"
	port := steps.Get(t, "make a port", func() (*libvirt.NetworkPort, error) {
		return n.Raw.PortCreateXML("<networkport><uuid>"+uuid+"</uuid><owner><name>other</name><uuid>"+d.UUID()+"</uuid></owner><mac address='"+l.mac()+"'/></networkport>", 0)
	})
	t.Expect(n.Ports()).To(ConsistOf(uuid))
	t.Expect(n.Port(uuid)).To(ContainSubstring("bridge='" + l.bridge() + "'"))
	t.Expect(t.VirshSays("net-port-list " + n.Name)).To(ContainSubstring(uuid))
	t.Do("delete port", func() error { return port.Delete(0) })
	_ = port.Free()
	t.Expect(n.Ports()).To(BeEmpty(), "ports after the deletion")
	t.Refuses("look up a port that was deleted", libvirt.ERR_NO_NETWORK_PORT, func() error { _, err := n.Raw.LookupNetworkPortByUUIDString(uuid); return err })
})
