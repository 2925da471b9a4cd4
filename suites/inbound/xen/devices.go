package xen

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// A guest gets a device only where there is an IOMMU, which an emulated host has none of;
// dom0 gives one up in any case. It is the source of random numbers, which nobody needs.
var _ = check.Register("IX-PCI", check.Spec{
	Asserts:  "A PCI device of dom0 is made assignable, and given back to its driver",
	Requires: stack,
	Depends:  depends,
	Control:  ignores("pci-assignable-add"),
}, func(t *steps.T) {
	t.Sh("modprobe xen-pciback")
	device := t.Sh("basename $(dirname $(grep -lxE '0x1005|0x1044' /sys/bus/pci/devices/*/device | head -n 1))")
	driver := func() string { return t.Sh("basename $(readlink -f /sys/bus/pci/devices/" + device + "/driver)") }
	own := driver()
	t.Cleanup(func() { t.Run("xl pci-assignable-remove -r " + device) })
	t.Xl("pci-assignable-add " + device)
	t.Expect(driver()).To(Equal("pciback"), "driver of the device, which was "+own)
	t.Expect(t.Xl("pci-assignable-list")).To(ContainSubstring(device))
	t.Xl("pci-assignable-remove -r " + device)
	t.Expect(driver()).To(Equal(own), "driver of the device that was given back")
	t.Expect(t.Xl("pci-assignable-list")).NotTo(ContainSubstring(device))
})

// The emulator that serves a guest's qcow2 disk is also its USB controller's other end:
// without one xl refuses.
var _ = check.Register("IX-USB", check.Spec{
	Asserts:  "A guest that an emulator serves gets a USB controller, which xl lists with its ports, and loses it",
	Requires: stack,
	Depends:  depends,
	Control:  ignores("usbctrl-attach"),
}, func(t *steps.T) {
	g := t.XlGuest(domain.XL{"disk": []string{"format=qcow2,vdev=xvda,access=rw,target=" + t.QCOW2("disk", "disk")}})
	backend := "/local/domain/0/backend/qusb/" + g.DomID() + "/0"
	t.Xl("usbctrl-attach " + g.Name + " version=2 ports=3")
	t.Expect(t.Sh("xenstore-read "+backend+"/num-ports")).To(Equal("3"), "ports as xenstore has them")
	t.Expect(t.Xl("usb-list " + g.Name)).To(MatchRegexp(`(?m)^0\s+qusb\s+0\s+\d\s+2\s+3`))
	t.Xl("usbctrl-detach " + g.Name + " 0")
	t.Until(resizeLimit, "xenstore has no controller", func() bool { return !t.Run("xenstore-exists " + backend).OK() })
	g.ExpectSameBoot(g.Tick())
})
