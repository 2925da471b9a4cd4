package kernel

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// bridgeUp makes a bridge with two ports, each of which leads to a network namespace.
// The second counts the datagrams that come to it.
const bridgeUp = `set -e
ip link add vmbr type bridge
ip link set vmbr up
for i in 1 2; do
  ip netns add vmend$i
  ip link add vmport$i master vmbr type veth peer name vmcard netns vmend$i
  ip link set vmport$i up
  ip -n vmend$i address add 203.0.113.1$i/24 dev vmcard
  ip -n vmend$i link set vmcard up
done
ip netns exec vmend2 nft add table ip vmcount
ip netns exec vmend2 nft add chain ip vmcount input '{ type filter hook input priority 0; }'
ip netns exec vmend2 nft add rule ip vmcount input udp dport 7003 counter
`

const bridgeDown = "ip link delete vmport1; ip link delete vmport2; ip link delete vmbr; ip netns delete vmend1; ip netns delete vmend2"

// bridge is two network namespaces on one bridge.
type bridge struct{ *steps.T }

func newBridge(t *steps.T) bridge {
	t.Cleanup(func() { t.Run(bridgeDown) })
	t.Sh(bridgeUp)
	b := bridge{t}
	t.Until(time.Minute, "a datagram crosses the bridge", b.carries)
	return b
}

// send sends datagrams of a number of bytes from the first end to the second.
func (b bridge) send(n, bytes int) (arrived int) {
	count := func() (n int) {
		listed := strings.Fields(b.Sh("ip netns exec vmend2 nft list table ip vmcount"))
		for i, word := range listed {
			if word == "packets" {
				_, err := fmt.Sscan(listed[i+1], &n)
				b.Expect(err).NotTo(HaveOccurred(), "a number of packets")
			}
		}
		return n
	}
	before := count()
	b.Sh("ip netns exec vmend1 bash -c 'for i in $(seq " + strconv.Itoa(n) + "); do head -c " + strconv.Itoa(bytes) + " /dev/zero >/dev/udp/203.0.113.12/7003; done; sleep 0.3'")
	return count() - before
}

// carries says whether a datagram comes through.
func (b bridge) carries() bool { return b.send(1, 10) == 1 }

// The filter sees bridged packets as iptables of libvirt and Docker expect it, and only
// when it is told to (Documentation/networking/bridge.rst).
var _ = check.Register("IK-BR", check.Spec{
	Asserts:  "A bridge carries packets, keeps VLANs apart, and lets iptables see bridged packets when it is told to",
	Requires: []matrix.Requirement{matrix.OwnKernel},
	Depends:  check.On(matrix.Linux, matrix.Libvirt),
	Control: sabotage.Command("VLANs that are not kept apart",
		"(while :; do echo 0 >/sys/class/net/vmbr/bridge/vlan_filtering; sleep 0.05; done) >/dev/null 2>&1 &"),
}, func(t *steps.T) {
	b := newBridge(t)
	t.Sh("ip link set vmbr type bridge vlan_filtering 1 && bridge vlan add dev vmport2 vid 7 pvid untagged && bridge vlan del dev vmport2 vid 1")
	t.Expect(b.carries()).To(BeFalse(), "a datagram goes from one VLAN to another")
	t.Sh("bridge vlan add dev vmport1 vid 7 pvid untagged")
	t.Expect(b.carries()).To(BeTrue(), "a datagram goes through in one VLAN")

	const drop = "FORWARD -p udp --dport 7003 -m physdev --physdev-is-bridged -j DROP"
	t.Sh("modprobe br_netfilter")
	t.Cleanup(func() { t.Run("iptables -D " + drop) })
	t.Sh("iptables -I " + drop)
	for _, value := range []string{"1", "0"} { // the last is what hosts without the module do
		t.Sh("echo " + value + " >/proc/sys/net/bridge/bridge-nf-call-iptables")
		t.Expect(b.carries()).To(Equal(value == "0"), "a bridged datagram comes through, with bridge-nf-call-iptables=%s", value)
	}
})

