package network

import (
	"net/netip"
	"syscall"
	"time"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirtxml"
)

// The card that passt serves, and the port of L1 that leads to its guest.
const (
	passtMAC  = "52:54:00:19:01:01"
	passtPort = 2007
	// anewLimit is how long the network may be away once passt was killed, at scale 1: the emulator
	// looks every 5 s for another one.
	anewLimit = 30 * time.Second
)

var passtHosts = matrix.Hosts{Network: true, Sandboxes: true, AddOns: []string{"passt"}}

// passt shows its guest the network of the host's default route, and speaks for the guest there by
// sockets of the host: no bridge, no privilege. The guest beyond is on that network.
var _ = check.Register("O-PASST", check.Spec{
	Asserts:  "A guest behind passt has a lease and a way out, is reached by its forwarded port, restored and replugged too, and leaves no passt behind",
	Requires: since("9.0", matrix.Contained),
	Depends:  check.On(matrix.Linux, matrix.QEMU, matrix.Libvirt),
	Hosts:    passtHosts,
	Control:  sabotage.WrapAddOn("passt", "a passt that forwards to another port", `exec $REAL "${@/%:7/:8}"`),
}, func(t *steps.T) {
	b := behindPasst(t)
	d, g := b.d, b.g
	b.leases()
	b.works()
	t.RestartLibvirt(syscall.SIGTERM)
	d = d.Again()
	b.works()
	file := t.Scratch("saved")
	d.Save(file)
	gone(t)
	t.Connection().Restore(file)
	g.WaitReady()
	b.works()
	d.Detach(b.card)
	g.WaitNoNIC(passtMAC)
	gone(t)
	d.Attach(b.card)
	b.leases()
	b.works()
	d.Destroy()
	gone(t)
})

// behind is a guest that passt serves, and the guest beyond its host.
type behind struct {
	t         *steps.T
	l         lan
	card      *libvirtxml.DomainInterface
	d         *steps.Domain
	g, beyond *steps.Guest
}

func behindPasst(t *steps.T) *behind {
	t.Install()
	b := &behind{t: t, l: lan(0)}
	t.StartNetwork(b.l.isolated())
	b.beyond, _ = b.l.joined(t)
	t.Sh("ip route add default via " + b.l.address(9) + " dev " + b.l.bridge())
	b.card = domain.NewPasst(passtMAC, domain.ForwardTCP(b.l.gateway(), passtPort, l2.GreetPort))
	b.d, b.g = t.Started(domain.WithPasst(passtMAC, b.card.PortForward...), domain.WithRootPorts(4))
	return b
}

// leases has the guest get its lease.
func (b *behind) leases() {
	address := b.g.DHCP(b.g.WaitNIC(passtMAC).Name).Address.String()
	b.t.Expect(address).To(Equal(b.l.gateway()+"/24"), "address of the guest's lease, which is its host's")
}

// works asserts that the guest gets out, and that its forwarded port leads to it.
func (b *behind) works() {
	b.t.Expect(b.goesOut()).To(BeTrue(), "the guest is greeted beyond its host")
	b.g.ExpectGreetsAt(netip.AddrPortFrom(netip.MustParseAddr(b.l.gateway()), passtPort))
}

func (b *behind) goesOut() bool {
	said, _ := b.g.Dial(netip.MustParseAddr(b.l.guest()))
	return said == b.beyond.Token
}

// dies kills the guest's passt, and waits until all works again.
func (b *behind) dies() {
	b.t.Sh("pkill -KILL passt")
	b.t.Until(anewLimit, "the guest whose passt was killed gets out again", b.goesOut)
	b.works()
}

// gone waits until no passt is left, nor a socket of one.
func gone(t *steps.T) {
	t.Until(goneLimit, "passt and its socket are gone", func() bool {
		return !t.Run("pgrep passt").OK() && t.Sh("ls /run/libvirt/qemu/passt 2>/dev/null || true") == ""
	})
}

// The emulator tells that its stream ended, and libvirt starts another passt (processNetdevStreamDisconnectedEvent).
var _ = check.Register("O-PASST-KILL", check.Spec{
	Asserts:  "A guest whose passt was killed gets another one, with the same way out and forwarded port, and after a restart of libvirt's daemon too",
	Requires: since("9.0", matrix.Contained),
	Depends:  check.On(matrix.Linux, matrix.QEMU, matrix.Libvirt),
	Hosts:    passtHosts,
	Control:  sabotage.WrapAddOn("passt", "a passt that starts once", `if test -e /tmp/started-once; then exit 1; fi; touch /tmp/started-once; exec $REAL "$@"`),
}, func(t *steps.T) {
	b := behindPasst(t)
	b.leases()
	b.works()
	b.dies()
	t.RestartLibvirt(syscall.SIGTERM)
	b.dies()
	b.d.Again().Destroy()
	gone(t)
})
