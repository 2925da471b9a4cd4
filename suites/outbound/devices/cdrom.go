package devices

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// The libxl driver changes media of HVM guests only, and ours are paravirtual.
var _ = check.Register("O-HP-CD", check.Spec{
	Asserts:  "A disc that is inserted is in the guest's drive with its content, and out of it once ejected",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "0.8.0")},
	Depends:  check.On(matrix.Linux, matrix.QEMU, matrix.Libvirt, "machine", "disk"),
	Control:  sabotage.Swallow("virDomainUpdateDeviceFlags"),
}, func(t *steps.T) {
	drive := []domain.DiskOption{domain.CDROM, domain.At("sda", "scsi")}
	d, g := t.Started(domain.WithSCSI, domain.WithDisk("", "raw", drive...))
	holds := func(disc string, bytes int64) {
		t.Until(plugLimit, "the guest's drive holds "+disc, func() bool {
			seen, ok := g.Disk("") // a drive tells no serial number
			return ok && seen.CDROM && seen.Bytes == bytes
		})
		if disc != "" {
			seen, _ := g.Disk("")
			t.Expect(g.ReadAt(seen.Name, 0, len(disc))).To(Equal(disc), "what the guest reads from the disc")
		}
		t.Expect(d.Has("<source file=")).To(Equal(disc != ""), "the live XML has a disc in the drive")
	}
	image := func(disc string, bytes int64) string {
		path := t.DiskImage(disc, bytes)
		t.Sh("printf '" + disc + "' | dd of=" + path + " conv=notrunc status=none")
		return path
	}
	one, two := image("disc-one", 2<<20), image("disc-two", 4<<20)
	holds("", 0)
	d.Update(domain.NewDisk(one, "raw", drive...))
	holds("disc-one", 2<<20)
	t.VirshSays("change-media " + d.Name + " sda " + two + " --update --live")
	holds("disc-two", 4<<20)
	t.VirshSays("change-media " + d.Name + " sda --eject --live")
	holds("", 0)
	t.VirshSays("change-media " + d.Name + " sda " + one + " --insert --live --config")
	holds("disc-one", 2<<20)
	d.Update(domain.NewDisk("", "raw", drive...))
	holds("", 0)
	t.Expect(t.VirshSays("domblklist --inactive "+d.Name)).To(ContainSubstring(one), "the drive of the next start, in which the disc stays")
})
