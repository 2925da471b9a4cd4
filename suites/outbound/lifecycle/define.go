// Package lifecycle holds the checks of a domain's life, from its definition to its end.
package lifecycle

import (
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

var _ = check.Register("O-DEF", check.Spec{
	Asserts:  "A domain is there once defined, and gone with the right error code once undefined",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "1.2.12")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU, matrix.XenHyp, "machine", "firmware"),
	Control:  sabotage.Swallow("virDomainUndefineFlags"),
}, func(t *steps.T) {
	conn := t.Connection()
	d := t.Define(domain.WithTitle("first"))
	uuid := d.UUID()
	t.Expect([]bool{d.Persistent(), d.Active()}).To(Equal([]bool{true, false}), "persistent, active")
	t.Expect(d.State()).To(Equal(libvirt.DOMAIN_SHUTOFF))
	t.Expect(conn.Names()).To(ContainElement(d.Name))
	t.Expect(t.VirshSays("domuuid " + d.Name)).To(Equal(uuid))

	xml := d.Dump(libvirt.DOMAIN_XML_INACTIVE)
	t.Expect(xml).To(ContainSubstring("<title>first</title>"))
	conn.Define(strings.Replace(xml, "first", "second", 1))
	t.Expect(d.Dump(libvirt.DOMAIN_XML_INACTIVE)).To(ContainSubstring("<title>second</title>"))

	d.Undefine()
	t.Expect(conn.Names()).NotTo(ContainElement(d.Name))
	t.Refuses("look undefined domain up by name", libvirt.ERR_NO_DOMAIN, func() error { _, err := conn.Raw.LookupDomainByName(d.Name); return err })
	t.Refuses("look undefined domain up by UUID", libvirt.ERR_NO_DOMAIN, func() error { _, err := conn.Raw.LookupDomainByUUIDString(uuid); return err })
	t.Refuses("undefine domain twice", libvirt.ERR_NO_DOMAIN, func() error { return d.Raw.UndefineFlags(0) })
})
