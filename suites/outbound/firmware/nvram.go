package firmware

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"
)

var _ = check.Register("O-NVRAM", check.Spec{
	Asserts:  "The variables of a guest's firmware are kept or deleted with its definition as one says, wherever they are, and are new where one says that",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "5.2.0")},
	Depends:  stack,
	Control:  sabotage.Swallow("virDomainUndefineFlags"),
}, func(t *steps.T) {
	own := t.Scratch("VARS.fd")
	for name, option := range map[string]domain.Option{
		"a template":   domain.WithUEFI(t.UEFI()),
		"a given path": func(d *libvirtxml.Domain) { domain.WithUEFI(t.UEFI())(d); d.OS.NVRam.NVRam = own },
		"libvirt":      automatic,
	} {
		for _, flag := range []libvirt.DomainUndefineFlagsValues{libvirt.DOMAIN_UNDEFINE_KEEP_NVRAM, libvirt.DOMAIN_UNDEFINE_NVRAM} {
			d := t.Define(option)
			d.StartWith(libvirt.DOMAIN_START_PAUSED)
			nvram := d.NVRAM()
			d.Destroy()
			startsAnew(t, d, nvram)
			before := t.Images(nvram)
			t.Expect(before).To(HaveLen(1), "files of variables from "+name)
			t.Refuses("undefine domain without a word about its variables", libvirt.ERR_OPERATION_INVALID, func() error { return d.Raw.UndefineFlags(0) })
			d.UndefineWith(flag)
			if flag == libvirt.DOMAIN_UNDEFINE_NVRAM {
				t.Expect(t.Exists(nvram)).To(BeFalse(), "variables from %s that were to be deleted are there", name)
				continue
			}
			t.Expect(t.Images(nvram).Since(before)).To(BeEmpty(), "what became of variables from %s that were to be kept", name)
			t.Sh("rm " + nvram)
		}
	}
	d := t.Define(domain.WithUEFI(t.UEFI()))
	d.StartWith(libvirt.DOMAIN_START_PAUSED)
	nvram := d.NVRAM()
	d.Destroy()
	t.VirshSays("undefine --nvram " + d.Name)
	t.Expect(t.Exists(nvram)).To(BeFalse(), "variables that virsh was to delete are there")
})

// startsAnew: a start with new variables has those of the template.
func startsAnew(t *steps.T, d *steps.Domain, nvram string) {
	if !t.AtLeast(matrix.Libvirt, "8.1") { // the flag is new then
		return
	}
	fresh := t.Images(nvram)[nvram].Hash
	t.Sh("printf used | dd of=" + nvram + " bs=1 seek=100000 conv=notrunc status=none")
	for _, start := range []struct {
		flags libvirt.DomainCreateFlags
		same  bool
	}{{0, false}, {libvirt.DOMAIN_START_RESET_NVRAM, true}} {
		d.StartWith(libvirt.DOMAIN_START_PAUSED | start.flags)
		t.Expect(t.Images(nvram)[nvram].Hash == fresh).To(Equal(start.same), "the variables are those of the template")
		d.Destroy()
	}
}
