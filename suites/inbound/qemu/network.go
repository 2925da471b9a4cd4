package qemu

import (
	"fmt"
	"net/netip"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"github.com/virtmatrix/virtmatrix/internal/layout"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// Addresses of a network that is reserved for documentation (RFC 5737).
const hostAddress, firstAddress, secondAddress = "192.0.2.1", "192.0.2.2", "192.0.2.3"

// nicOf are the arguments of a guest's network card with a back end.
func nicOf(backend string, n int) []string {
	return []string{"-netdev", backend + ",id=net", "-device", fmt.Sprintf("virtio-net-pci,netdev=net,id=nic,mac=52:54:00:00:01:%02x", n)}
}

var _ = check.Register("IQ-NET", check.Spec{
	Asserts:  "A guest reaches the host by user, tap and bridge networking, two guests each other by sockets, and a cable that is pulled is out",
	Requires: []matrix.Requirement{matrix.KVMStack},
	Depends:  check.On(matrix.Linux, matrix.QEMU),
	Hosts:    matrix.Hosts{Network: true},
	Control:  sabotage.Wrap(layout.Emulator, "user networking with another network", `exec $REAL "${@/user,id=net/user,net=198.51.100.0/24,id=net}"`),
}, func(t *steps.T) {
	q, g := t.StartGuest(nicOf("user", 1)...)
	lease := g.DHCP("eth0")
	// The addresses that the manual promises (qemu(1), -netdev user).
	t.Expect(lease.Address.Addr().String()).To(Equal("10.0.2.15"), "the address that the guest was given")
	t.Expect(lease.Router.String()).To(Equal("10.0.2.2"), "the router that the guest was told")
	g.Ping(lease.Router)
	for _, up := range []bool{false, true} {
		q.Do("set_link", map[string]any{"name": "nic", "up": up}, nil)
		t.Until(slowEnd, fmt.Sprintf("the guest sees that its link is up: %v", up), func() bool { return g.NICs()[0].Link == up })
	}
	q.Quit()

	t.Tap("vmtap1")
	t.Sh("ip address add " + hostAddress + "/24 dev vmtap1")
	reachesHost(t, "tap,ifname=vmtap1,script=no,downscript=no")
	t.Sh("ip address flush dev vmtap1")

	const bridge, allowed = "vmbr1", "/etc/qemu/bridge.conf"
	t.Cleanup(func() { t.Sh("rm -f " + allowed); t.Run("ip link delete " + bridge) })
	t.Sh("ip link add " + bridge + " type bridge && ip link set " + bridge + " up && ip address add " + hostAddress + "/24 dev " + bridge +
		" && mkdir -p /etc/qemu && echo allow " + bridge + " >" + allowed)
	reachesHost(t, "bridge,br="+bridge)

	a, b := t.Scratch("a"), t.Scratch("b")
	pairs := [][2]string{{"socket,listen=127.0.0.1:49301", "socket,connect=127.0.0.1:49301"}}
	if t.AtLeast(matrix.QEMU, "7.2") {
		pairs = append(pairs, [2]string{"stream,server=on,addr.type=unix,addr.path=" + a, "stream,server=off,addr.type=unix,addr.path=" + a},
			[2]string{dgram(a, b), dgram(b, a)})
	}
	for _, pair := range pairs {
		t.Note("two guests by %s", pair[0])
		q, g := t.StartGuest(nicOf(pair[0], 1)...)
		other, peer := t.StartGuest(nicOf(pair[1], 2)...)
		address(g, firstAddress)
		address(peer, secondAddress)
		g.Ping(netip.MustParseAddr(secondAddress))
		q.Quit()
		other.Quit()
		t.Sh("rm -f " + a + " " + b)
	}
})

func dgram(local, remote string) string {
	return "dgram,local.type=unix,local.path=" + local + ",remote.type=unix,remote.path=" + remote
}

// address gives the guest's network card an address.
func address(g *steps.Guest, address string) {
	g.NICs() // sets it up
	g.Disguise(l2.Guise{NIC: "eth0", Address: netip.PrefixFrom(netip.MustParseAddr(address), 24)})
}

// reachesHost asserts that a guest with this back end reaches the host.
func reachesHost(t *steps.T, backend string) {
	q, g := t.StartGuest(nicOf(backend, 1)...)
	address(g, firstAddress)
	g.Ping(netip.MustParseAddr(hostAddress))
	q.Quit()
}
