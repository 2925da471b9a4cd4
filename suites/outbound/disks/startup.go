package disks

import (
	"fmt"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// The policies are those of libvirt's formatdomain, startupPolicy: what may be missing, and
// when.
var _ = check.Register("O-DISK-MISSING", check.Spec{
	Asserts:  "A guest whose disc is missing starts and is restored without it where its policy allows that, as an event tells, and is refused otherwise",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "1.1.2")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU, "machine"),
	Control:  sabotage.Refuse("virDomainRestoreFlags", libvirt.ERR_SYSTEM_ERROR, libvirt.FROM_QEMU),
}, func(t *steps.T) {
	for _, of := range []struct {
		policy         string
		start, restore bool
	}{{"mandatory", false, false}, {"requisite", false, true}, {"optional", true, true}} {
		image, file := t.DiskImage("disc-"+of.policy, 2<<20), t.Scratch("saved-"+of.policy)
		d := t.Define(domain.WithSCSI, domain.WithDisk(image, "raw", domain.CDROM, domain.At("sda", "scsi"), domain.StartupPolicy(of.policy)))
		holds := func(when string, disc bool) {
			t.Expect(d.Has(image)).To(Equal(disc), "the live XML of a guest with a disc that is %s, and that %s, has the disc", of.policy, when)
			t.Expect(d.Dump(libvirt.DOMAIN_XML_INACTIVE)).To(ContainSubstring(image), "definition of a guest with a disc that is %s, and that %s", of.policy, when)
		}
		missing := d.WatchDiskChanges()
		t.Sh("mv " + image + " " + image + ".aside")
		if of.start {
			d.StartPaused()
			holds("was started without it", false)
			missing.Wait("the disc was missing", func(e libvirt.DomainEventDiskChange) bool {
				return e.Reason == libvirt.DOMAIN_EVENT_DISK_CHANGE_MISSING_ON_START && e.OldSrcPath == image
			})
			d.Destroy()
		} else {
			t.Refuses(fmt.Sprintf("start a guest whose disc is %s, and missing", of.policy), libvirt.ERR_SYSTEM_ERROR, d.Raw.Create)
			t.Expect(t.HasProcess(d.Name)).To(BeFalse(), "an emulator runs the refused guest")
		}
		t.Sh("mv " + image + ".aside " + image)
		d.Start()
		holds("was started with it", true)
		mark := d.Guest().Mark()
		d.Save(file)
		t.Sh("mv " + image + " " + image + ".aside")
		if !of.restore {
			t.Refuses(fmt.Sprintf("restore a guest whose disc is %s, and missing", of.policy), libvirt.ERR_SYSTEM_ERROR, func() error {
				return t.Connection().Raw.DomainRestoreFlags(file, "", 0)
			})
			t.Sh("mv " + image + ".aside " + image)
		}
		t.Connection().Restore(file)
		holds("was restored", !of.restore)
		g := d.Guest()
		g.ExpectGoesOn(mark)
		seen, ok := g.Disk("")
		t.Expect(ok && seen.CDROM && (seen.Bytes > 0) == !of.restore).To(BeTrue(), "the drive that the guest sees has a disc: %+v", seen)
		d.Destroy()
	}
})

var _ = check.Register("O-DISK-OPT", check.Spec{
	Asserts:  "A guest starts without its optional hard disk that is missing, and has it the next time it is there",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "1.1.2")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU, "machine", "disk"),
	Control:  sabotage.Refuse("virDomainCreateWithFlags", libvirt.ERR_OPERATION_FAILED, libvirt.FROM_QEMU),
}, func(t *steps.T) {
	one, two := t.DiskImage("one", 0), t.DiskImage("two", 0)
	d := t.Define(domain.WithDisk(one, "raw", domain.Serial("one"), domain.StartupPolicy("optional")), domain.WithDisk(two, "raw", domain.Serial("two")))
	dropped := d.WatchDiskChanges()
	has := func(disks ...string) {
		g := d.Guest()
		var seen []string
		for _, serial := range []string{"one", "two"} {
			if _, ok := g.Disk(serial); ok {
				seen = append(seen, serial)
			}
		}
		t.Expect(seen).To(Equal(disks), "disks that the guest sees")
		t.Expect(d.Dump(libvirt.DOMAIN_XML_INACTIVE)).To(And(ContainSubstring(one), ContainSubstring(two)), "definition")
	}
	t.Sh("mv " + one + " " + one + ".aside")
	d.Start()
	has("two")
	dropped.Wait("the disk was dropped", func(e libvirt.DomainEventDiskChange) bool {
		return e.Reason == libvirt.DOMAIN_EVENT_DISK_DROP_MISSING_ON_START && e.OldSrcPath == one
	})
	d.Destroy()
	t.Sh("mv " + one + ".aside " + one)
	d.Start()
	has("one", "two")
})
