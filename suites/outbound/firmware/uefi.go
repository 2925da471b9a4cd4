// Package firmware holds the checks of guests that boot by UEFI, and of the variables
// that their firmware keeps.
package firmware

import (
	"slices"
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"github.com/virtmatrix/virtmatrix/internal/layout"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"
)

var stack = check.On(matrix.Libvirt, matrix.QEMU, "machine")

var _ = check.Register("O-UEFI", check.Spec{
	Asserts:  "A guest boots by UEFI, its variables are kept from start to start, and firmware with Secure Boot is found for who asks for it",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "5.2.0")},
	Depends:  stack,
	Control: sabotage.Command("variables that are lost",
		"(while :; do pgrep -f '[g]uest=' >/dev/null || rm -f /var/lib/libvirt/qemu/nvram/*; sleep 0.02; done) >/dev/null 2>&1 &"),
}, func(t *steps.T) {
	d, g := t.Started(domain.WithUEFI(t.UEFI()))
	t.Expect(g.WaitReady().Firmware).To(Equal(l2.UEFI), "what the guest was booted by")
	nvram := d.NVRAM()
	d.Destroy()
	kept := t.Images(nvram)
	t.Expect(kept).To(HaveLen(1), "files of variables")
	t.Expect(kept.OpenToOthers()).To(BeEmpty(), "files of variables that others may read")
	t.Expect(kept[nvram].Hash).NotTo(Equal(t.Images(t.UEFI().Vars)[t.UEFI().Vars].Hash), "variables of a guest that booted, and their template")
	d.StartWith(libvirt.DOMAIN_START_PAUSED)
	t.Expect(t.Images(nvram)[nvram].Hash).To(Equal(kept[nvram].Hash), "variables at the next start")
	d.Resume()
	g.WaitReady()
	d.Destroy()
	d.UndefineWith(libvirt.DOMAIN_UNDEFINE_NVRAM)
	bootsSecurely(t)
})

// bootsSecurely: with Secure Boot on, the firmware is one that enforces it, behind SMM.
func bootsSecurely(t *steps.T) {
	able := func(f layout.Firmware) bool { return slices.Contains(f.Features, "secure-boot") }
	if !slices.ContainsFunc(t.Layout().Firmware, able) || !strings.HasPrefix(t.Machine(), "pc-q35-") {
		t.Note("no firmware with Secure Boot is asked for")
		return
	}
	d := t.Define(automatic, func(d *libvirtxml.Domain) {
		d.Features.SMM = &libvirtxml.DomainFeatureSMM{State: "on"}
		d.OS.Loader = &libvirtxml.DomainLoader{Secure: "yes"}
	})
	d.StartWith(libvirt.DOMAIN_START_PAUSED)
	d.NVRAM()
	var live libvirtxml.Domain
	t.Parse("the live XML", d.Dump(0), &live)
	t.Expect(t.Layout().Firmware).To(ContainElement(And(HaveField("Code", live.OS.Loader.Path), WithTransform(able, BeTrue()))), "firmware that libvirt found")
	d.Destroy()
	d.UndefineWith(libvirt.DOMAIN_UNDEFINE_NVRAM)
}

// automatic leaves it to libvirt to find firmware.
func automatic(d *libvirtxml.Domain) {
	d.OS.Firmware, d.OS.Loader, d.OS.NVRam = "efi", nil, nil
	d.Memory.Value = 256
}
