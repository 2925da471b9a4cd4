package lifecycle

import (
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// The schema is asked by the daemon; what it does not know is dropped without being asked.
var _ = check.Register("O-DEF-VAL", check.Spec{
	Asserts:  "XML that the schema does not know is refused where validation is asked for, and only there",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "1.2.12")},
	Depends:  check.On(matrix.Libvirt),
	Control:  sabotage.ChangeCode("virDomainDefineXMLFlags", libvirt.ERR_INTERNAL_ERROR),
}, func(t *steps.T) {
	conn := t.Connection()
	d := t.Define()
	good := d.Dump(libvirt.DOMAIN_XML_INACTIVE)
	t.Do("define valid XML with validation", func() error { return conn.TryDefine(good, libvirt.DOMAIN_DEFINE_VALIDATE) })
	bad := strings.Replace(good, "<on_crash>", "<nosuch>1</nosuch><on_crash>", 1)
	t.Refuses("define an unknown element with validation", libvirt.ERR_XML_INVALID_SCHEMA,
		func() error { return conn.TryDefine(bad, libvirt.DOMAIN_DEFINE_VALIDATE) })
	t.Refuses("create a domain with an unknown element with validation", libvirt.ERR_XML_INVALID_SCHEMA, func() error {
		_, err := conn.Raw.DomainCreateXML(bad, libvirt.DOMAIN_START_VALIDATE)
		return err
	})
	t.Expect(d.Dump(libvirt.DOMAIN_XML_INACTIVE)).To(Equal(good), "the definition after a refusal")

	file := t.Scratch("domain.xml")
	t.Put(file, bad)
	t.Expect(t.Virsh("define --validate "+file).Code).To(Equal(1), "status of virsh define --validate")
	t.Expect(t.Virsh("define "+file).Code).To(Equal(0), "status of virsh define")
	t.Expect(d.Dump(libvirt.DOMAIN_XML_INACTIVE)).To(Equal(good), "the definition without what the schema does not know")
})
