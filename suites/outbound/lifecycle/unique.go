package lifecycle

import (
	"fmt"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// Which number a refusal has is from virDomainObjListAddLocked and
// virDomainObjListAddObjLocked: half of an identity is a failed operation, one that runs
// an invalid one.
var _ = check.Register("O-UNIQ", check.Spec{
	Asserts:  "No two domains have a name or a UUID in common, whichever way the second comes and whatever the first does",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "1.2.12")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU, matrix.XenHyp),
	Control:  sabotage.ChangeCode("virDomainDefineXMLFlags", libvirt.ERR_INTERNAL_ERROR),
}, func(t *steps.T) {
	for _, running := range []bool{false, true} {
		first := t.Define()
		if running {
			first.StartPaused()
		}
		for _, second := range []struct {
			sameName, sameUUID bool
			define, create     libvirt.ErrorNumber
		}{
			{true, false, libvirt.ERR_OPERATION_FAILED, libvirt.ERR_OPERATION_FAILED},
			{false, true, libvirt.ERR_OPERATION_FAILED, libvirt.ERR_OPERATION_FAILED},
			{false, false, libvirt.ERR_OK, libvirt.ERR_OK},
			{true, true, libvirt.ERR_OK, createdTwice(running)},
		} {
			comes(t, first, second.sameName, second.sameUUID, second.define, defined(t))
			comes(t, first, second.sameName, second.sameUUID, second.create, created(t))
		}
		t.Expect(first.Persistent()).To(BeTrue(), "the first domain persists")
	}
})

// createdTwice: a definition may be started by creating it, what runs may not.
func createdTwice(running bool) libvirt.ErrorNumber {
	if running {
		return libvirt.ERR_OPERATION_INVALID
	}
	return libvirt.ERR_OK
}

// way is how a domain comes: raw is the call, and keep the step that removes it again.
type way struct {
	raw  func(xml string) (*libvirt.Domain, error)
	keep func(g domain.Guest, xml string) *steps.Domain
}

func defined(t *steps.T) way {
	return way{
		func(xml string) (*libvirt.Domain, error) { return t.Connection().Raw.DomainDefineXMLFlags(xml, 0) },
		t.DefineXML,
	}
}

func created(t *steps.T) way {
	const paused = libvirt.DOMAIN_START_PAUSED
	return way{
		func(xml string) (*libvirt.Domain, error) { return t.Connection().Raw.DomainCreateXML(xml, paused) },
		func(g domain.Guest, xml string) *steps.Domain { return t.CreateXML(g, xml, paused) },
	}
}

// comes has a second domain come that may share a part of the first one's identity.
func comes(t *steps.T, first *steps.Domain, sameName, sameUUID bool, want libvirt.ErrorNumber, w way) {
	g, ran := t.NewGuest(), first.Active()
	if sameName {
		g.Name = first.Name
	}
	d := t.Describe(g, domain.WithTitle("second"))
	if sameUUID {
		d.UUID = first.UUID()
	}
	xml := t.Marshal(d)
	if want != libvirt.ERR_OK {
		t.Refuses(fmt.Sprintf("make a domain that has name (%t) and UUID (%t) of another", sameName, sameUUID), want,
			func() error { _, err := w.raw(xml); return err })
		return
	}
	if second := w.keep(g, xml); second.Active() && !(sameName && ran) {
		second.Destroy()
	}
}

var _ = check.Register("O-UNIQ-CACHE", check.Spec{
	Asserts:  "A name that a domain had and another has now leads to the other, and the old UUID nowhere",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "0.9.4")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU, matrix.XenHyp),
	Control:  sabotage.ChangeCode("virDomainLookupByUUID", libvirt.ERR_INTERNAL_ERROR),
}, func(t *steps.T) {
	g := t.NewGuest()
	xml := t.Marshal(t.Describe(g)) // without a UUID: each has one of its own
	var uuids []string
	for range 2 {
		d := t.CreateXML(g, xml, libvirt.DOMAIN_START_PAUSED)
		uuids = append(uuids, d.UUID())
		d.Destroy()
		d.WaitGone()
		d = t.DefineXML(g, xml)
		uuids = append(uuids, d.UUID())
		d.Undefine()
	}
	last := t.DefineXML(g, xml).UUID()
	t.Expect(t.Connection().Lookup(g.Name).UUID()).To(Equal(last))
	t.Expect(t.VirshSays("domuuid " + g.Name)).To(Equal(last))
	for _, old := range uuids {
		t.Expect(old).NotTo(Equal(last))
		t.Refuses("look up the UUID of a domain that is no more", libvirt.ERR_NO_DOMAIN, func() error {
			_, err := t.Connection().Raw.LookupDomainByUUIDString(old)
			return err
		})
	}
})
