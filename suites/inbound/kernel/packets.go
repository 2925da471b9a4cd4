package kernel

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// legacyOptional is the first kernel in which the tables of iptables-legacy may be left
// out (CONFIG_NETFILTER_XTABLES_LEGACY, Linux 6.17).
const legacyOptional = "6.17"

var _ = check.Register("IK-IPT", check.Spec{
	Asserts:  "Rules of iptables masquerade, written through nftables and by the older interface",
	Requires: []matrix.Requirement{matrix.OwnKernel},
	Depends:  check.On(matrix.Linux, matrix.Libvirt),
	Control:  sabotage.Wrap("iptables-nft", "an iptables that adds nothing", `case "$*" in *-A*) exit 0;; esac; exec $REAL "$@"`),
}, func(t *steps.T) {
	t.Cleanup(func() { t.Run(linkDown) })
	t.Sh(linkUp)
	for _, program := range []string{"iptables-nft", "iptables-legacy"} {
		rule := " POSTROUTING -s " + privateAddr + " -o vmlink0 -j MASQUERADE"
		if program == "iptables-legacy" && t.AtLeast(matrix.Linux, legacyOptional) {
			if res := t.Run(program + " -t nat -A" + rule); !res.OK() {
				t.Note("%s: %s", program, res.Stderr)
				continue
			}
		} else {
			t.Sh(program + " -t nat -A" + rule)
		}
		t.Expect(sourceSeen(t, trackedPort)).To(Equal(linkAddr), "the source of a datagram that %s has masqueraded", program)
		t.Sh(program + " -t nat -D" + rule)
		// What is tracked stays as it was translated first.
		t.Sh("ip link set vmlink0 down && ip link set vmlink0 up")
		t.Expect(sourceSeen(t, untrackedPort)).To(Equal(privateAddr), "the source of a datagram once the rule of %s is gone", program)
	}
})
