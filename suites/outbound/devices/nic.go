package devices

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"
)

// The cards of these checks, and a network that serves guests by itself.
const (
	userMAC    = "52:54:00:1a:00:01"
	networkMAC = "52:54:00:1a:00:02"
	isolated   = `<network>
  <name>virtmatrix-hp</name>
  <bridge name='vmhp0' stp='off'/>
  <ip address='192.168.191.1' netmask='255.255.255.0'>
    <dhcp><range start='192.168.191.100' end='192.168.191.200'/><host mac='` + networkMAC + `' ip='192.168.191.9'/></dhcp>
  </ip>
</network>`
)

var _ = check.Register("O-HP-NIC", check.Spec{
	Asserts:  "Network cards come to a running guest, with as many queues as they were given, reach their network, and go",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "1.2.6")},
	Depends:  check.On(matrix.Linux, matrix.QEMU, matrix.Libvirt, "machine", "firmware", "accel"),
	Hosts:    matrix.Hosts{Network: true},
	Control:  sabotage.Swallow("virDomainDetachDeviceFlags"),
}, func(t *steps.T) {
	n := t.DefineNetwork(isolated)
	n.Start()
	d, g := t.Started(domain.WithRootPorts(5), domain.WithSize(domain.Size{CPUs: 2}))
	leaves := func(mac string) {
		g.WaitNoNIC(mac)
		t.Until(plugLimit, "card "+mac+" is gone from the domain's XML", func() bool { return !d.Has(mac) })
	}
	user := domain.NewNIC(domain.NIC{MAC: userMAC})
	d.Attach(user)
	t.Expect(g.DHCP(g.WaitNIC(userMAC).Name).Server.String()).To(Equal("10.0.2.2"), "server of the emulator's own network")
	d.Detach(user)
	leaves(userMAC)

	card := domain.NewNIC(domain.NIC{Network: n.Name, MAC: networkMAC})
	card.Driver = &libvirtxml.DomainInterfaceDriver{Queues: 2}
	d.Attach(card)
	seen := g.WaitNIC(networkMAC)
	t.Expect([]any{seen.Driver, seen.Link, seen.Queues}).To(Equal([]any{"virtio_net", true, 2}), "driver, link and queues of the card that the guest sees")
	t.Expect(g.DHCP(seen.Name).Address.String()).To(Equal("192.168.191.9/24"), "address of the guest's lease")
	d.Detach(card)
	leaves(networkMAC)

	t.VirshSays("attach-interface " + d.Name + " network " + n.Name + " --model virtio --live --mac " + networkMAC)
	g.WaitNIC(networkMAC)
	t.VirshSays("detach-interface " + d.Name + " network --live --mac " + networkMAC)
	leaves(networkMAC)
	t.Expect(t.Sh("ls /sys/class/net/vmhp0/brif | grep vnet || true")).To(BeEmpty(), "cards left at the network's bridge")
})

var _ = check.Register("O-HP-LINK", check.Spec{
	Asserts:  "The guest sees the link of its network card go down, stay down and come up, as libvirt says",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "0.9.5")},
	Depends:  check.On(matrix.Linux, matrix.QEMU, matrix.Libvirt, "machine"),
	Control:  sabotage.Swallow("virDomainUpdateDeviceFlags"),
}, func(t *steps.T) {
	card := domain.NIC{MAC: userMAC}
	d, g := t.Started(domain.WithNIC(card))
	links := func(want string) {
		t.Until(plugLimit, "the guest's card is "+want, func() bool { return g.NIC(userMAC).Link == (want == "up") })
		t.Expect(t.VirshSays("domif-getlink "+d.Name+" "+userMAC)).To(HaveSuffix(want), "what virsh says of the link")
	}
	links("up")
	for _, state := range []string{"down", "down", "up"} {
		t.VirshSays("domif-setlink " + d.Name + " " + userMAC + " " + state)
		links(state)
	}
	update := d.Live().Devices.Interfaces[0]
	for _, state := range []string{"down", "up"} {
		update.Link = &libvirtxml.DomainInterfaceLink{State: state}
		d.Update(&update)
		links(state)
	}
	t.VirshSays("domif-setlink " + d.Name + " " + userMAC + " down --config")
	t.Expect(g.NIC(userMAC).Link).To(BeTrue(), "the link of the running guest, when only that of its next start was taken down")
	t.Expect(d.Dump(libvirt.DOMAIN_XML_INACTIVE)).To(ContainSubstring(`<link state='down'/>`))
	d.Destroy()
	d.Start()
	d.Guest()
	links("down")
})
