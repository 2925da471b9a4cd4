// Package features holds the checks of what users have in the XML of their guests: it is
// kept, and does what it says, from the definition to a guest that was saved and restored.
package features

import (
	"strings"

	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// feature is a part of a guest's XML, by where it stands: in the domain, in what it boots
// by, and among its devices.
type feature struct {
	top, os, devices string
	// size is that of the guest, if the usual one will not do.
	size domain.Size
	// seen asserts what the feature does for the running guest; it may be nil.
	seen func(t *steps.T, d *steps.Domain, g *steps.Guest)
}

// keeps asserts that a feature is in the XML of the domain that was defined with it, of
// the guest that was started and of the one that was saved and restored, and has its effect.
func keeps(t *steps.T, f feature) {
	who := t.NewGuest()
	base := t.Marshal(t.Describe(who, domain.WithSize(f.size), domain.WithRootPorts(4)))
	sent := strings.NewReplacer("</on_crash>", "</on_crash>"+f.top, "</os>", f.os+"</os>", "</devices>", f.devices+"</devices>").Replace(base)
	d := t.DefineXML(who, sent)
	t.ExpectKept("the definition", base, sent, d.Dump(libvirt.DOMAIN_XML_INACTIVE|libvirt.DOMAIN_XML_SECURE))
	d.Start()
	g := d.Guest()
	works := func(what string) {
		t.ExpectKept(what, base, sent, d.Dump(libvirt.DOMAIN_XML_SECURE))
		if f.seen != nil {
			f.seen(t, d, g)
		}
	}
	works("the XML of the started guest")
	mark, file := g.Mark(), t.Scratch("saved")
	d.Save(file)
	t.Connection().Restore(file)
	g = d.Guest()
	g.ExpectGoesOn(mark)
	works("the XML of the restored guest")
	t.ExpectKept("the definition of the restored guest", base, sent, d.Dump(libvirt.DOMAIN_XML_INACTIVE|libvirt.DOMAIN_XML_SECURE))
}
