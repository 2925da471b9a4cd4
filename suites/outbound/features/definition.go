package features

import (
	"fmt"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// guests is what the answers depend on where the guest's own kernel plays no part.
var guests = check.On(matrix.QEMU, matrix.Libvirt, "machine", "firmware", "accel")

var _ = check.Register("O-KEEP-META", check.Spec{
	Asserts:  "A guest keeps its description, the metadata of other programs and what is to happen when a lock fails",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "4.4.0")},
	Depends:  guests,
	Control:  sabotage.Alter("virDomainGetXMLDesc", "value kept", "value lost"),
}, func(t *steps.T) {
	keeps(t, feature{top: `<description>what it is for</description>
<on_lockfailure>pause</on_lockfailure>
<metadata><a:app xmlns:a="http://example.org/a"><a:item key="k">value kept</a:item><a:empty/></a:app><b:other xmlns:b="http://example.org/b"/></metadata>`})
})

var _ = check.Register("O-KEEP-SMBIOS", check.Spec{
	Asserts:  "A guest keeps what its firmware is to say of system, board and BIOS, and its kernel is told so",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "4.1.0")},
	Depends:  guests,
	Control:  sabotage.Alter("virDomainGetXMLDesc", "Vendor Ltd.", "Vendor Inc."),
}, func(t *steps.T) {
	keeps(t, feature{
		os: `<smbios mode='sysinfo'/>`,
		top: `<sysinfo type='smbios'>
<bios><entry name='vendor'>Vendor Ltd.</entry><entry name='date'>01/02/2020</entry></bios>
<system><entry name='manufacturer'>Maker &amp; Sons</entry><entry name='serial'>S-123</entry><entry name='family'>guests</entry></system>
<baseBoard><entry name='manufacturer'>Board Co</entry><entry name='asset'>A-7</entry></baseBoard>
<chassis><entry name='asset'>C-8</entry></chassis>
<oemStrings><entry>one,two</entry></oemStrings>
</sysinfo>`,
		seen: func(t *steps.T, _ *steps.Domain, g *steps.Guest) {
			dmi := g.Firmware().DMI
			for key, want := range map[string]string{
				"bios_vendor": "Vendor Ltd.", "sys_vendor": "Maker & Sons", "product_serial": "S-123",
				"board_vendor": "Board Co", "chassis_asset_tag": "C-8",
			} {
				t.Expect(dmi).To(HaveKeyWithValue(key, want), "what the guest's firmware says")
			}
		},
	})
})

var _ = check.Register("O-KEEP-CPU", check.Spec{
	Asserts:  "A guest keeps the exact model of processor that it was given, with features on top and without",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "3.2.0")},
	Depends:  guests,
	Control:  sabotage.Alter("virDomainGetXMLDesc", "kvm64</model>", "kvm32</model>"),
}, func(t *steps.T) {
	keeps(t, feature{top: `<cpu mode='custom' match='exact'><model fallback='forbid'>kvm64</model><feature policy='require' name='lahf_lm'/><feature policy='disable' name='cx16'/></cpu>`})
})

var _ = check.Register("O-KEEP-PFLASH", check.Spec{
	Asserts:  "A guest keeps firmware in flash memory that was given to it without variables, and boots by it",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "1.2.9")},
	Depends:  guests,
	Control:  sabotage.Alter("virDomainGetXMLDesc", "type='pflash'", "type='flashp'"),
}, func(t *steps.T) {
	if t.Settings().NVRAM {
		keeps(t, feature{seen: bootsByUEFI})
		return
	}
	firmware, err := t.Layout().UEFI()
	t.Expect(err).NotTo(HaveOccurred(), "UEFI firmware of the host")
	keeps(t, feature{
		os:   `<loader readonly='yes' type='pflash'>` + firmware.Code + `</loader>`,
		size: domain.Size{MemoryMB: 256}, // what OVMF takes, see domain.UEFI
		seen: bootsByUEFI,
	})
})

func bootsByUEFI(t *steps.T, _ *steps.Domain, g *steps.Guest) {
	t.Expect(g.WaitReady().Firmware).To(Equal(l2.UEFI), "what the guest's kernel was started by")
}

var _ = check.Register("O-KEEP-DISPLAY", check.Spec{
	Asserts:  "A guest keeps its displays, and each answers where the XML says",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "1.0.6")},
	Depends:  guests,
	Control:  sabotage.Alter("virDomainGetXMLDesc", "keymap='de'", "keymap='en'"),
}, func(t *steps.T) {
	devices := `<graphics type='vnc' autoport='yes' keymap='de'><listen type='address' address='127.0.0.1'/></graphics><video><model type='vga'/></video>`
	if t.Run(t.Program("qemu-system-x86_64") + " -spice help 2>&1 | grep -q disable-ticketing").OK() {
		devices += `<graphics type='spice' autoport='yes'><listen type='address' address='127.0.0.1'/><image compression='off'/></graphics>`
	}
	keeps(t, feature{devices: devices, seen: func(t *steps.T, d *steps.Domain, _ *steps.Guest) {
		for _, display := range d.Live().Devices.Graphics {
			if vnc := display.VNC; vnc != nil {
				t.Expect(t.Sh(fmt.Sprintf("bash -c 'exec 3<>/dev/tcp/127.0.0.1/%d && timeout 20 head -c 7 <&3'", vnc.Port))).To(Equal("RFB 003"), "what the VNC display says first")
			} else {
				t.Sh(fmt.Sprintf("bash -c 'exec 3<>/dev/tcp/127.0.0.1/%d'", display.Spice.Port))
			}
		}
	}})
})
