package kernel

import (
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/internal/probe"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// A network namespace at the other end of a pair of links, with addresses that
// are reserved for documentation (RFC 5737). L1 has two of its own there: the
// one of the link, and one that is to be masqueraded.
const (
	peerSpace   = "vmpeer"
	linkAddr    = "203.0.113.1"
	peerAddr    = "203.0.113.2"
	privateAddr = "198.51.100.7"
	// trackedPort and untrackedPort are told apart by the rules.
	trackedPort, untrackedPort = "7001", "7002"
)

const linkUp = `set -e
ip netns add ` + peerSpace + `
ip link add vmlink0 type veth peer name vmlink1 netns ` + peerSpace + `
ip address add ` + linkAddr + `/24 dev vmlink0
ip address add ` + privateAddr + `/32 dev vmlink0
ip link set vmlink0 up
ip -n ` + peerSpace + ` address add ` + peerAddr + `/24 dev vmlink1
ip -n ` + peerSpace + ` link set vmlink1 up
ip -n ` + peerSpace + ` route add default dev vmlink1
`

const linkDown = `ip link delete vmlink0; ip netns delete ` + peerSpace

// ruleset masquerades what is tracked, and keeps one port from being tracked.
const ruleset = `
add table ip vmcheck
add chain ip vmcheck early { type filter hook output priority -300; }
add rule ip vmcheck early udp dport ` + untrackedPort + ` notrack
add chain ip vmcheck seen { type filter hook output priority 0; }
add rule ip vmcheck seen udp dport ` + trackedPort + ` ct state new counter accept
add rule ip vmcheck seen udp dport ` + untrackedPort + ` ct state untracked counter accept
add chain ip vmcheck nat { type nat hook postrouting priority 100; }
add rule ip vmcheck nat ip saddr ` + privateAddr + ` oifname "vmlink0" masquerade
`

// A datagram is sent under each rule: that the kernel took the rules says less than
// what it does to packets. The rules are written by the userland's nft.
var _ = check.Register("IK-NFT", check.Spec{
	Asserts:  "The kernel takes nftables rules with masquerading, connection tracking and notrack",
	Requires: []matrix.Requirement{matrix.OwnKernel},
	Depends:  check.On(matrix.Linux, matrix.Libvirt),
	Control: sabotage.Command("another table that translates first", "nft add table ip vmother && "+
		"nft add chain ip vmother nat '{ type nat hook postrouting priority 90; }' && "+
		"nft add rule ip vmother nat ip saddr "+privateAddr+" snat to 203.0.113.9"),
}, func(t *steps.T) {
	t.Cleanup(func() { t.Run("nft delete table ip vmcheck 2>/dev/null; " + linkDown) })
	t.Sh(linkUp)
	t.Put("/run/vmcheck.nft", ruleset)
	t.RemoveAfter("/run/vmcheck.nft")
	t.Sh("nft -f /run/vmcheck.nft")
	listed := t.Sh("nft list table ip vmcheck")
	for _, rule := range []string{
		"udp dport " + untrackedPort + " notrack",
		"udp dport " + trackedPort + " ct state new counter packets 0",
		"udp dport " + untrackedPort + " ct state untracked counter packets 0",
		"ip saddr " + privateAddr + ` oifname "vmlink0" masquerade`,
	} {
		t.Expect(listed).To(ContainSubstring(rule), "a rule in the listing")
	}

	t.Expect(sourceSeen(t, trackedPort)).To(Equal(linkAddr), "the source of a masqueraded datagram")
	t.Expect(sourceSeen(t, untrackedPort)).To(Equal(privateAddr), "the source of a datagram that is not tracked, and so not masqueraded")
	listed = t.Sh("nft list table ip vmcheck")
	t.Expect(listed).To(ContainSubstring("ct state new counter packets 1 "), "the datagram that opened a connection was counted")
	t.Expect(listed).To(ContainSubstring("ct state untracked counter packets 1 "), "the datagram that is not tracked was counted")

	t.Sh("nft delete table ip vmcheck")
	t.Expect(t.Sh("nft list tables")).NotTo(ContainSubstring("vmcheck"), "the tables after the deletion")
	t.Expect(sourceSeen(t, trackedPort)).To(Equal(privateAddr), "the source of a datagram without rules")
	t.Note("nft: %s", strings.TrimSpace(t.Sh("nft --version")))
})

// sourceSeen sends a datagram from the private address to a port of the peer, and
// returns the address that it came from there.
func sourceSeen(t *steps.T, port string) string {
	var packet probe.Packet
	t.Probe(&packet, probe.AskPacket, "/run/netns/"+peerSpace, privateAddr, peerAddr+":"+port)
	t.Expect(packet.Error).To(BeEmpty(), "the way of the datagram to port %s", port)
	return packet.Source
}
