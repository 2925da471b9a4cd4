// Package security holds the checks of what confines guests, and of who may see what.
package security

import (
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"
)

// The label of the file permissions' driver is there on every host: user and group.
var _ = check.Register("O-SECLBL", check.Spec{
	Asserts:  "An emulator runs with the labels that libvirt says it has, its own or those that were asked for",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "0.10.0")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU, "security"),
	Control:  sabotage.Refuse("virDomainGetSecurityLabelList", libvirt.ERR_INTERNAL_ERROR, libvirt.FROM_QEMU),
}, func(t *steps.T) {
	d := t.Define()
	d.StartPaused()
	hasLabels(t, d)
	d.Destroy()

	asked := t.Define(asRoot)
	asked.StartPaused()
	t.Expect(hasLabels(t, asked)).To(Equal("+0:+0"), "label that was asked for")
})

// asRoot asks for a label of the driver of file permissions.
func asRoot(d *libvirtxml.Domain) {
	d.SecLabel = append(d.SecLabel, libvirtxml.DomainSecLabel{Type: "static", Model: "dac", Relabel: "yes", Label: "+0:+0"})
}

// hasLabels asserts that the emulator has all labels of its domain, and returns that of
// the driver of file permissions.
func hasLabels(t *steps.T, d *steps.Domain) (dac string) {
	labels := steps.Get(t, "ask for security labels", d.Raw.GetSecurityLabelList)
	owner := strings.Fields(t.Sh("stat -c '+%u:+%g' /proc/$(cat /run/libvirt/qemu/" + d.Name + ".pid)"))
	for _, l := range labels {
		if l.Label == owner[0] {
			dac = l.Label
		}
	}
	t.Expect(dac).NotTo(BeEmpty(), "among the labels %v is that of the emulator's user and group, %s", labels, owner[0])
	t.Expect(d.Dump(0)).To(ContainSubstring("<label>"+dac+"</label>"), "label in the live XML")
	if t.Security() != "none" {
		t.Expect(labels).To(ContainElement(HaveField("Label", "libvirt-"+d.UUID())), "label of the profile")
		t.Expect(d.Confinement()).To(HavePrefix("libvirt-"+d.UUID()), "profile of the emulator")
		t.Expect(t.VirshSays("dominfo " + d.Name)).To(ContainSubstring("libvirt-" + d.UUID()))
	}
	return dac
}
