package features

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/internal/layout"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// What libvirt has no words for goes to the emulator as it is.
var _ = check.Register("O-KEEP-QEMU", check.Spec{
	Asserts:  "A guest keeps arguments and variables that are for its emulator alone, and the emulator has them",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "0.8.0")},
	Depends:  guests,
	Control:  sabotage.Wrap(layout.Emulator, "an emulator that is told something else", `exec $REAL "${@/given to/kept from}"`),
}, func(t *steps.T) {
	keeps(t, feature{
		top: `<qemu:commandline xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
<qemu:arg value='-fw_cfg'/><qemu:arg value='name=opt/org.virtmatrix/own-name,string=given to the emulator'/>
<qemu:env name='OWN_VARIABLE' value='of the emulator'/>
</qemu:commandline>`,
		seen: func(t *steps.T, _ *steps.Domain, g *steps.Guest) {
			g.LoadModules()
			t.Expect(told(g, "own-name")).To(Equal("given to the emulator"), "what the guest reads by the name of the argument")
			proc := "/proc/" + g.Emulators() // which its own user may read
			t.Expect(t.Sh("setpriv --clear-groups $(stat -c '--reuid=%u --regid=%g' "+proc+") sh -c 'tr \\\\0 \\\\n <"+proc+"/environ'")).To(ContainSubstring("OWN_VARIABLE=of the emulator"), "environment of the emulator")
		},
	})
})

var _ = check.Register("O-KEEP-FWCFG", check.Spec{
	Asserts:  "A guest keeps what its firmware is told by text and by file, and reads it",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "6.5.0")},
	Depends:  guests,
	Control:  sabotage.Wrap(layout.Emulator, "an emulator that is told something else", `exec $REAL "${@/by text/by nobody}"`),
}, func(t *steps.T) {
	file := t.Scratch("told")
	t.Put(file, "told by file")
	t.Sh("chmod 644 " + file)
	keeps(t, feature{
		top: `<sysinfo type='fwcfg'><entry name='opt/org.virtmatrix/text'>told by text</entry><entry name='opt/org.virtmatrix/file' file='` + file + `'/></sysinfo>`,
		seen: func(t *steps.T, _ *steps.Domain, g *steps.Guest) {
			g.LoadModules()
			for _, by := range []string{"text", "file"} {
				t.Expect(told(g, by)).To(Equal("told by "+by), "what the guest reads")
			}
		},
	})
})

// told is what the guest reads of what its firmware was told under a name (qemu's
// docs/specs/fw_cfg).
func told(g *steps.Guest, name string) string {
	return g.LoadFile("/sys/firmware/qemu_fw_cfg/by_name/opt/org.virtmatrix/" + name + "/raw")
}
