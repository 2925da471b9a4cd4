package lifecycle

import (
	"fmt"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// metadataURI names the element that a check keeps with a domain.
const metadataURI = "http://virtmatrix.org/check/1.0"

// Live and defined metadata are two: what is set on one is not on the other.
var _ = check.Register("O-META", check.Spec{
	Asserts:  "Title, description and private metadata are kept where they were set, live or defined, and nowhere else",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "5.7")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU, matrix.XenHyp),
	Control:  sabotage.Swallow("virDomainSetMetadata"),
}, func(t *steps.T) {
	d := t.Define()
	d.StartPaused()
	const live, config = libvirt.DOMAIN_AFFECT_LIVE, libvirt.DOMAIN_AFFECT_CONFIG
	for _, kind := range []metadata{
		{libvirt.DOMAIN_METADATA_TITLE, "", "%s title", "<title>%s title</title>"},
		{libvirt.DOMAIN_METADATA_DESCRIPTION, "", "%s\n<text> & more", "<description>%s\n&lt;text&gt; &amp; more</description>"},
		{libvirt.DOMAIN_METADATA_ELEMENT, metadataURI, "<kept by='%s'/>", `<check:kept xmlns:check="` + metadataURI + `" by="%s"/>`},
	} {
		kind.refusedAt(t, d, live)
		kind.setAt(t, d, "live", live)
		kind.refusedAt(t, d, config)
		kind.setAt(t, d, "defined", config)
		t.Expect(d.Dump(0)).To(ContainSubstring(kind.shown, "live"), "live XML")
		t.Expect(d.Dump(libvirt.DOMAIN_XML_INACTIVE)).To(ContainSubstring(kind.shown, "defined"), "definition")
	}
	t.Expect(t.VirshSays("desc --title --live " + d.Name)).To(Equal("live title"))
	t.VirshSays("desc --title --config " + d.Name + " 'by virsh'")
	t.VirshSays("metadata " + d.Name + " --uri " + metadataURI + " --config --remove")
	d.Destroy()
	t.Expect(t.VirshSays("desc --title " + d.Name)).To(Equal("by virsh"))
	t.Expect(d.Dump(0)).NotTo(ContainSubstring(metadataURI), "metadata that was removed")
})

// metadata is one kind of it, as it is written and as the XML shows it.
type metadata struct {
	kind        libvirt.DomainMetadataType
	uri         string
	text, shown string
}

func (m metadata) get(d *steps.Domain, where libvirt.DomainModificationImpact) func() (string, error) {
	return func() (string, error) { return d.Raw.GetMetadata(m.kind, m.uri, where) }
}

func (m metadata) refusedAt(t *steps.T, d *steps.Domain, where libvirt.DomainModificationImpact) {
	t.Refuses("ask for metadata that nobody set", libvirt.ERR_NO_DOMAIN_METADATA, func() error { _, err := m.get(d, where)(); return err })
}

func (m metadata) setAt(t *steps.T, d *steps.Domain, word string, where libvirt.DomainModificationImpact) {
	text, key := fmt.Sprintf(m.text, word), ""
	if m.uri != "" {
		key = "check"
	}
	t.Do("set metadata", func() error { return d.Raw.SetMetadata(m.kind, text, key, m.uri, where) })
	said := steps.Get(t, "ask for metadata", m.get(d, where))
	if m.uri != "" {
		t.Expect(said).To(Equal(fmt.Sprintf(`<kept by="%s"/>`, word)), "metadata as it was set")
		return
	}
	t.Expect(said).To(Equal(text), "metadata as it was set")
}
