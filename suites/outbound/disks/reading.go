package disks

import (
	"fmt"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/internal/layout"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

const (
	offset = 3 << 20
	base   = "from the base image"
)

var _ = check.Register("O-DISK-COR", check.Spec{
	Asserts:  "What a guest reads of a base image is copied to the image on top where that is asked for, and nothing else is",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "0.9.10")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU),
	Control: sabotage.Wrap(layout.Emulator, "an emulator that copies nothing as it reads",
		`exec $REAL "${@//\"driver\":\"copy-on-read\"/\"driver\":\"raw\"}"`),
}, func(t *steps.T) {
	below := t.DiskImage("base", 8<<20)
	t.Sh(fmt.Sprintf("for at in 3 6; do printf '%%s' %q | dd of=%s bs=1M seek=$at conv=notrunc status=none; done", base, below))
	top := t.Scratch("top.qcow2")
	t.Sh(fmt.Sprintf("%s create -q -f qcow2 -b %s -F raw %s", t.QEMUImg(), below, top))
	_, g := t.Started(domain.WithDisk(top, "qcow2", domain.CopyOnRead))
	t.Expect(g.ReadAt(t.Settings().DiskName, offset, len(base))).To(Equal(base), "what the guest reads of the base image")
	g.PowerOff()
	g.Domain.WaitFor(libvirt.DOMAIN_SHUTOFF)
	t.Sh(fmt.Sprintf("%s rebase -u -f qcow2 -b '' %s", t.QEMUImg(), top))
	t.Expect(t.TextAt(top, offset, len(base))).To(Equal(base), "what the image on top has by itself where the guest read")
	t.Expect(t.TextAt(top, 2*offset, len(base))).NotTo(Equal(base), "what the image on top has by itself where nobody read")
})

// QEMU's driver for HTTP is in a package of its own (qemu-block-extra).
var _ = check.Register("O-DISK-HTTP", check.Spec{
	Asserts:  "A guest reads a disc that a web server has, another one that takes its place, and has it taken out while the server is gone",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.OwnQEMU, matrix.Since(matrix.Libvirt, "5.10.0")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU),
	Hosts:    matrix.Hosts{AddOns: []string{"qemu-block-extra"}},
	Control:  sabotage.Swallow("virDomainUpdateDeviceFlags"),
}, func(t *steps.T) {
	t.Install()
	const size = 2 << 20
	folder := t.Scratch("web")
	t.Sh(fmt.Sprintf("mkdir %[1]s && for disc in one two; do truncate -s %[2]d %[1]s/$disc && printf \"disc $disc\" | dd of=%[1]s/$disc conv=notrunc bs=1M seek=1 status=none; done", folder, size))
	server := t.ServeHTTP(folder, 8091)
	drive := []domain.DiskOption{domain.CDROM, domain.At("sda", "scsi")}
	disc := func(name string) []domain.DiskOption { return append(drive, domain.HTTP(name, server.Port)) }
	d, g := t.Started(domain.WithSCSI, domain.WithDisk("", "raw", disc("one")...))
	holds := func(name string) {
		t.Until(steps.PlugLimit, "the guest reads disc "+name, func() bool {
			seen, ok := g.Disk("")
			return ok && seen.CDROM && seen.Bytes == size && g.ReadAt(seen.Name, 1<<20, 8) == "disc "+name
		})
	}
	holds("one")
	d.Update(domain.NewDisk("", "raw", disc("two")...))
	holds("two")
	server.Kill()
	d.Update(domain.NewDisk("", "raw", drive...))
	t.Expect(d.Has("two")).To(BeFalse(), "the disc is in the XML that was taken out while its server was gone")
	mark := g.Mark()
	server.Start()
	d.Update(domain.NewDisk("", "raw", disc("one")...))
	holds("one")
	g.ExpectGoesOn(mark)
})
