package disks

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/internal/layout"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"
)

// magic begins an image of qcow2.
const magic = "QFI\xfb"

var _ = check.Register("O-SEC-PROBE", check.Spec{
	Asserts:  "An image is of the format that it is declared to be, whatever a guest wrote to its head, and a chain ends where it is declared to",
	Requires: kvm("5.10"),
	Depends:  stack,
	Control: sabotage.Wrap(layout.Emulator, "an emulator that takes raw images for qcow2",
		`exec $REAL "${@//'"driver":"raw","file"'/'"driver":"qcow2","file"'}"`),
}, func(t *steps.T) {
	secret := t.NewImage("secret", "raw", size)
	t.Sh("printf '" + word + "' | dd of=" + secret + " conv=notrunc status=none; chmod 600 " + secret)
	on := func(name, base, format string) string {
		return t.NewImage(name, "qcow2", size, "-u", "-b", base, "-F", format)
	}
	untyped := func(d *libvirtxml.DomainDisk) { d.Driver.Type = "" }
	middle := on("middle", secret, "raw")
	ended := func(d *libvirtxml.DomainDisk) {
		below := &libvirtxml.DomainDiskSource{File: &libvirtxml.DomainDiskSourceFile{File: middle}}
		d.BackingStore = &libvirtxml.DomainDiskBackingStore{
			Format: &libvirtxml.DomainDiskFormat{Type: "qcow2"}, Source: below, BackingStore: &libvirtxml.DomainDiskBackingStore{},
		}
	}
	before := t.Images(secret)
	d, g := t.Started(disk("vdb", on("declared", secret, "raw"), "raw"), disk("vdc", on("untyped", secret, "raw"), "raw", untyped),
		disk("vdd", on("ended", middle, "qcow2"), "qcow2", ended))
	for dev, want := range map[string]string{"vdb": magic, "vdc": magic, "vdd": "\x00\x00\x00\x00"} {
		seen, _ := g.Disk(dev)
		t.Expect(g.ReadAt(seen.Name, 0, len(want))).To(Equal(want), "what the guest reads of %s", dev)
	}
	t.Expect(d.OpenFiles()).NotTo(ContainElement(secret), "files that the emulator has open")
	t.Expect(d.OpenFiles()).To(ContainElement(middle), "files that the emulator has open")
	t.Expect(t.Images(secret).Since(before)).To(BeEmpty(), "what became of the file that images name and no domain does")
	d.Destroy()
	refusesToGuess(t, on, middle)
	t.Expect(t.Images(secret).Since(before)).To(BeEmpty(), "what became of the file that images name and no domain does")
})

// refusesToGuess: a header may lack the format of its backing file as long as that one
// stands alone. If it names a further file, a guest may have written that
// (virStorageSourceGetMetadataRecurse).
func refusesToGuess(t *steps.T, on func(name, base, format string) string, middle string) {
	guess := on("guess", middle, "qcow2")
	t.ForgetBackingFormat(guess)
	d := t.Define(disk("vdb", guess, "qcow2"))
	t.Refuses("start domain on a chain without formats", libvirt.ERR_OPERATION_INVALID, func() error { return d.Raw.CreateWithFlags(libvirt.DOMAIN_START_PAUSED) })
}
