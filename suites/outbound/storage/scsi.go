package storage

import (
	"fmt"
	"path"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirtxml"
)

var _ = check.Register("O-POOL-PART", check.Spec{
	Asserts:  "A pool of a disk labels it, makes partitions of it that the kernel has, keeps what is in them over a stop, and removes them",
	Requires: onKernel("0.9.8"),
	Depends:  whole,
	Hosts:    steps.StorageHosts(),
	Control:  sabotage.Swallow("virStorageVolDelete"),
}, func(t *steps.T) {
	t.Install()
	t.Udev()
	content, device := noise(4*mib), t.PretendSCSIDisk(32).Device
	p := t.DefinePoolOf(libvirtxml.StoragePool{Type: "disk", Target: &libvirtxml.StoragePoolTarget{Path: "/dev"}, Source: &libvirtxml.StoragePoolSource{
		Device: []libvirtxml.StoragePoolSourceDevice{{Path: device}}, Format: &libvirtxml.StoragePoolSourceFormat{Type: "gpt"},
	}})
	p.Build()
	p.Start()
	name := path.Base(device)
	first, second := p.CreateAs(steps.DescribeVolume(name+"1", "none", 8*mib), nil), p.CreateAs(steps.DescribeVolume(name+"2", "none", 4*mib), nil)
	t.Expect([]string{first.Path, second.Path}).To(Equal([]string{device + "1", device + "2"}))
	t.Expect(t.Sh("blockdev --getsize64 "+first.Path+" "+second.Path)).To(Equal(fmt.Sprintf("%d\n%d", 8*mib, 4*mib)), "sizes of the partitions")
	second.Upload(content)
	p.Destroy()
	p.Start()
	t.Expect(p.Volumes()).To(ConsistOf(name+"1", name+"2"))
	p.Volume(name + "2").ExpectContent(content)
	p.Volume(name + "1").Delete()
	t.Expect([]bool{t.Exists(first.Path), t.Exists(second.Path)}).To(Equal([]bool{false, true}), "which partition the kernel has")
})

var _ = check.Register("O-POOL-SCSI", check.Spec{
	Asserts:  "A pool of a SCSI host shows its disks by a lasting path, and one that came later once it is refreshed",
	Requires: onKernel("0.9.8"),
	Depends:  whole,
	Hosts:    steps.StorageHosts(),
	Control:  sabotage.Swallow("virStoragePoolRefresh"),
}, func(t *steps.T) {
	t.Install()
	t.Udev()
	disk := t.PretendSCSIDisk(16)
	p := t.DefinePoolOf(libvirtxml.StoragePool{Type: "scsi", Target: &libvirtxml.StoragePoolTarget{Path: "/dev/disk/by-id"}, Source: &libvirtxml.StoragePoolSource{
		Adapter: &libvirtxml.StoragePoolSourceAdapter{Type: "scsi_host", Name: fmt.Sprintf("host%d", disk.Host)},
	}})
	p.Start()
	t.Expect(p.Volumes()).To(Equal([]string{"unit:0:0:0"}))
	t.Expect(t.Sh("readlink -f "+p.Volume("unit:0:0:0").Path)).To(Equal(disk.Device), "the device behind the volume's path")
	t.Expect(p.Volume("unit:0:0:0").Info().Capacity).To(BeNumerically("==", 16*mib), "capacity of the disk")
	t.Sh("echo 2 >/sys/bus/pseudo/drivers/scsi_debug/max_luns && udevadm settle")
	t.UntilDone(steps.PlugLimit, "the pool has the disk that came later", func() error {
		p.Refresh()
		_, err := p.Raw.LookupStorageVolByName("unit:0:0:1")
		return err
	})
})
