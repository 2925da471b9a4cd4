package save

import (
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// What an edit may not touch is what the guest sees: libvirt refuses another amount of
// memory (virDomainDefCheckABIStability).
var _ = check.Register("O-SAVE-IMG", check.Spec{
	Asserts:  "The XML in an image can be read and changed, a guest restored from it has the change, and another machine is refused",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "0.9.5")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU, matrix.XenHyp),
	Control:  sabotage.Swallow("virDomainSaveImageDefineXML"),
}, func(t *steps.T) {
	g := t.Guest()
	d, conn, file := g.Domain, t.Connection(), t.Scratch("image")
	read := func() (string, error) { return conn.Raw.DomainSaveImageGetXMLDesc(file, 0) }
	if t.LacksOnXen("read the XML of an image", func() error { _, err := read(); return err }) {
		return
	}
	mark := g.Mark()
	d.Save(file)
	xml := steps.Get(t, "read the XML of the image", read)
	t.Expect(t.VirshSays("save-image-dumpxml " + file)).To(Equal(strings.TrimSpace(xml)))
	t.Refuses("change the memory in the image", libvirt.ERR_CONFIG_UNSUPPORTED, func() error {
		return conn.Raw.DomainSaveImageDefineXML(file, otherMemory(xml), 0)
	})
	t.Do("change the title in the image", func() error {
		return conn.Raw.DomainSaveImageDefineXML(file, titled(xml, "of the image"), libvirt.DOMAIN_SAVE_PAUSED)
	})
	conn.Restore(file)
	t.Expect(d.State()).To(Equal(libvirt.DOMAIN_PAUSED), "state that the image was changed to")
	t.Expect(d.Dump(0)).To(ContainSubstring("<title>of the image</title>"))
	d.Resume()
	g.WaitReady()
	g.ExpectGoesOn(mark)
	d.Destroy() // the next check gets a guest without the title
})

// titled gives a domain a title, otherMemory another amount of memory.
func titled(xml, title string) string {
	return strings.Replace(xml, "<memory", "<title>"+title+"</title>\n  <memory", 1)
}

func otherMemory(xml string) string {
	return strings.NewReplacer("<memory unit='KiB'>1", "<memory unit='KiB'>2", "<currentMemory unit='KiB'>1", "<currentMemory unit='KiB'>2").Replace(xml)
}

var _ = check.Register("O-MSAVE-X", check.Spec{
	Asserts:  "The XML of a managed save can be read and changed, and the guest that resumes has the change",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "3.7.0")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU, matrix.XenHyp),
	Control:  sabotage.Swallow("virDomainManagedSaveDefineXML"),
}, func(t *steps.T) {
	g := t.Guest()
	d := g.Domain
	read := func() (string, error) { return d.Raw.ManagedSaveGetXMLDesc(0) }
	if t.LacksOnXen("read the XML of a managed save", func() error { _, err := read(); return err }) {
		return
	}
	t.Refuses("read the XML of a managed save that is not there", libvirt.ERR_OPERATION_INVALID, func() error { _, err := read(); return err })
	mark := g.Mark()
	d.ManagedSave()
	xml := steps.Get(t, "read the XML of the managed save", read)
	t.Do("change the title in the managed save", func() error { return d.Raw.ManagedSaveDefineXML(titled(xml, "of the save"), 0) })
	t.Expect(t.VirshSays("managedsave-dumpxml " + d.Name)).To(ContainSubstring("<title>of the save</title>"))
	t.Expect(d.Dump(libvirt.DOMAIN_XML_INACTIVE)).NotTo(ContainSubstring("of the save"), "definition")
	d.Start()
	t.Expect(d.Dump(0)).To(ContainSubstring("<title>of the save</title>"), "live XML")
	g.WaitReady()
	g.ExpectGoesOn(mark)
	d.Destroy() // the next check gets a guest without the title
})
