package tools

import (
	"fmt"
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// The daemon validates by the schemas that the tool uses. The tool needs xmllint, which
// not every package of libvirt's clients brings along.
var _ = check.Register("O-XMLV", check.Spec{
	Asserts:  "All that libvirt prints is valid by its own schemas, and what is not is told apart",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "1.2.12")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU, matrix.XenHyp),
	Control:  sabotage.Alter("virDomainGetXMLDesc", "<on_crash>", "<on_crush>"),
}, func(t *steps.T) {
	conn := t.Connection()
	d := t.Define(domain.WithTitle("valid"), domain.WithDisk(t.DiskImage("disk", 1<<20), "raw"), domain.WithVNC("hidden1"))
	d.StartPaused()
	texts := map[string]string{
		"domain": d.Dump(0), "domain's definition": d.Dump(libvirt.DOMAIN_XML_INACTIVE | libvirt.DOMAIN_XML_SECURE),
		"capabilities": t.VirshSays("capabilities"), "network": t.VirshSays("net-dumpxml default"), "nwfilter": t.VirshSays("nwfilter-dumpxml clean-traffic"),
	}
	if t.Kind() == matrix.KVM {
		texts["domain that migrates"] = d.Dump(libvirt.DOMAIN_XML_MIGRATABLE)
		texts["domainCaps"] = t.VirshSays("domcapabilities")
	}
	tool := t.Run("command -v xmllint").OK()
	if !tool {
		t.Note("virt-xml-validate is not asked: there is no xmllint")
	}
	for what, xml := range texts {
		if strings.HasPrefix(what, "domain") && what != "domainCaps" {
			t.Do("have the daemon validate the "+what, func() error { return conn.TryDefine(xml, libvirt.DOMAIN_DEFINE_VALIDATE) })
		}
		if tool {
			t.Expect(validate(t, xml)).To(BeEmpty(), "what virt-xml-validate says of the %s", what)
		}
	}
	if tool {
		t.Expect(validate(t, strings.Replace(d.Dump(0), "<on_poweroff>", "<nosuch/><on_poweroff>", 1))).NotTo(BeEmpty(), "what virt-xml-validate says of an unknown element")
	}
})

// validate returns what virt-xml-validate says of XML that is not valid, and the lines
// that it says it of.
func validate(t *steps.T, xml string) string {
	file := t.Scratch("validate.xml")
	t.Put(file, xml)
	if said := t.Run("virt-xml-validate " + host.Quote(file)); !said.OK() {
		text := "status " + said.Text()
		for n, line := range strings.Split(xml, "\n") {
			if strings.Contains(text, fmt.Sprintf("%s:%d:", file, n+1)) {
				text += fmt.Sprintf("line %d is %s\n", n+1, strings.TrimSpace(line))
			}
		}
		return text
	}
	return ""
}
