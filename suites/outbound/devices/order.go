package devices

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

var _ = check.Register("O-HP-ORDER", check.Spec{
	Asserts:  "The XML lists disks by their targets, is as before once all are detached, and loses the middle one of three cards once",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "0.7.7")},
	Depends:  check.On(matrix.Linux, matrix.QEMU, matrix.Libvirt, "machine", "accel"),
	Control:  sabotage.Swallow("virDomainDetachDeviceFlags"),
}, func(t *steps.T) {
	macs := []string{"52:54:00:1a:00:10", "52:54:00:1a:00:11", "52:54:00:1a:00:12"}
	d, g := t.Started(domain.WithRootPorts(10), domain.WithNIC(domain.NIC{MAC: macs[0]}), domain.WithNIC(domain.NIC{MAC: macs[1]}), domain.WithNIC(domain.NIC{MAC: macs[2]}))
	live, config := d.Dump(0), d.Dump(libvirt.DOMAIN_XML_INACTIVE)
	var disks []*libvirtxml.DomainDisk
	for _, dev := range []string{"vdd", "vdb", "vdc"} {
		disk := domain.NewDisk(t.DiskImage(dev, diskSize), "raw", domain.At(dev, "virtio"), domain.Serial(dev))
		disks = append(disks, disk)
		d.AttachBoth(disk)
	}
	for what, flags := range map[string]libvirt.DomainXMLFlags{"live": 0, "inactive": libvirt.DOMAIN_XML_INACTIVE} {
		t.Expect(targets(t, d, flags)).To(Equal([]string{"vdb", "vdc", "vdd"}), "targets in the %s XML", what)
	}
	for _, disk := range disks {
		g.WaitDisk(disk.Serial, plugLimit)
		xml := t.Marshal(disk)
		t.Do("detach disk", func() error {
			return d.Raw.DetachDeviceFlags(xml, libvirt.DOMAIN_DEVICE_MODIFY_LIVE|libvirt.DOMAIN_DEVICE_MODIFY_CONFIG)
		})
		g.WaitNoDisk(disk.Serial, plugLimit)
	}
	t.Until(plugLimit, "the live XML is as it was before", func() bool { return d.Dump(0) == live })
	t.Expect(d.Dump(libvirt.DOMAIN_XML_INACTIVE)).To(Equal(config), "the inactive XML")

	middle := domain.NewNIC(domain.NIC{MAC: macs[1]})
	d.Detach(middle)
	g.WaitNoNIC(macs[1])
	t.Until(plugLimit, "the XML has no card "+macs[1], func() bool { return !d.Has(macs[1]) })
	t.Expect(fmt.Sprint(g.HasNIC(macs[0]), g.HasNIC(macs[2]), d.Has(macs[0]), d.Has(macs[2]))).To(Equal("true true true true"), "the guest and the XML have the first and the third card")
	xml := t.Marshal(middle)
	t.Refuses("detach a card twice", libvirt.ERR_DEVICE_MISSING, func() error { return d.Raw.DetachDeviceFlags(xml, libvirt.DOMAIN_DEVICE_MODIFY_LIVE) })
})

// targets are the disks of a domain's XML, in its order.
func targets(t *steps.T, d *steps.Domain, flags libvirt.DomainXMLFlags) (devs []string) {
	var def libvirtxml.Domain
	t.Parse("the XML", d.Dump(flags), &def)
	for _, disk := range def.Devices.Disks {
		devs = append(devs, disk.Target.Dev)
	}
	return devs
}

var _ = check.Register("O-HP-ALIAS", check.Spec{
	Asserts:  "A device is detached by its alias, an event says so by that name, and an alias that no device has is refused",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "4.4.0")},
	Depends:  check.On(matrix.Linux, matrix.QEMU, matrix.Libvirt, matrix.XenHyp, "machine", "accel"),
	Control:  sabotage.Swallow("virDomainDetachDeviceAlias"),
}, func(t *steps.T) {
	const alias = "ua-plugged"
	detach := func(d *steps.Domain, alias string) func() error {
		return func() error { return d.Raw.DetachDeviceAlias(alias, libvirt.DOMAIN_DEVICE_MODIFY_LIVE) }
	}
	if t.Kind() == matrix.Xen {
		t.LacksOnXen("detach device by alias", detach(t.Guest().Domain, alias))
		return
	}
	d, g := t.Started(domain.WithRootPorts(4))
	removed, before := d.WatchRemoved(), d.Dump(0)
	disk := domain.NewDisk(t.DiskImage("aliased", diskSize), "raw", domain.At("vdz", "virtio"), domain.Serial(serial), domain.Alias(alias))
	for i, detach := range []func(){
		func() { t.Do("detach device by alias", detach(d, alias)) },
		func() { t.VirshSays("detach-device-alias " + d.Name + " " + alias + " --live") },
	} {
		d.Attach(disk)
		g.WaitDisk(serial, plugLimit)
		t.Expect(d.Dump(0)).To(ContainSubstring(`<alias name='` + alias + `'/>`))
		detach()
		g.WaitNoDisk(serial, plugLimit)
		removed.Wait(alias, i+1)
		t.Until(plugLimit, "the live XML is as it was", func() bool { return d.Dump(0) == before })
	}
	t.Refuses("detach a device by an alias that none has", libvirt.ERR_INTERNAL_ERROR, detach(d, "ua-nobody"))
})
