package consumers

import (
	"syscall"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

func init() {
	check.Register("C-DBUS", check.Spec{
		Asserts:  "A user of the socket's group defines, starts, pauses and ends a guest on the system's bus, is told of each, and goes on when libvirt's daemon starts anew",
		Requires: above(),
		Depends:  check.On(matrix.QEMU, matrix.Libvirt),
		Hosts:    matrix.Hosts{AddOns: []string{"libvirt-dbus"}},
		Control:  sabotage.WrapAddOn("dbus-send", "a bus that pauses nothing", `case "$*" in *Suspend*) exit 0;; esac; exec $REAL "$@"`),
	}, onTheBus)
}

func onTheBus(t *steps.T) {
	t.HoldServices()
	t.Install()
	group := t.Layout().Accounts.SocketGroup
	u := t.PlainUser(group)
	t.StartPolkit(u)
	t.RestartLibvirt(syscall.SIGTERM)
	b := t.Bus(u)
	g := t.NewGuest()
	path := b.Call("Connect.DomainDefineXML", "string:"+t.Marshal(t.Describe(g)))
	t.Expect(b.Call("Connect.ListDomains", "uint32:0")).To(ContainSubstring(path), "domains on the bus")
	d := t.Adopt(g)
	b.CallOf(path, "Domain.Create", "uint32:0")
	guest := d.Guest()
	mark := guest.Mark()
	b.CallOf(path, "Domain.Suspend")
	t.Expect(d.State()).To(Equal(libvirt.DOMAIN_PAUSED), "state of the guest")
	b.CallOf(path, "Domain.Resume")
	guest.ExpectGoesOn(mark)

	t.RestartLibvirt(syscall.SIGKILL)
	t.Until(steps.PlugLimit, "the bus has the guest again", func() bool { return b.Has("Connect.ListDomains", path) })
	b.CallOf(path, "Domain.Destroy", "uint32:0")
	b.CallOf(path, "Domain.Undefine", "uint32:0")
	t.Expect(b.Call("Connect.ListDomains", "uint32:0")).NotTo(ContainSubstring(path), "domains on the bus")
	for what, event := range map[string]libvirt.DomainEventType{
		"defined": libvirt.DOMAIN_EVENT_DEFINED, "started": libvirt.DOMAIN_EVENT_STARTED, "suspended": libvirt.DOMAIN_EVENT_SUSPENDED,
		"resumed": libvirt.DOMAIN_EVENT_RESUMED, "stopped": libvirt.DOMAIN_EVENT_STOPPED,
	} {
		t.Until(steps.PlugLimit, "the bus tells that the guest is "+what, func() bool { return b.Told(path, int(event)) })
	}
}
