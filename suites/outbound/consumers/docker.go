package consumers

import (
	"fmt"
	"net/netip"
	"syscall"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// Docker's filter chain is its host's, and libvirt's second backend has a table of its own:
// what one of two chains of a hook drops, no other lets through (nft(8), "Verdict
// statement"). dockerd sets the chain's policy to DROP where it is the one that turns the
// host's forwarding on (moby, setup_ip_forwarding.go), so the order of start decides.
func docker(id, backend, asserts string, requires []matrix.Requirement, body func(*steps.T, string)) {
	check.Register(id, check.Spec{
		Asserts:  asserts,
		Requires: requires,
		Depends:  check.On(matrix.Linux, matrix.Libvirt),
		Hosts:    matrix.Hosts{AddOns: []string{"docker.io"}, Network: true},
		Control:  dropping,
	}, func(t *steps.T) { body(t, backend) })
}

// dropping is a dockerd that lets nothing through its host any more.
var dropping = sabotage.WrapAddOn("dockerd", "a dockerd that drops what its host forwards",
	`nft 'add table inet vmdrop; add chain inet vmdrop forward { type filter hook forward priority -200; policy drop; }'; exec $REAL "$@"`)

func init() {
	const (
		later  = "A guest whose NAT network is older than Docker goes out by TCP, and nobody comes in, whatever starts anew"
		before = "A guest whose NAT network is younger than Docker goes out by TCP, and nobody comes in, whatever starts anew"
		by     = ", with rules in nftables"
	)
	nft := above(matrix.Since(matrix.Libvirt, "10.4.0"))
	docker("C-DOCKER-NAT", "iptables", later, above(), networkFirst)
	docker("C-DOCKER-FWD", "iptables", before, above(), dockerFirst)
	docker("C-DOCKER-NAT-NFT", "nftables", later+by, nft, networkFirst)
	docker("C-DOCKER-FWD-NFT", "nftables", before+by, nft, dockerFirst)
}

func networkFirst(t *steps.T, backend string) {
	installed(t, backend)
	e := reached(t)
	e.crosses("before Docker")
	d := t.StartDocker()
	e.crosses("once Docker has started after the network")
	e.restarts(d)
}

func dockerFirst(t *steps.T, backend string) {
	installed(t, backend)
	d := t.StartDocker()
	e := reached(t)
	e.crosses("when Docker had started before the network")
	e.restarts(d)
}

// installed has Docker installed and not started, on a host that forwards nothing yet.
func installed(t *steps.T, backend string) {
	t.HoldServices()
	t.Install()
	t.Forwarding(false)
	if backend == "nftables" {
		t.Wrap("tc", `case "$*" in *"action csum"*) $REAL "$@" 2>/dev/null; exit 0;; esac; exec $REAL "$@"`)
		t.Note("what tc cannot add for lack of the kernel's act_csum is taken as added: leases come from elsewhere")
	}
	if t.AtLeast(matrix.Libvirt, "10.4.0") {
		t.Configure(t.Layout().LibvirtConfig+"/network.conf", fmt.Sprintf("firewall_backend = %q\n", backend))
	}
}

// ends are guests on both sides of the host: inside is on libvirt's NAT network, outside on
// a bridge that libvirt makes no rules for.
type ends struct {
	t               *steps.T
	network         *steps.Network
	inside, outside *steps.Guest
	guest, world    netip.Addr
}

const (
	insideMAC, outsideMAC = "52:54:00:19:03:01", "52:54:00:19:03:02"
	// The nftables backend mends the checksums of DHCP by tc's act_csum, which the kernel of a
	// container's host may lack, and starts no network without: leases are another's, and tc is
	// said to have done it.
	natNetwork = `<network><name>vmnat</name><forward mode='nat'/><bridge name='vmnat0' stp='off'/>
  <ip address='192.168.188.1' netmask='255.255.255.0'/></network>`
	outsideNetwork = `<network><name>vmworld</name><forward mode='bridge'/><bridge name='vmworld0'/></network>`
)

// reached starts the network and both guests.
func reached(t *steps.T) *ends {
	e := &ends{t: t, network: t.StartNetwork(natNetwork)}
	t.OwnDHCP("vmnat0", "--dhcp-range=192.168.188.2,192.168.188.99")
	t.OwnBridge("vmworld0", "203.0.113.1", "--dhcp-range=203.0.113.2,203.0.113.99")
	t.StartNetwork(outsideNetwork)
	join := func(network, mac string) (*steps.Guest, netip.Addr) {
		_, g := t.Started(domain.WithNIC(domain.NIC{Network: network, MAC: mac}))
		return g, g.DHCP(g.NIC(mac).Name).Address.Addr()
	}
	e.outside, e.world = join("vmworld", outsideMAC)
	e.inside, e.guest = join("vmnat", insideMAC)
	return e
}

// crosses asserts that the guest reaches the outside, and nobody there the guest. The
// token that the guest is told is the other one's: packets went both ways.
func (e *ends) crosses(when string) {
	firewall := e.t.Firewall()
	e.t.Note("%s: %s", when, firewall)
	token, ok := e.inside.Dial(e.world)
	if !ok {
		e.t.Fail(e.t.Layer, "the guest does not reach the outside %s; %s", when, firewall)
	}
	e.t.Expect(token).To(Equal(e.outside.Token), "who answers the guest from outside %s", when)
	if _, ok := e.outside.Dial(e.guest); ok {
		e.t.Fail(e.t.Layer, "the outside reaches the guest %s; %s", when, firewall)
	}
}

// restarts has each daemon, and the network, start anew.
func (e *ends) restarts(d *steps.Docker) {
	d.Restart()
	e.crosses("once Docker has started anew")
	e.t.RestartLibvirt(syscall.SIGTERM)
	e.crosses("once libvirt has started anew")
	e.network = e.t.Network("vmnat")
	e.network.Destroy()
	e.network.Start()
	// As users do: libvirt puts the cards of running guests back when its daemon starts.
	e.t.RestartLibvirt(syscall.SIGTERM)
	e.crosses("once the network has started anew")
}
