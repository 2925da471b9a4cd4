package devices

import (
	"fmt"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/internal/layout"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirtxml"
)

const (
	mib = 1 << 20
	// scsiWord is what a guest writes to a SCSI device of the host.
	scsiWord = "written by the guest"
)

// scsi requires a machine, whose kernel has SCSI devices to give, and a libvirt from a version
// on.
func scsi(since string) []matrix.Requirement {
	return []matrix.Requirement{matrix.KVMStack, matrix.OwnKernel, matrix.Since(matrix.Libvirt, since)}
}

// behind is what a device of the host has where guests write their word, past all caches.
func behind(t *steps.T, device string) string {
	return t.Sh(fmt.Sprintf("dd if=%s bs=1M skip=1 count=1 iflag=direct status=none | head -c %d", device, len(scsiWord)))
}

var _ = check.Register("O-DISK-LUN", check.Spec{
	Asserts:  "A guest's commands reach the disk of its host that is a LUN, and end at the emulator where it is a plain disk",
	Requires: scsi("1.0.0"),
	Depends:  check.On(matrix.Linux, matrix.QEMU, matrix.Libvirt),
	Control:  sabotage.Wrap(layout.Emulator, "an emulator that keeps all commands to itself", `exec $REAL "${@//scsi-block/scsi-hd}"`),
}, func(t *steps.T) {
	disk := t.PretendSCSIDisk(16)
	at := domain.At("sdb", "scsi")
	d, g := t.Started(domain.WithSCSI, domain.WithDisk(disk.Device, "raw", at, domain.OnDevice, domain.LUN))
	seen := g.WaitDisk(disk.Serial, plugLimit)
	t.Expect(seen.Bytes).To(BeNumerically("==", 16*mib), "size of the disk that the guest sees")
	g.WriteAt(seen.Name, mib, scsiWord)
	t.Expect(behind(t, disk.Device)).To(Equal(scsiWord), "what the host's disk has")
	d.Destroy()
	_, g = t.Started(domain.WithSCSI, domain.WithDisk(disk.Device, "raw", at, domain.OnDevice, domain.Serial("plain")))
	seen = g.WaitDisk("plain", plugLimit)
	t.Expect(g.ReadAt(seen.Name, mib, len(scsiWord))).To(Equal(scsiWord), "what a plain disk reads")
})

var _ = check.Register("O-HOSTDEV-SCSI", check.Spec{
	Asserts:  "A SCSI device of the host is plugged into a guest, which commands it and writes to it, and unplugged, and no other guest gets it meanwhile",
	Requires: scsi("1.0.6"),
	Depends:  check.On(matrix.Linux, matrix.QEMU, matrix.Libvirt),
	Control:  sabotage.Swallow("virDomainDetachDeviceFlags"),
}, func(t *steps.T) {
	disk := t.PretendSCSIDisk(16)
	dev := domain.NewSCSIHostdev(disk.Host, 0, 0)
	d, g := t.Started(domain.WithSCSI)
	d.Attach(dev)
	seen := g.WaitDisk(disk.Serial, plugLimit)
	g.WriteAt(seen.Name, mib, scsiWord)
	t.Expect(behind(t, disk.Device)).To(Equal(scsiWord), "what the host's disk has")
	other := t.Define(domain.WithSCSI, func(d *libvirtxml.Domain) { d.Devices.Hostdevs = append(d.Devices.Hostdevs, *dev) })
	t.Expect(t.Try("start another guest with the device", other.Raw.Create)).To(HaveOccurred(), "start of a guest with a device that another one has")
	d.Detach(dev)
	g.WaitNoDisk(disk.Serial, plugLimit)
	t.Until(plugLimit, "the XML has the device no more", func() bool { return !d.Has("<hostdev") })
	other.Start()
	t.Expect(other.Guest().WaitDisk(disk.Serial, plugLimit).Bytes).To(BeNumerically("==", 16*mib), "size of the device for the next guest")
})

var _ = check.Register("O-HOSTDEV-VHOST", check.Spec{
	Asserts:  "A guest has a SCSI controller that the host's kernel is, reads and writes its disk, and has it again after a reset",
	Requires: scsi("2.5.0"),
	Depends:  check.On(matrix.Linux, matrix.QEMU, matrix.Libvirt),
	Control:  sabotage.Wrap("tail", "an image that lacks what the guest wrote", "exit 0"),
}, func(t *steps.T) {
	wwpn, image := t.ServeVhostSCSI(16 * mib)
	_, g := t.Started(domain.WithVhostSCSI(wwpn))
	seen := g.WaitDisk(steps.TargetSerial, plugLimit)
	t.Expect(seen.Bytes).To(BeNumerically("==", 16*mib), "size of the disk that the guest sees")
	g.WriteAt(seen.Name, mib, scsiWord)
	t.Expect(t.ReadFile(image, mib, len(scsiWord))).To(Equal(scsiWord), "what the kernel's image has")
	g.Reboot()
	seen = g.WaitDisk(steps.TargetSerial, plugLimit)
	t.Expect(g.ReadAt(seen.Name, mib, len(scsiWord))).To(Equal(scsiWord), "what the guest reads after it has booted anew")
})
