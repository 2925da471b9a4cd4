package network

import (
	"syscall"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// Where rules of one table decide, the first that matches does: libvirt's accept what
// guests ask of the host, and stand before those of others and the policy.
var _ = check.Register("O-NET-FW-IPT", check.Spec{
	Asserts:  "A guest gets its lease though its host's own iptables rules, made before the network or after it, drop what comes in",
	Requires: since("1.2.6"),
	Depends:  depends,
	Hosts:    hosts,
	Control:  sabotage.Command("rules of others that come first", "(while :; do iptables -C INPUT -i vmbr0 -j DROP || iptables -I INPUT -i vmbr0 -j DROP; sleep 0.05; done) >/dev/null 2>&1 &"),
}, func(t *steps.T) {
	l := lan(0)
	const drop, undo = "iptables -P INPUT DROP && iptables -A INPUT -p udp -j DROP", "iptables -D INPUT -p udp -j DROP; iptables -P INPUT ACCEPT"
	t.Cleanup(func() { t.Run(undo) })
	t.Sh(drop)
	n := t.StartNetwork(l.forward("nat"))
	_, g := t.Started(l.nic())
	l.leased(t, g)
	t.Sh(undo + "; " + drop)
	l.leased(t, g)
	l.destroyed(t, n)
	t.Expect(t.Sh("iptables -S INPUT")).To(And(HavePrefix("-P INPUT DROP"), HaveSuffix("-A INPUT -p udp -j DROP")), "rules of others after the network was destroyed")
})

// foreign is a firewall of the host's own in nftables. What one table drops no other
// table lets in (nft(8), "Verdict statement").
const foreign = `table inet vmforeign {
	chain input {
		type filter hook input priority 0; policy drop;
		iifname "lo" accept
	}
}`

var _ = check.Register("O-NET-FW-NFT", check.Spec{
	Asserts:  "What the host's own nftables table drops stays dropped, libvirt leaves the table as it is, and without it the guest is served",
	Requires: since("1.2.6"),
	Depends:  depends,
	Hosts:    hosts,
	Control:  sabotage.Swallow("virNetworkDestroy"),
}, func(t *steps.T) {
	l := lan(0)
	t.Cleanup(func() { t.Run("nft delete table inet vmforeign") })
	file := t.Scratch("rules")
	t.Put(file, foreign)
	load := "nft -f " + file
	t.Sh(load)
	n := t.StartNetwork(l.forward("nat"))
	_, g := t.Started(l.nic())
	_, ok := g.TryDHCP(g.NIC(l.mac()).Name)
	t.Expect(ok).To(BeFalse(), "the guest gets a lease through a firewall that drops it")
	t.Sh("nft delete table inet vmforeign")
	l.leased(t, g)
	t.Sh(load)
	before := t.Sh("nft list table inet vmforeign")
	t.Expect(g.Reaches(l.gateway())).To(BeFalse(), "the guest reaches the gateway through a firewall that drops it")
	l.destroyed(t, n)
	t.Expect(t.Sh("nft list table inet vmforeign")).To(Equal(before), "the host's own table after the network was destroyed")
})

// A firewall that is loaded anew begins with a flush, which takes libvirt's rules, too.
var _ = check.Register("O-NET-FW-FLUSH", check.Spec{
	Asserts:  "A network whose rules somebody flushed has them back when the daemon starts anew, and is destroyed without them, too",
	Requires: since("1.2.6"),
	Depends:  depends,
	Hosts:    hosts,
	Control:  sabotage.Command("a firewall that is flushed again and again", "(while :; do nft flush ruleset; sleep 0.1; done) >/dev/null 2>&1 &"),
}, func(t *steps.T) {
	l := lan(0)
	n := t.StartNetwork(l.forward("nat"))
	before := l.rules(t)
	t.Expect(before).NotTo(BeEmpty(), "rules of the network")
	t.Sh("nft flush ruleset")
	t.RestartLibvirt(syscall.SIGTERM)
	t.Expect(l.rules(t)).To(ConsistOf(before), "rules of the network after they were flushed and the daemon started anew")
	n = t.Network(n.Name)
	t.Sh("nft flush ruleset")
	l.destroyed(t, n)
	t.RestartLibvirt(syscall.SIGTERM) // what rules of all networks are in is made once
	n = t.Network(n.Name)
	n.Start()
	t.Expect(l.rules(t)).To(ConsistOf(before), "rules of the network when it is started after a flush")
	l.destroyed(t, n)
})

// A host without iptables has the other backend, and so has one whose administrator
// chose it. It makes no rules for what comes in (networkAddFirewallRules,
// network_nftables.c): what the host's own rules drop guests do without.
// The checksums of DHCP are mended by tc's act_csum, which the kernel of a container's host may lack.
var _ = check.Register("O-NET-NFT", check.Spec{
	Asserts:  "With the nftables backend a guest is served and goes out as its host, whose own rules decide what comes in",
	Requires: since("10.4.0", matrix.OwnKernel),
	Depends:  depends,
	Hosts:    hosts,
	Control:  sabotage.Swallow("virNetworkDestroy"),
}, func(t *steps.T) {
	l, config := lan(0), t.Layout().LibvirtConfig+"/network.conf"
	t.Cleanup(func() {
		t.Sh("mv " + config + ".shipped " + config + "; iptables -P INPUT ACCEPT")
		t.RestartLibvirt(syscall.SIGTERM)
	})
	t.Sh("cp -a " + config + " " + config + ".shipped && echo 'firewall_backend = \"nftables\"' >>" + config)
	t.RestartLibvirt(syscall.SIGTERM)
	out := t.Outside(l.guest())
	n := t.StartNetwork(l.forward("nat"))
	t.Expect(t.Sh("nft list tables")).To(ContainSubstring("libvirt_network"), "tables of the host")
	g, lease := l.joined(t)
	g.Ping(lease.Router)
	out.ExpectSees(g, "", l.guest())
	t.Sh("iptables -P INPUT DROP")
	t.Expect(g.Reaches(l.gateway())).To(BeFalse(), "the guest reaches a host that drops what comes in")
	l.destroyed(t, n)
})
