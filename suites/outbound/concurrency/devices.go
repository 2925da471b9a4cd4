package concurrency

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

// SCSI disks go without their guest's consent.
var _ = check.Register("O-CONC-PLUG", check.Spec{
	Asserts:  "Disks that three clients attach and detach at once are in the end those that the XML has, the emulator has and the guest sees",
	Requires: since("0.7.7"),
	Depends:  check.On(matrix.Libvirt, matrix.QEMU, matrix.Linux, "machine"),
	Control:  sabotage.Swallow("virDomainDetachDeviceFlags"),
}, func(t *steps.T) {
	const turns = 6
	d, g := t.Started(domain.WithSCSI)
	var racers []*steps.Racer
	images := map[string]string{}
	for i, dev := range []string{"sdx", "sdy", "sdz"} {
		images[dev] = t.DiskImage(dev, 1<<20)
		own := t.NewConnection().Lookup(d.Name).Raw
		xml := t.Marshal(domain.NewDisk(images[dev], "raw", domain.At(dev, "scsi"), domain.Unit(uint(i)), domain.Serial("serial-"+dev)))
		racers = append(racers, steps.NewRacer("attach its disk or detach it", func(turn int) error {
			if turn%2 == 0 {
				return own.AttachDeviceFlags(xml, libvirt.DOMAIN_DEVICE_MODIFY_LIVE)
			}
			return own.DetachDeviceFlags(xml, libvirt.DOMAIN_DEVICE_MODIFY_LIVE)
		}))
	}
	asks := t.NewConnection().Lookup(d.Name).Raw
	t.Race(turns+1, racers,
		steps.NewRacer("ask for the XML", func(int) error { _, err := asks.GetXMLDesc(0); return err }),
		steps.NewRacer("ask for the disks' errors", func(int) error { _, err := asks.GetDiskErrors(0); return err }))
	for dev, image := range images {
		t.Expect(d.Has("serial-"+dev)).To(BeTrue(), "the XML has disk %s", dev)
		disk := g.WaitDisk("serial-"+dev, steps.PlugLimit)
		word := fmt.Sprintf("written to %s by %s", dev, g.Token)
		g.WriteAt(disk.Name, 4096, word)
		t.Expect(t.ReadFile(image, 4096, len(word))).To(Equal(word), "what the image of %s holds", dev)
	}
})
