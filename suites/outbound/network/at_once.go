package network

import (
	"fmt"
	"regexp"
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// A card may find its network's bridge gone that was there a moment ago.
var _ = check.Register("O-CONC-NET", check.Spec{
	Asserts:  "A network that is destroyed and started while guests on it come and go serves them in the end, and leaves nothing of the others",
	Requires: since("1.2.8"),
	Depends:  depends,
	Hosts:    hosts,
	Control:  sabotage.Swallow("virNetworkDestroy"),
}, func(t *steps.T) {
	l := lan(0)
	n := t.StartNetwork(l.isolated())
	var racers []*steps.Racer
	for i := range 2 {
		d := t.Define(domain.WithNIC(domain.NIC{Network: l.name(), MAC: fmt.Sprintf("52:54:00:19:0a:%02x", i)}))
		racers = append(racers, d.Racers(1, "start a guest or destroy it", steps.StartsAndEnds,
			libvirt.ERR_OPERATION_INVALID, libvirt.ERR_NO_NETWORK_PORT, libvirt.ERR_SYSTEM_ERROR, libvirt.ERR_INTERNAL_ERROR, libvirt.ERR_OPERATION_FAILED)...)
	}
	own := n.Own()
	t.Race(10, append(racers, steps.NewRacer("destroy the network or start it", func(i int) error {
		if i%2 == 0 {
			return own.Destroy()
		}
		return own.Create()
	})))
	t.Expect(n.Ports()).To(BeEmpty(), "ports of guests that are off")
	t.Expect(t.Sh("ls /sys/class/net/"+l.bridge()+"/brif")).To(BeEmpty(), "what is still on the bridge")
	_, _ = l.joined(t)
	l.destroyed(t, n)
})

// Filters are locked by who defines them and by who starts guests, in orders that must agree.
var _ = check.Register("O-CONC-NWF", check.Spec{
	Asserts:  "A filter that changes while guests behind it come and go is in the end in the firewall as it was changed last, and only for guests that run",
	Requires: since("4.5.0"),
	Depends:  depends,
	Hosts:    hosts,
	Control:  noRules,
}, func(t *steps.T) {
	l := lan(0)
	t.StartNetwork(l.isolated())
	t.DefineFilter("vmfilter", "")
	var racers []*steps.Racer
	var last *steps.Domain
	for i := range 3 {
		last = t.Define(domain.WithNIC(domain.NIC{Network: l.name(), MAC: fmt.Sprintf("52:54:00:19:0b:%02x", i)}), domain.WithFilter("vmfilter"))
		racers = append(racers, last.Racers(1, "start a guest or destroy it", steps.StartsAndEnds)...)
	}
	uuid := t.VirshSays("nwfilter-dumpxml vmfilter | grep -o '<uuid>.*</uuid>'")
	define := func(c *libvirt.Connect, port int) error {
		f, err := c.NWFilterDefineXML(fmt.Sprintf("<filter name='vmfilter' chain='root'>%s<rule action='drop' direction='out'><tcp dstportstart='%d'/></rule></filter>", uuid, port))
		if err == nil {
			_ = f.Free()
		}
		return err
	}
	own := t.NewConnection().Raw
	changes := steps.NewRacer("change the filter", func(i int) error { return define(own, 1000+i) }, libvirt.ERR_INTERNAL_ERROR)
	t.Race(8, append(racers, changes))
	t.Expect(t.Bindings()).To(BeEmpty(), "devices that filters are bound to once all guests are off")
	last.StartPaused()
	vnet := t.Sh("ls /sys/class/net/" + l.bridge() + "/brif")
	for _, port := range []int{2000, 2001} {
		t.Do("change the filter of a running guest", func() error { return define(t.Connection().Raw, port) })
		rules := strings.Join(t.FilterRules(vnet), "\n")
		t.Expect(regexp.MustCompile(`--dport \d+`).FindAllString(rules, -1)).To(And(Not(BeEmpty()), HaveEach(fmt.Sprintf("--dport %d", port))), "ports in the rules of a running guest")
	}
	t.Expect(steps.Done(changes)).To(Equal(8), "changes that were made, of 8, while guests came and went")
})
