package storage

import (
	"fmt"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"
)

// word is what a guest writes to a volume.
const word = "written by the guest"

// onKernel requires a machine of the kvm stack, whose kernel has the storage, and a libvirt from
// a version on.
func onKernel(since string) []matrix.Requirement {
	return []matrix.Requirement{matrix.KVMStack, matrix.OwnKernel, matrix.Since(matrix.Libvirt, since)}
}

// whole are the axes that decide about storage which the kernel serves.
var whole = check.On(matrix.Linux, matrix.QEMU, matrix.Libvirt)

// linear makes a volume that has all its room from the start.
func linear(p *steps.Pool, name string, bytes uint64) *steps.Volume {
	d := steps.DescribeVolume(name, "raw", bytes)
	d.Allocation.Value = bytes
	return p.CreateAs(d, nil)
}

// started starts a guest with the disk vdb, and returns by which name the guest has that.
func started(t *steps.T, opts ...domain.Option) (d *steps.Domain, g *steps.Guest, vdb string) {
	d, g = t.Started(opts...)
	return d, g, g.WaitDisk("vdb", steps.PlugLimit).Name
}

// disk is a virtio disk of a guest, whose serial number is its name in the domain.
func disk(dev, path, format string, more ...domain.DiskOption) domain.Option {
	return domain.WithDisk(path, format, append([]domain.DiskOption{domain.At(dev, "virtio"), domain.Serial(dev)}, more...)...)
}

var _ = check.Register("O-POOL-LVM", check.Spec{
	Asserts:  "Volumes of a volume group are made, filled, wiped and deleted, a guest keeps their pool from stopping, and they are back when it starts again",
	Requires: onKernel("0.9.8"),
	Depends:  whole,
	Hosts:    steps.StorageHosts(),
	Control:  sabotage.Swallow("virStoragePoolDestroy"),
}, func(t *steps.T) {
	t.Install()
	p, content := t.StartLogicalPool(64*mib), noise(4*mib)
	kept, used := linear(p, "kept", 4*mib), linear(p, "used", 8*mib)
	kept.Upload(content)
	d, g := t.Started(disk("vdb", "", "raw", domain.OfPool(p.Name, "used")))
	seen := g.WaitDisk("vdb", steps.PlugLimit)
	t.Expect(seen.Bytes).To(BeNumerically("==", 8*mib), "size of the volume that the guest sees")
	g.WriteAt(seen.Name, mib, word)
	t.Refuses("stop a pool that a guest has a volume of", libvirt.ERR_INTERNAL_ERROR, p.Raw.Destroy)
	t.Expect(p.Active()).To(BeTrue(), "the pool that a guest uses is active")
	t.Expect(g.ReadAt(seen.Name, mib, len(word))).To(Equal(word), "what the guest reads of its volume")
	d.Destroy()

	p.Destroy()
	t.Expect(t.Exists(used.Path)).To(BeFalse(), "the volume of a stopped pool has a device")
	p.Start()
	t.Expect(p.Volumes()).To(ConsistOf("kept", "used"))
	t.Expect(t.ReadFile(used.Path, mib, len(word))).To(Equal(word), "what the guest's volume holds")
	kept = p.Volume("kept")
	kept.ExpectContent(content)
	kept.Wipe()
	kept.ExpectContent(make([]byte, len(content)))
	kept.Delete()
	t.Expect(t.Sh("lvs --noheadings -o lv_name "+p.Name)).To(Equal("used"), "volumes of the group")
	p.Destroy()
	p.Delete()
	t.Expect(t.Sh("vgs --noheadings")).To(BeEmpty(), "volume groups of the host")
})

var _ = check.Register("O-DISK-LV", check.Spec{
	Asserts:  "A guest has block devices of its host, which are its emulator's while it does, grow under it, and are plugged and unplugged",
	Requires: append(onKernel("0.9.8"), matrix.OwnQEMU),
	Depends:  whole,
	Hosts:    steps.StorageHosts(),
	Control:  sabotage.Configure("dynamic_ownership = 0\nuser = \"root\""),
}, func(t *steps.T) {
	t.Install()
	p := t.StartLogicalPool(64 * mib)
	grows, plugged := linear(p, "grows", 8*mib).Path, linear(p, "plugged", 8*mib).Path
	d, g := t.Started(disk("vdb", grows, "raw", domain.OnDevice), domain.WithRootPorts(4))
	t.Expect(t.OwnerFor(d, grows)).To(Equal(d.EmulatorOwner()), "owner of a running guest's device")
	t.Sh("lvextend -q -L 16M " + grows)
	d.ResizeDisk("vdb", 16*mib)
	seen := g.WaitDiskSize("vdb", 16*mib)
	g.WriteAt(seen.Name, 16*mib-512, word)
	t.Expect(t.ReadFile(grows, 16*mib-512, len(word))).To(Equal(word), "what the device has at its new end")
	info := d.BlockInfo("vdb")
	t.Expect([]uint64{info.Capacity, info.Physical}).To(HaveEach(uint64(16*mib)), "capacity and physical size")

	hot := domain.NewDisk(plugged, "raw", domain.At("vdz", "virtio"), domain.Serial("vdz"), domain.OnDevice)
	for _, text := range []string{"", word} {
		d.Attach(hot)
		seen := g.WaitDisk("vdz", steps.PlugLimit)
		t.Expect(t.OwnerFor(d, plugged)).To(Equal(d.EmulatorOwner()), "owner of a plugged device")
		t.Expect(g.ReadAt(seen.Name, 0, len(text))).To(Equal(text), "what the plugged device has")
		g.WriteAt(seen.Name, 0, word)
		d.Detach(hot)
		g.WaitNoDisk("vdz", steps.PlugLimit)
		t.Until(steps.PlugLimit, "an unplugged device is the emulator's no more", func() bool { return t.OwnerFor(d, plugged) != d.EmulatorOwner() })
	}
	d.Destroy()
	t.Expect([]string{t.Owner(grows), t.Owner(plugged)}).To(HaveEach(HavePrefix("root:")), "owners of devices that no guest has")
})

