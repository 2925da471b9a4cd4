package connection

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// Both guards are tried: the client library that knows that it only reads, and the
// daemon behind the socket for readers.
var _ = check.Register("O-CONN-RO", check.Spec{
	Asserts:  "A read-only connection lists domains and is denied to start one",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "0.0.3")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU, matrix.XenHyp),
	Control: sabotage.CommandOn("a socket for readers that leads to the one for writers", func(t *steps.T) string {
		d := t.Manager()
		return "mv " + d.ReadOnly + " " + d.ReadOnly + "-aside && ln -s " + d.Socket + " " + d.ReadOnly
	}),
}, func(t *steps.T) {
	d := t.Define()
	for _, guard := range []struct {
		name string
		conn *steps.Connection
	}{{"client", t.ReadOnlyConnection()}, {"daemon", t.ReaderSocket()}} {
		t.Expect(guard.conn.Names()).To(ContainElement(d.Name), "domains that a reader sees")
		reader := guard.conn.Lookup(d.Name).Raw
		denied := func(op string, call func() error) {
			t.Refuses(op+" as reader, asking the "+guard.name, libvirt.ERR_OPERATION_DENIED, call)
		}
		denied("start domain", func() error { return reader.CreateWithFlags(0) })
		denied("undefine domain", func() error { return reader.UndefineFlags(0) })
		denied("define domain", func() error { return guard.conn.TryDefine(d.XML, 0) })
		denied("see secrets of domain", func() error { _, err := reader.GetXMLDesc(libvirt.DOMAIN_XML_SECURE); return err })
	}
	t.Expect(t.VirshSays("-r list --all --name")).To(ContainSubstring(d.Name))
	t.Expect(t.Virsh("-r start "+d.Name).Code).To(Equal(1), "status of virsh -r start")
	t.Expect(d.State()).To(Equal(libvirt.DOMAIN_SHUTOFF))
})
