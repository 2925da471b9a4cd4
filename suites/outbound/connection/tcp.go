package connection

import (
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

var _ = check.Register("O-CONN-TCP", check.Spec{
	Asserts:  "A client on TCP sees and does what one on the local socket does",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "0.3.0")},
	Depends:  check.On(matrix.Libvirt),
	Control:  sabotage.Wrap("virsh", "a virsh that always ends with 0", `$REAL "$@"; exit 0`),
}, func(t *steps.T) {
	t.Listen("listen_tls = 0\nlisten_tcp = 1\nauth_tcp = \"none\"\nlisten_addr = \"127.0.0.1\"\n")
	serves(t, remote(t, "tcp", "127.0.0.1", ""))
	t.Expect(virshOn(t, remote(t, "tcp", "127.0.0.1:1", ""), "list").Code).To(Equal(1), "status of virsh where nobody listens")
})

// serves asserts that a client on the URI defines, starts and destroys a domain, and
// that a large answer comes through.
func serves(t *steps.T, uri string) {
	d := t.Define()
	t.Expect(strings.Fields(says(t, uri, "list --all --name"))).To(ContainElement(d.Name), "domains that a client on %s sees", uri)
	says(t, uri, "start --paused "+d.Name)
	t.Expect(d.State()).To(Equal(libvirt.DOMAIN_PAUSED), "state of the domain that a client on %s started", uri)
	t.Expect(says(t, uri, "dumpxml "+d.Name)).To(Equal(strings.TrimSpace(d.Dump(0))), "XML that a client on %s gets", uri)
	t.Expect(says(t, uri, "capabilities")).To(Equal(t.VirshSays("capabilities")), "capabilities that a client on %s gets", uri)
	says(t, uri, "destroy "+d.Name)
	t.Expect(d.Active()).To(BeFalse(), "the domain that a client on %s destroyed runs", uri)
}
