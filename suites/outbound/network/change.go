package network

import (
	"fmt"
	"strings"
	"syscall"
	"time"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"
)

// What of a card can change while its guest runs is what the host has of it; what the guest sees of
// it cannot (qemuDomainChangeNet).
var _ = check.Register("O-NET-MOVE", check.Spec{
	Asserts:  "A running guest's card moves to another network and back, also after a new start, and what its guest would see changed is refused",
	Requires: since("1.2.14"),
	Depends:  check.On(matrix.Linux, matrix.QEMU, matrix.Libvirt),
	Hosts:    hosts,
	Control:  sabotage.Swallow("virDomainUpdateDeviceFlags"),
}, func(t *steps.T) {
	here, there := lan(0), lan(1)
	t.StartNetwork(here.isolated())
	t.StartNetwork(strings.Replace(there.isolated(), there.mac(), here.mac(), 1)) // which keeps the same card an address
	g, _ := here.joined(t)
	d := g.Domain
	move := func(to lan, flags libvirt.DomainDeviceModifyFlags) {
		card := d.Live().Devices.Interfaces[0]
		card.Source, card.Target = &libvirtxml.DomainInterfaceSource{Network: &libvirtxml.DomainInterfaceSourceNetwork{Network: to.name()}}, nil
		xml := t.Marshal(&card)
		t.Do("move the card to "+to.name(), func() error { return d.Raw.UpdateDeviceFlags(xml, flags) })
	}
	isOn := func(on, off lan) {
		t.Expect(g.DHCP(g.NIC(here.mac()).Name).Address.Addr().String()).To(Equal(on.guest()), "address of the guest's lease")
		t.Expect(t.Sh("ls /sys/class/net/"+on.bridge()+"/brif | grep -c vnet")).To(Equal("1"), "cards at the bridge of %s", on.name())
		t.Expect(t.Sh("ls /sys/class/net/"+off.bridge()+"/brif | grep vnet || true")).To(BeEmpty(), "cards at the bridge of %s", off.name())
	}
	mark := g.Mark()
	move(there, libvirt.DOMAIN_DEVICE_MODIFY_LIVE)
	isOn(there, here)
	move(here, libvirt.DOMAIN_DEVICE_MODIFY_LIVE)
	isOn(here, there)
	move(there, libvirt.DOMAIN_DEVICE_MODIFY_LIVE|libvirt.DOMAIN_DEVICE_MODIFY_CONFIG)
	isOn(there, here)
	g.ExpectGoesOn(mark)
	for what, change := range map[string]func(*libvirtxml.DomainInterface){
		"model": func(i *libvirtxml.DomainInterface) { i.Model.Type = "e1000e" },
		"queues": func(i *libvirtxml.DomainInterface) {
			i.Driver = &libvirtxml.DomainInterfaceDriver{Name: "vhost", Queues: 4}
		},
	} {
		card := d.Live().Devices.Interfaces[0]
		change(&card)
		xml := t.Marshal(&card)
		t.Refuses("change the card's "+what, libvirt.ERR_OPERATION_UNSUPPORTED, func() error {
			return d.Raw.UpdateDeviceFlags(xml, libvirt.DOMAIN_DEVICE_MODIFY_LIVE)
		})
	}
	isOn(there, here)
	d.Destroy()
	d.Start()
	g = d.Guest()
	isOn(there, here)
})

// leaseSeconds is for how long the network leases an address. dnsmasq leases none for less than
// two minutes.
const leaseSeconds = 300

var _ = check.Register("O-NET-LEASE", check.Spec{
	Asserts:  "A lease lasts as long as its network says, and is known still, and given again, once network and daemon were started anew",
	Requires: since("6.3.0"),
	Depends:  depends,
	Hosts:    hosts,
	Control:  sabotage.Wrap("dnsmasq", "a dnsmasq that leases by the hour", `case $1 in --conf-file=*) sed -i 's/,300s*$/,3600/' "${1#*=}";; esac; exec $REAL "$@"`),
}, func(t *steps.T) {
	l, mac := lan(0), lan(9).mac() // no address is kept for this one
	n := t.StartNetwork(strings.NewReplacer("'/>\n      <host", fmt.Sprintf("'><lease expiry='%d' unit='seconds'/></range>\n      <host", leaseSeconds)).Replace(l.isolated()))
	card := l.card()
	card.MAC = mac
	d, g := t.Started(domain.WithNIC(card))
	lease := g.DHCP(g.NIC(mac).Name)
	t.Expect(lease.Seconds).To(Equal(leaseSeconds), "seconds that the guest's lease lasts")
	address := lease.Address.Addr().String()
	expectLease(t, n, mac, address)
	ends := func() time.Time {
		leases := steps.Get(t, "ask for leases", n.Raw.GetDHCPLeases)
		t.Expect(leases).To(HaveLen(1), "leases of the network")
		return leases[0].ExpiryTime
	}
	first := ends()
	t.Expect(first).To(BeTemporally("~", t.HostTime().Add(leaseSeconds*time.Second), t.Limit(leaseLimit)), "end of the lease as libvirt tells it")
	d.Destroy()
	n.Destroy()
	n.Start()
	t.RestartLibvirt(syscall.SIGTERM)
	n = t.Network(n.Name)
	t.Expect(n.Leases()).To(HaveKeyWithValue(mac, address), "leases of the network that was started anew")
	t.Expect(ends()).To(Equal(first), "end of the lease that nobody asked for since")
	d = d.Again()
	d.Start()
	again := d.Guest()
	t.Expect(again.DHCP(again.NIC(mac).Name).Address).To(Equal(lease.Address), "address that the guest gets again")
	t.Until(leaseLimit, "libvirt tells of the lease's new end", func() bool { return ends().After(first) })
})
