package network

import (
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// limits of a network in KiB/s.
const limits = "<bandwidth><inbound average='1000' peak='2000' burst='256'/><outbound average='500'/></bandwidth>"

// Queues, classifiers and policers are modules of the host's kernel, which need not be
// built into that of L0.
var _ = check.Register("O-NET-QOS", check.Spec{
	Asserts:  "Limits of a network and of a card are the kernel's while they last, also when they change under a running guest",
	Requires: since("1.2.6", matrix.OwnKernel),
	Depends:  depends,
	Hosts:    hosts,
	Control:  sabotage.Swallow("virDomainSetInterfaceParameters"),
}, func(t *steps.T) {
	l := lan(0)
	t.StartNetwork(l.xml(limits))
	// libvirt's kilobytes are tc's, of 1000 bytes, and tc shows bits.
	t.Expect(classes(t, l.bridge())).To(MatchRegexp(`rate 8(Mbit|000Kbit) ceil 16(Mbit|000Kbit)`), "classes of the bridge")
	t.Expect(t.Sh("tc filter show dev "+l.bridge()+" parent ffff:")).To(MatchRegexp(`rate 4(Mbit|000Kbit)`), "police of the bridge")
	d := t.Define(l.nic())
	d.StartWith(libvirt.DOMAIN_START_PAUSED)
	vnet := t.Sh("ls /sys/class/net/" + l.bridge() + "/brif")
	average := libvirt.DomainInterfaceParameters{BandwidthInAverageSet: true, BandwidthInAverage: 2000}
	t.Do("limit a card", func() error { return d.Raw.SetInterfaceParameters(l.mac(), &average, libvirt.DOMAIN_AFFECT_LIVE) })
	t.Expect(classes(t, vnet)).To(MatchRegexp(`rate 16(Mbit|000Kbit)`), "classes of the card")
	t.Expect(t.VirshSays("domiftune " + d.Name + " " + l.mac())).To(MatchRegexp(`inbound.average\s*: 2000`))
	t.VirshSays("domiftune " + d.Name + " " + l.mac() + " --live --inbound 0")
	t.Expect(classes(t, vnet)).NotTo(ContainSubstring("rate"), "classes of the card without a limit")
})

func classes(t *steps.T, device string) string { return t.Sh("tc class show dev " + device) }

// What is refused before anything is limited needs nothing of the kernel.
var _ = check.Register("O-NET-FLOOR", check.Spec{
	Asserts:  "A card is promised bandwidth only by a network that has limits, and no more than it has",
	Requires: since("1.0.1"),
	Depends:  depends,
	Hosts:    hosts,
	Control:  sabotage.ChangeCode("virDomainCreateWithFlags", libvirt.ERR_INTERNAL_ERROR),
}, func(t *steps.T) {
	l := lan(0)
	n := t.StartNetwork(l.isolated())
	promised := func(floor string) *steps.Domain {
		g := t.NewGuest()
		xml := t.Marshal(t.Describe(g, l.nic()))
		return t.DefineXML(g, strings.Replace(xml, "<source network=", "<bandwidth><inbound average='1600' floor='"+floor+"'/></bandwidth><source network=", 1))
	}
	start := func(d *steps.Domain) func() error {
		return func() error { return d.Raw.CreateWithFlags(libvirt.DOMAIN_START_PAUSED) }
	}
	t.Refuses("start a guest that is promised what no limit is there for", libvirt.ERR_OPERATION_UNSUPPORTED, start(promised("50")))
	t.Expect(n.Ports()).To(BeEmpty(), "ports of a network whose guest was refused")
	if t.Contained() {
		return // limits are those of the host's own kernel
	}
	limited := lan(1)
	l, n = limited, t.StartNetwork(limited.xml(limits))
	t.Do("start a guest that is promised most of a network", start(promised("1500")))
	t.Refuses("start a guest that is promised more than is left", libvirt.ERR_OPERATION_INVALID, start(promised("1500")))
	t.Expect(n.Ports()).To(HaveLen(1), "ports of a network of which one guest was refused")
})