// What group a device is of is udev's rule: backup programs are of the group disk.
var _ = check.Register("O-DISK-LV-OWN", check.Spec{
	Asserts:  "A block device of the host is whose it was, with its mode, once a guest that had it has ended",
	Requires: append(onKernel("0.9.8"), matrix.OwnQEMU),
	Depends:  whole,
	Hosts:    steps.StorageHosts(),
	Control:  sabotage.Configure("remember_owner = 0"),
}, func(t *steps.T) {
	t.Install()
	p := t.StartLogicalPool(64 * mib)
	t.Sh("lvcreate -q -y -L 8M -n lent " + p.Name + " && udevadm settle")
	device := p.Path + "/lent"
	free := t.Sh("stat -L -c '%U:%G %a' " + device)
	d, _ := t.Started(disk("vdb", device, "raw", domain.OnDevice))
	d.Destroy()
	t.Expect(t.Sh("stat -L -c '%U:%G %a' "+device)).To(Equal(free), "owner and mode of a device that no guest has")
})

// clusters of this size fill a device with few writes.
const cluster = mib

var _ = check.Register("O-DISK-LV-FULL", check.Spec{
	Asserts:  "A threshold tells of a qcow2 that fills its device, its guest is paused, and goes on once the device is larger, with all it wrote",
	Requires: onKernel("3.2.0"),
	Depends:  whole,
	Hosts:    steps.StorageHosts(),
	Control:  sabotage.SetWord("virDomainGetBlockInfo", 1, 64*mib),
}, func(t *steps.T) {
	t.Install()
	p := t.StartLogicalPool(64 * mib)
	device := linear(p, "thin", 16*mib).Path
	t.Sh(fmt.Sprintf("%s create -q -f qcow2 -o cluster_size=%d %s %d", t.QEMUImg(), cluster, device, 64*mib))
	d, g, vdb := started(t, disk("vdb", device, "qcow2", domain.OnDevice, domain.OnError("stop")))
	mark, past, came := g.Mark(), d.WatchThresholds(), t.WatchEvents()
	t.Do("set a threshold", func() error { return d.Raw.SetBlockThreshold("vdb", 10*mib, 0) })
	n := int64(0)
	for ; d.BlockInfo("vdb").Allocation+cluster <= 16*mib; n++ {
		g.WriteAt(vdb, n*cluster, word)
	}
	past.Wait("a write went past the threshold", func(e libvirt.DomainEventBlockThreshold) bool { return e.Path == device && e.Threshold == 10*mib })
	wait := g.WriteLater(vdb, n*cluster, word)
	came.Through(d, "the device was full", steps.Event{Type: libvirt.DOMAIN_EVENT_SUSPENDED, Detail: int(libvirt.DOMAIN_EVENT_SUSPENDED_IOERROR)})
	t.Expect(d.DiskErrors()).To(Equal([]libvirt.DomainDiskError{{Disk: "vdb", Error: libvirt.DOMAIN_DISK_ERROR_NO_SPACE}}))
	t.Sh("lvextend -q -L 32M " + device)
	d.Resume()
	wait()
	for i := range n + 1 {
		t.Expect(g.ReadAt(vdb, i*cluster, len(word))).To(Equal(word), "what the guest reads of cluster %d", i)
	}
	g.ExpectGoesOn(mark)
})

var _ = check.Register("O-POOL-ISCSI", check.Spec{
	Asserts:  "A pool of an iSCSI target logs in, shows its disks by a lasting path, lends one to a guest, and logs out",
	Requires: onKernel("0.10.0"),
	Depends:  whole,
	Hosts:    steps.StorageHosts(),
	Control:  sabotage.Swallow("virStoragePoolDestroy"),
}, func(t *steps.T) {
	t.Install()
	iqn, image := t.ServeISCSI(16 * mib)
	p := t.DefinePoolOf(libvirtxml.StoragePool{Type: "iscsi", Target: &libvirtxml.StoragePoolTarget{Path: "/dev/disk/by-path"}, Source: &libvirtxml.StoragePoolSource{
		Host: []libvirtxml.StoragePoolSourceHost{{Name: "127.0.0.1"}}, Device: []libvirtxml.StoragePoolSourceDevice{{Path: iqn}},
	}})
	for _, text := range []string{"", word} {
		p.Start()
		t.Expect(p.Volumes()).To(Equal([]string{"unit:0:0:0"}))
		v := p.Volume("unit:0:0:0")
		t.Expect(v.Path).To(Equal("/dev/disk/by-path/ip-127.0.0.1:3260-iscsi-" + iqn + "-lun-0"))
		t.Expect(v.Info().Capacity).To(BeNumerically("==", 16*mib), "capacity of the target's disk")
		t.Expect(t.ReadFile(v.Path, mib, len(text))).To(Equal(text), "what the disk has of the guest before")
		d, g, vdb := started(t, disk("vdb", "", "raw", domain.OfPool(p.Name, "unit:0:0:0")))
		g.WriteAt(vdb, mib, word)
		t.Until(steps.PlugLimit, "the target's image has what the guest wrote", func() bool { return t.ReadFile(image, mib, len(word)) == word })
		d.Destroy()
		p.Destroy()
		t.Expect(t.Run("iscsiadm -m session").Code).To(Equal(21), "status of iscsiadm without sessions")
		t.Expect(t.Exists(v.Path)).To(BeFalse(), "the path of a stopped pool is there")
	}
})
