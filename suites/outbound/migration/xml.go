package migration

import (
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"
)

var _ = check.Register("O-MIG-XML", check.Spec{
	Asserts:  "A guest runs on the other host as one XML says and is defined as another, and stays here if that would be another machine",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "6.8.0")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU, "disk"),
	Hosts:    matrix.Hosts{Count: 2},
	Control: sabotage.CommandOn("a target that changes what comes in", func(t *steps.T) string {
		t.On(1).InstallHook("qemu", `case "$2" in migrate) sed "s/<title>running there/<title>of the hook/";; *) cat >/dev/null;; esac`)
		return "true"
	}),
}, func(t *steps.T) {
	there := t.On(1)
	image, other := t.DiskImage("disk", diskBytes), there.DiskImage("other", diskBytes)
	// The definition has the same file by another path.
	linked := there.Scratch("linked.img")
	there.Sh("ln " + other + " " + linked)
	d, g := t.Started(domain.WithTitle("before"), domain.WithDisk(image, "raw"))
	const withDisk = live | libvirt.MIGRATE_NON_SHARED_DISK
	disk, mark := t.Settings().DiskName, g.Mark()
	g.WriteAt(disk, 0, early)
	for what, change := range map[string][2]string{
		"more memory":             {"<memory unit='KiB'>", "<memory unit='KiB'>1"},
		"more processors":         {">1</vcpu>", ">2</vcpu>"},
		"another kind of balloon": {"<memballoon model='virtio'", "<memballoon model='virtio-transitional'"},
	} {
		xml := d.Dump(steps.MigratableXML)
		t.Expect(xml).To(ContainSubstring(change[0]), "XML of the guest")
		t.Refuses("migrate to a guest with "+what, libvirt.ERR_CONFIG_UNSUPPORTED, func() error {
			return d.TryMigrateTo(there, withDisk, steps.WithXML(strings.Replace(xml, change[0], change[1], 1), ""), steps.WithDisks(there))
		})
		g.ExpectStayed(there, mark)
	}

	as := func(d *steps.Domain, flags libvirt.DomainXMLFlags, title, path string) string {
		var xml libvirtxml.Domain
		t.Parse("the XML", d.Dump(steps.MigratableXML|flags), &xml)
		xml.Title, xml.Devices.Disks[0].Source.File.File = title, path
		return t.Marshal(&xml)
	}
	running, defined := as(d, 0, "running there", other), as(d, libvirt.DOMAIN_XML_INACTIVE, "defined there", linked)
	moved := d.MigrateTo(there, withDisk|libvirt.MIGRATE_PERSIST_DEST, steps.WithXML(running, defined), steps.WithDisks(there))
	g = moved.Guest()
	g.ExpectGoesOn(mark)
	t.Expect(g.ReadAt(disk, 0, len(early))).To(Equal(early), "what the guest wrote before it moved")
	expectAs(t, moved, 0, "running there", other)
	expectAs(t, moved, libvirt.DOMAIN_XML_INACTIVE, "defined there", linked)
	g.WriteAt(disk, lateAt, late)
	t.Expect(there.ReadFile(other, lateAt, len(late))).To(Equal(late), "what the guest wrote there, in the other image")
	moved.Destroy()
	moved.Start()
	g = moved.Guest()
	mark = g.Mark()
	expectAs(t, moved, 0, "defined there", linked)
	t.Expect(moved.OpenFiles()).To(ContainElement(linked), "files of the emulator at the next start")
	t.Expect(g.ReadAt(disk, lateAt, len(late))).To(Equal(late), "what the guest wrote there, at its next start")

	running, defined = there.Scratch("running.xml"), there.Scratch("defined.xml")
	there.Put(running, as(moved, 0, "running here", image))
	there.Put(defined, as(moved, libvirt.DOMAIN_XML_INACTIVE, "defined here", image))
	back := moved.VirshMigrateTo(t, "--persistent --undefinesource", steps.VirshWithDisks(t), "--xml", running, "--persistent-xml", defined)
	g = back.Guest()
	g.ExpectGoesOn(mark)
	expectAs(t, back, 0, "running here", image)
	expectAs(t, back, libvirt.DOMAIN_XML_INACTIVE, "defined here", image)
	t.Expect(g.ReadAt(disk, lateAt, len(late))).To(Equal(late), "what the guest wrote there, after it came back")
})

// expectAs asserts what title and image a domain has, running or by its definition.
func expectAs(t *steps.T, d *steps.Domain, flags libvirt.DomainXMLFlags, title, image string) {
	t.Expect(d.Dump(flags)).To(And(ContainSubstring("<title>"+title+"</title>"), ContainSubstring("<source file='"+image+"'")), "XML with flags %d", flags)
}
