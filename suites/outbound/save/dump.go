package save

import (
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// The word that the guest keeps is in its memory, and nowhere else: a dump has it, or is
// none of this guest.
var _ = check.Register("O-DUMP", check.Spec{
	Asserts:  "A dump holds the guest's memory in the format that was asked for, and the guest goes on, or ends if that was asked for",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "1.2.3")},
	Control:  sabotage.Swallow("virDomainCoreDumpWithFormat"),
}, func(t *steps.T) {
	g := t.Guest()
	d := g.Domain
	mark, file := g.Mark(), t.Scratch("core")
	holds := func(what string, magic, word types.GomegaMatcher) {
		t.Expect(t.ReadFile(file, 0, 16)).To(magic, "start of %s", what)
		t.Expect(t.Holds(file, mark.Word)).To(word, "the guest's word is in %s", what)
		t.Sh("rm " + file)
	}
	if t.Kind() == matrix.Xen {
		t.Do("dump core", func() error { return d.Raw.CoreDump(file, libvirt.DUMP_LIVE) })
		holds("Xen's dump", HavePrefix("\x7fELF"), BeTrue())
		g.ExpectGoesOn(mark)
		return
	}
	for _, f := range []struct {
		format libvirt.DomainCoreDumpFormat
		flags  libvirt.DomainCoreDumpFlags
		magic  types.GomegaMatcher
		word   types.GomegaMatcher
	}{
		{libvirt.DOMAIN_CORE_DUMP_FORMAT_RAW, libvirt.DUMP_MEMORY_ONLY, HavePrefix("\x7fELF"), BeTrue()},
		// makedumpfile(8): flattened, or as diskdump has it; pages are compressed.
		{libvirt.DOMAIN_CORE_DUMP_FORMAT_KDUMP_ZLIB, libvirt.DUMP_MEMORY_ONLY, Or(HavePrefix("makedumpfile"), HavePrefix("KDUMP   ")), Or(BeTrue(), BeFalse())},
		// A stream of migration behind libvirt's own header, or bare (qemu_driver.c, doCoreDump).
		{libvirt.DOMAIN_CORE_DUMP_FORMAT_RAW, 0, HavePrefix("QEVM"), BeTrue()},
	} {
		t.Do("dump core", func() error { return d.Raw.CoreDumpWithFormat(file, f.format, f.flags) })
		holds("the dump", f.magic, f.word)
		t.Expect(d.State()).To(Equal(libvirt.DOMAIN_RUNNING), "state after the dump")
		g.ExpectGoesOn(mark)
	}
	t.VirshSays("dump --memory-only --format elf --crash " + d.Name + " " + file)
	holds("virsh's dump", HavePrefix("\x7fELF"), BeTrue())
	d.ExpectOff(libvirt.DOMAIN_SHUTOFF_CRASHED)
	t.Refuses("dump what is off", libvirt.ERR_OPERATION_INVALID, func() error { return d.Raw.CoreDump(file, 0) })
})

// Without the flag a guest stands still while it is dumped.
var _ = check.Register("O-DUMP-LIVE", check.Spec{
	Asserts:  "A guest is dumped while it runs if that was asked for",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "1.2.3")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU),
	Control:  sabotage.Swallow("virDomainCoreDumpWithFormat"),
}, func(t *steps.T) {
	g := t.Guest()
	mark, file := g.Mark(), t.Scratch("core")
	t.Do("dump core of the running guest", func() error {
		return g.Domain.Raw.CoreDumpWithFormat(file, libvirt.DOMAIN_CORE_DUMP_FORMAT_RAW, libvirt.DUMP_MEMORY_ONLY|libvirt.DUMP_LIVE)
	})
	t.Expect(t.ReadFile(file, 0, 4)).To(Equal("\x7fELF"), "start of the dump")
	g.ExpectGoesOn(mark)
})
