package disks

import (
	"maps"
	"slices"
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// More than 26 disks have names of two letters, and more than 31 do not fit on one PCI bus.
var _ = check.Register("O-DISKS-MANY", check.Spec{
	Asserts:  "A guest has 34 virtio and 28 SCSI disks, each with its serial number and its own image, and statistics tell of all",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "1.2.8")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU, matrix.Linux, "machine"),
	Control:  sabotage.Alter("virDomainGetXMLDesc", "serial-vdah", "serial-vdaz"),
}, func(t *steps.T) {
	opts := []domain.Option{domain.WithSCSI, domain.WithSize(domain.Size{MemoryMB: 256})}
	images := map[string]string{}
	add := func(dev, bus string, place ...domain.DiskOption) {
		images[dev] = t.Scratch(dev)
		opts = append(opts, domain.WithDisk(images[dev], "raw", append(place, domain.At(dev, bus), domain.Serial("serial-"+dev))...))
	}
	for i := range 34 {
		add("vd"+letters(i), "virtio")
	}
	for i := range 28 {
		add("sd"+letters(i), "scsi", domain.Unit(uint(i)))
	}
	devs := slices.Sorted(maps.Keys(images))
	t.Sh("truncate -s 1M " + strings.Join(slices.Sorted(maps.Values(images)), " "))
	d, g := t.Started(opts...)
	stats := t.VirshSays("domstats --block " + d.Name)
	g.WaitDisk("serial-"+devs[len(devs)-1], steps.PlugLimit)
	xml, sees := d.Dump(0), g.Disks()
	for i, dev := range devs {
		t.Expect(xml).To(ContainSubstring("serial-"+dev+"<"), "the XML")
		t.Expect(stats).To(MatchRegexp(`\.name=`+dev+`\b`), "the statistics name %s", dev)
		seen, ok := sees["serial-"+dev]
		t.Expect(ok).To(BeTrue(), "the guest sees %s", dev)
		if word := "of " + dev; i%5 == 0 {
			g.WriteAt(seen.Name, 4096, word)
			t.Expect(t.ReadFile(images[dev], 4096, len(word))).To(Equal(word), "what the image of %s holds", dev)
		}
	}
})

// A disk without an address has the controller that its name's number has, of seven units each
// (virDomainDiskDefAssignAddress), which libvirt adds where there is none.
var _ = check.Register("O-DISKS-SCSI", check.Spec{
	Asserts:  "A guest with more SCSI disks than a controller of libvirt's has units sees all of them",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "1.2.8")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU, matrix.Linux, "machine"),
	Control:  sabotage.Alter("virDomainGetXMLDesc", "'virtio-scsi'", "'lsilogic'  "),
}, func(t *steps.T) {
	opts := []domain.Option{domain.WithSCSI}
	for i := range 18 {
		dev := "sd" + letters(i)
		opts = append(opts, domain.WithDisk(t.DiskImage(dev, 1<<20), "raw", domain.At(dev, "scsi"), domain.Serial("serial-"+dev)))
	}
	d, g := t.Started(opts...)
	var models []string
	for _, c := range d.Live().Devices.Controllers {
		if c.Type == "scsi" {
			models = append(models, c.Model)
		}
	}
	t.Note("models of the SCSI controllers: %v", models)
	t.Expect(models).To(HaveEach("virtio-scsi"), "models of the controllers that libvirt has for disks beside a virtio-scsi")
	g.WaitDisk("serial-sdr", steps.PlugLimit)
})

// letters name the i-th disk: a to z, then aa and on (virIndexToDiskName).
func letters(i int) string {
	if i < 26 {
		return string(rune('a' + i))
	}
	return letters(i/26-1) + letters(i%26)
}
