package network

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// A dnsmasq that was built without its history calls itself version UNKNOWN, one before
// its release a candidate.
var _ = check.Register("O-NET-DNSMASQ", check.Spec{
	Asserts:  "A network starts with a dnsmasq of an odd version, outlives its end, and without one is refused and leaves nothing",
	Requires: since("1.2.6"),
	Depends:  depends,
	Hosts:    hosts,
	Control:  sabotage.Swallow("virNetworkCreate"),
}, func(t *steps.T) {
	l := lan(0)
	n := t.DefineNetwork(l.forward("nat"))
	for _, version := range []string{"UNKNOWN", "3.0rc1"} {
		t.Sh(asVersion(version))
		n.Start()
		l.destroyed(t, n)
		t.Sh(asShipped)
	}
	n.Start()
	t.Sh("pkill -KILL -f '[d]nsmasq.*" + l.name() + "[.]conf'")
	l.destroyed(t, n)

	t.Wrap("dnsmasq", `echo "dnsmasq: failed to create listening socket" >&2; exit 2`)
	t.Expect(t.Try("start a network whose dnsmasq fails", n.Raw.Create)).NotTo(BeNil(), "a network is started whose dnsmasq fails")
	t.Expect(l.traces(t)).To(BeEmpty(), "what is left of a network that did not start")
	t.Unwrap("dnsmasq")
	n.Start()
	l.destroyed(t, n)
})

// asVersion makes dnsmasq state another version, cut to the length of its own. libvirt
// knows a daemon by the path of its program, so a script in its place would not do.
func asVersion(version string) string {
	return `set -e; f=$(command -v dnsmasq); v=$(dnsmasq --version | sed -n '1s/Dnsmasq version \([^ ]*\).*/\1/p'); cp -a $f $f.shipped
new=$(echo ` + version + ` | cut -c1-${#v}); sed -i "s/$(echo $v | sed 's/[.]/[.]/g')/$new/g" $f; dnsmasq --version | grep "version $new"`
}

const asShipped = `f=$(command -v dnsmasq); mv $f.shipped $f`
