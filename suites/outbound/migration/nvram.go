package migration

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// The variables of the firmware that the guest sets here and there.
const (
	varHere  = "SetHere"
	varThere = "SetThere"
)

// The emulator of the target writes what came in its memory to its own file of variables
// (pflash_post_load of qemu), whatever an earlier stay left there.
var _ = check.Register("O-MIG-NVRAM", check.Spec{
	Asserts:  "The variables of a guest's firmware migrate there and back, are in a private file of each host, and are read at the next start",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "5.2.0")},
	Depends:  check.On(matrix.Linux, matrix.Libvirt, matrix.QEMU, "machine"),
	Hosts:    matrix.Hosts{Count: 2},
	Control: sabotage.CommandOn("a target that loses a guest's variables when it ends", func(t *steps.T) string {
		t.On(1).InstallHook("qemu", `cat >/dev/null; test "$2" != release || rm -f /var/lib/libvirt/qemu/nvram/"$1"_VARS.fd`)
		return "true"
	}),
}, func(t *steps.T) {
	there := t.On(1)
	d, g := t.Started(domain.WithUEFI(t.UEFI()))
	nvram, mark := d.NVRAM(), g.Mark()
	g.MountEFIVars()
	g.SetEFIVar(varHere, varHere)
	private := t.Images(nvram)[nvram]
	t.Expect(there.Exists(nvram)).To(BeFalse(), "variables on a host where the guest never was")

	moved := d.MigrateTo(there, live|libvirt.MIGRATE_PERSIST_DEST)
	g = moved.Guest()
	g.ExpectGoesOn(mark)
	t.Expect(g.EFIVar(varHere)).To(Equal(varHere), "variable of a guest that moved")
	g.SetEFIVar(varThere, varThere)
	t.Expect(moved.NVRAM()).To(Equal(nvram), "file of variables there")
	expectPrivate(there, nvram, private)
	moved.Destroy()
	moved.Start()
	g = moved.Guest()
	expectVars(t, g, "at the next start there")

	// The file that the guest left behind knows nothing of what was set there.
	mark = g.Mark()
	d = moved.VirshMigrateTo(t, "--persistent --undefinesource")
	g = d.Guest()
	g.ExpectGoesOn(mark)
	moved.WaitGone()
	t.Note("the host from which the guest's definition went has its variables: %v", there.Exists(nvram))
	expectPrivate(t, nvram, private)
	d.Destroy()
	d.Start()
	expectVars(t, d.Guest(), "at the next start of a guest that came back")
	d.Destroy()
	d.UndefineWith(libvirt.DOMAIN_UNDEFINE_NVRAM)
	t.Expect(t.Exists(nvram)).To(BeFalse(), "variables of a domain that is gone")
})

// expectVars asserts that a guest that was just started has both variables.
func expectVars(t *steps.T, g *steps.Guest, when string) {
	g.MountEFIVars()
	t.Expect(g.EFIVar(varHere)).To(Equal(varHere), "variable that was set here %s", when)
	t.Expect(g.EFIVar(varThere)).To(Equal(varThere), "variable that was set there %s", when)
}

// expectPrivate asserts that the file of variables is whose the first one was, and no more open.
func expectPrivate(t *steps.T, nvram string, first steps.Image) {
	now := t.Images(nvram)
	t.Expect(now.OpenToOthers()).To(BeEmpty(), "files of variables that others may read")
	t.Expect(now[nvram].Owner).To(Equal(first.Owner), "owner of the file of variables")
	t.Expect(now[nvram].Mode).To(Equal(first.Mode), "mode of the file of variables")
}
