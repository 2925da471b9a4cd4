package lifecycle

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

var _ = check.Register("O-REN", check.Spec{
	Asserts:  "A domain that is off takes another name, keeps its UUID, and no longer answers to the old one",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "1.2.19")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU, matrix.XenHyp),
	Control:  sabotage.ChangeCode("virDomainLookupByName", libvirt.ERR_INTERNAL_ERROR),
}, func(t *steps.T) {
	d := t.Define()
	old, uuid := d.Name, d.UUID()
	if t.LacksOnXen("rename domain", func() error { return d.Raw.Rename(old+"-b", 0) }) {
		return
	}
	d.Rename(old + "-b")
	t.Expect(t.VirshSays("domuuid " + d.Name)).To(Equal(uuid))
	t.Refuses("look domain up by its old name", libvirt.ERR_NO_DOMAIN, func() error { _, err := t.Connection().Raw.LookupDomainByName(old); return err })
	t.Expect(t.Sh("cd "+t.Layout().LibvirtConfig+"/qemu && ls "+old+"*")).To(Equal(d.Name+".xml"), "files of the domain's definition")
})
