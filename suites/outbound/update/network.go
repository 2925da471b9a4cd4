package update

import (
	"time"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// leaseLimit bounds how long libvirt may take to tell of a lease, at scale 1.
const leaseLimit = time.Minute

func init() {
	cut := sabotage.Spoil("an upgrade that takes the network's bridge down", "ip link set virbr0 down")
	cut.Layer = matrix.LayerL2
	register("U-NET", matrix.Upgrade,
		"A guest on the default network reaches it and the outside all through an upgrade, and keeps its lease", cut, keepsNetwork)
}

func keepsNetwork(t *steps.T) {
	const mac = "52:54:00:19:01:01"
	n := t.Network("default")
	if !steps.Get(t, "ask whether network is active", n.Raw.IsActive) {
		n.Start()
	}
	g := started(t, domain.WithNIC(domain.NIC{Network: n.Name, MAC: mac}))
	card := g.NIC(mac).Name
	lease := g.DHCP(card)
	address := lease.Address.Addr().String()
	told := func() bool { return t.Network(n.Name).Leases()[mac] == address }
	t.Until(leaseLimit, "libvirt tells of the lease", told)
	pulse := g.Feel()
	updated(t, g)
	g.ExpectUndisturbed(pulse)
	g.Ping(lease.Router)
	t.Outside(address).ExpectSees(g, "", address)
	t.Until(leaseLimit, "the new daemon tells of the lease", told)
	t.Expect(g.DHCP(card).Address).To(Equal(lease.Address), "address of the guest's next lease")
}
