package devices

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"
)

var _ = check.Register("O-HP-DISK-T", check.Spec{
	Asserts:  "Disks that are shared, bootable, at a SCSI address, in an I/O thread or encrypted come to a running guest and go",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "2.1.0")},
	Depends:  check.On(matrix.Linux, matrix.QEMU, matrix.Libvirt, "machine", "firmware", "accel"),
	Control:  sabotage.Swallow("virDomainDetachDeviceFlags"),
}, func(t *steps.T) {
	first := t.DiskImage("first", diskSize)
	d, g := t.Started(domain.WithRootPorts(8), domain.WithSCSI, domain.WithIOThreads(1),
		domain.WithDisk(first, "raw", domain.At("vda", "virtio"), domain.BootOrder(1)))
	plain := t.DiskImage("kinds", diskSize)
	secret, encrypted := encryptedImage(t)
	comesAndGoes(t, d, g, `<boot order='2'/>`, domain.NewDisk(plain, "raw", domain.At("vdk", "virtio"), domain.Serial("boot"), domain.BootOrder(2)))
	comesAndGoes(t, d, g, `iothread='1'`, domain.NewDisk(plain, "raw", domain.At("vdk", "virtio"), domain.Serial("iothread"), domain.InIOThread(1)))
	lun := comesAndGoes(t, d, g, `unit='3'`, domain.NewDisk(plain, "raw", domain.At("sdk", "scsi"), domain.Serial("lun"), domain.Unit(3)))
	t.Expect(lun).To(HaveSuffix(":0:0:3"), "where the guest has the disk that is unit 3")
	comesAndGoes(t, d, g, `format='luks'`, domain.NewDisk(encrypted, "raw", domain.At("vdk", "virtio"), domain.Serial("luks"), domain.LUKS(secret)))
	isShared(t, d, g, plain)
	d.RefusesDevice("a disk with the boot order of another", domain.NewDisk(plain, "raw", domain.At("vdk", "virtio"), domain.BootOrder(1)), libvirt.ERR_CONFIG_UNSUPPORTED)
})

// comesAndGoes attaches a disk, has the guest write to it, and detaches it again. The
// live XML has the text meanwhile, and the image what was written, unless that is
// encrypted. It returns where the guest has the disk.
func comesAndGoes(t *steps.T, d *steps.Domain, g *steps.Guest, text string, disk *libvirtxml.DomainDisk) string {
	before, image := d.Dump(0), disk.Source.File.File
	d.Attach(disk)
	seen := g.WaitDisk(disk.Serial, plugLimit)
	t.Expect(seen.Bytes).To(BeNumerically("==", diskSize), "size of disk %s that the guest sees", disk.Serial)
	t.Expect(d.Dump(0)).To(ContainSubstring(text), "the live XML with disk %s", disk.Serial)
	word := "written to " + disk.Serial + " by " + g.Token
	g.WriteAt(seen.Name, 1<<20, word)
	t.Expect(g.ReadAt(seen.Name, 1<<20, len(word))).To(Equal(word), "what the guest reads back from disk %s", disk.Serial)
	t.Expect(t.Run("grep -q '"+word+"' "+image).OK()).To(Equal(disk.Source.Encryption == nil), "the image of disk %s shows what was written", disk.Serial)
	d.Detach(disk)
	g.WaitNoDisk(disk.Serial, plugLimit)
	t.Until(plugLimit, "the live XML is as it was before disk "+disk.Serial, func() bool { return d.Dump(0) == before })
	return seen.Address
}

// isShared attaches an image twice. What the guest writes to one disk is in the other.
func isShared(t *steps.T, d *steps.Domain, g *steps.Guest, image string) {
	one := domain.NewDisk(image, "raw", domain.At("vdm", "virtio"), domain.Serial("shared-1"), domain.Shareable)
	two := domain.NewDisk(image, "raw", domain.At("vdn", "virtio"), domain.Serial("shared-2"), domain.Shareable)
	d.Attach(one)
	d.Attach(two)
	word := "shared by " + g.Token
	g.WriteAt(g.WaitDisk("shared-1", plugLimit).Name, 0, word)
	t.Expect(g.ReadAt(g.WaitDisk("shared-2", plugLimit).Name, 0, len(word))).To(Equal(word), "what the second disk of a shared image has")
	d.Detach(one)
	d.Detach(two)
	g.WaitNoDisk("shared-1", plugLimit)
	g.WaitNoDisk("shared-2", plugLimit)
}

// encryptedImage makes an image that a secret opens, and the secret.
func encryptedImage(t *steps.T) (secret, image string) {
	const passphrase = "correct horse"
	image = t.Scratch("encrypted.luks")
	// Little work for the passphrase: nobody attacks it.
	t.Sh("qemu-img create -f luks --object secret,id=s,data='" + passphrase + "' -o key-secret=s,iter-time=10 " + image + " 4M")
	conn := t.Connection().Raw
	s := steps.Get(t, "define secret", func() (*libvirt.Secret, error) {
		return conn.SecretDefineXML("<secret ephemeral='yes' private='yes'><usage type='volume'><volume>"+image+"</volume></usage></secret>", 0)
	})
	t.Cleanup(func() { t.Do("undefine secret", s.Undefine); _ = s.Free() })
	t.Do("set secret", func() error { return s.SetValue([]byte(passphrase), 0) })
	return steps.Get(t, "ask for the secret's UUID", s.GetUUIDString), image
}