// libvirt limits a card with these very commands (virnetdevbandwidth.c).
var _ = check.Register("IK-TC", check.Spec{
	Asserts:  "The kernel limits a port's rate in both directions with the queues that libvirt uses",
	Requires: []matrix.Requirement{matrix.OwnKernel},
	Depends:  check.On(matrix.Linux, matrix.Libvirt),
	Control:  sabotage.Wrap("tc", "a tc that limits nothing", `case "$*" in *police*|*htb*rate*) exit 0;; esac; exec $REAL "$@"`),
}, func(t *steps.T) {
	b := newBridge(t)
	const n, bytes = 40, 1000
	t.Expect(b.send(n, bytes)).To(Equal(n), "datagrams that arrive without a limit")

	t.Sh("tc qdisc add dev vmport1 ingress && " +
		"tc filter add dev vmport1 parent ffff: protocol all u32 match u32 0 0 police rate 8kbit burst 8kb mtu 64kb drop flowid :1")
	t.Expect(b.send(n, bytes)).To(And(BeNumerically(">", 0), BeNumerically("<", n)), "datagrams of %d that a policer of 8 kbit a second lets in", n)
	t.Sh("tc qdisc del dev vmport1 ingress")
	t.Expect(b.send(n, bytes)).To(Equal(n), "datagrams that arrive without the policer")

	t.Sh("tc qdisc add dev vmport2 root handle 1: htb default 1 && " +
		"tc class add dev vmport2 parent 1: classid 1:1 htb rate 8kbit ceil 8kbit burst 2kb quantum 1000 && " +
		"tc qdisc add dev vmport2 parent 1:1 handle 2: sfq perturb 10")
	t.Expect(b.send(n, bytes)).To(BeNumerically("<", n), "datagrams of %d that a class of 8 kbit a second has let out so far", n)
})

var _ = check.Register("IK-EBT", check.Spec{
	Asserts:  "A rule of ebtables holds back bridged packets of one hardware address, and of no other",
	Requires: []matrix.Requirement{matrix.OwnKernel},
	Depends:  check.On(matrix.Linux, matrix.Libvirt),
	Control:  sabotage.Wrap("ebtables", "an ebtables that adds nothing", `case "$*" in *-A*) exit 0;; esac; exec $REAL "$@"`),
}, func(t *steps.T) {
	b := newBridge(t)
	mac := t.Sh("ip netns exec vmend1 cat /sys/class/net/vmcard/address")
	for _, program := range []string{"ebtables", "ebtables-legacy"} {
		if !t.Run("command -v " + program).OK() {
			t.Note("the host has no %s", program)
			continue
		}
		for source, comes := range map[string]bool{mac: false, "52:54:00:00:00:01": true} {
			rule := program + " -%s FORWARD -p IPv4 -s " + source + " -j DROP"
			t.Sh(strings.Replace(rule, "%s", "A", 1))
			t.Expect(b.carries()).To(Equal(comes), "a datagram of %s comes through where %s drops those of %s", mac, program, source)
			t.Sh(strings.Replace(rule, "%s", "D", 1))
		}
		t.Expect(b.carries()).To(BeTrue(), "a datagram comes through once the rules of %s are gone", program)
	}
})

// What a guest's macvtap device reads are frames of the link below it; the emulator
// opens it once for each queue.
var _ = check.Register("IK-TUN", check.Spec{
	Asserts:  "A tap device has queues and vnet headers, and a macvtap device hands over the frames of its link",
	Requires: []matrix.Requirement{matrix.OwnKernel},
	Depends:  check.On(matrix.Linux, matrix.Libvirt),
	Control:  sabotage.Wrap("ip", "a macvtap device that stays down", `case "$*" in "link set vmtap up") exit 0;; esac; exec $REAL "$@"`),
}, func(t *steps.T) {
	newBridge(t)
	t.Cleanup(func() { t.Run("ip link delete vmtun; ip link delete vmtap") })
	t.Sh("ip tuntap add dev vmtun mode tap multi_queue vnet_hdr")
	t.Expect(t.Sh("ip -d link show vmtun")).To(And(ContainSubstring("tun type tap"), MatchRegexp(`multi_queue (on|numqueues)`), ContainSubstring("vnet_hdr on")), "the tap device")

	t.Sh("ip link set vmport1 nomaster && ip link add vmtap link vmport1 type macvtap mode bridge && ip link set vmtap up")
	// Whom nobody knows is asked for by broadcast, which every device of the link gets.
	t.Sh("set -m; dev=/dev/tap$(cat /sys/class/net/vmtap/ifindex); test -c $dev || mknod $dev c $(tr : ' ' </sys/class/net/vmtap/macvtap/*/dev); " +
		"timeout 20 dd if=$dev of=/run/vmframe bs=4096 count=1 2>/dev/null & " +
		"for i in $(seq 20); do ip netns exec vmend1 bash -c 'echo x >/dev/udp/203.0.113.77/9'; sleep 0.3; test -s /run/vmframe && break; done; wait")
	t.RemoveAfter("/run/vmframe")
	t.Expect(t.Sh("od -An -v -tx1 /run/vmframe | tr -d ' \\n'")).To(ContainSubstring("cb00714d"), "the frame that asks for 203.0.113.77")
})
