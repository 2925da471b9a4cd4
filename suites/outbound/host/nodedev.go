package host

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"
)

// Nobody announces devices in our hosts, which have no udev: events cannot come.
var _ = check.Register("O-DEV", check.Spec{
	Asserts:  "libvirt lists the host's PCI devices as the kernel does, tells of each what it is, and makes no mediated device of what makes none",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "7.0")},
	Depends:  check.On(matrix.Linux, matrix.Libvirt),
	Control:  sabotage.Alter("virNodeDeviceGetXMLDesc", "<slot>", "<slut>"),
}, func(t *steps.T) {
	conn := t.Connection().Raw
	devices := steps.Get(t, "list devices", func() ([]libvirt.NodeDevice, error) {
		return conn.ListAllNodeDevices(libvirt.CONNECT_LIST_NODE_DEVICES_CAP_PCI_DEV)
	})
	var told, names []string
	for _, dev := range devices {
		var def libvirtxml.NodeDevice
		t.Parse("the XML of a device", steps.Get(t, "dump a device's XML", func() (string, error) { return dev.GetXMLDesc(0) }), &def)
		names = append(names, def.Name)
		t.Expect(def.Capability.PCI).NotTo(BeNil(), "what %s is", def.Name)
		pci := def.Capability.PCI
		t.Expect(pci.Slot).NotTo(BeNil(), "slot of %s", def.Name)
		told = append(told, fmt.Sprintf("%04x:%02x:%02x.%x %s %s", *pci.Domain, *pci.Bus, *pci.Slot, *pci.Function, pci.Vendor.ID, pci.Product.ID))
		_ = dev.Free()
	}
	slices.Sort(told)
	is := strings.Split(t.Sh(`cd /sys/bus/pci/devices && for d in *; do echo "$d $(cat $d/vendor) $(cat $d/device)"; done | sort`), "\n")
	t.Expect(told).To(Equal(is), "addresses, vendors and devices of PCI, as libvirt and as the kernel tells them")
	slices.Sort(names)
	listed := strings.Fields(t.VirshSays("nodedev-list --cap pci"))
	slices.Sort(listed)
	t.Expect(listed).To(Equal(names), "devices that virsh lists")
	t.Refuses("look up a device that there is none of", libvirt.ERR_NO_NODE_DEVICE, func() error { _, err := conn.LookupDeviceByName("pci_ffff_00_00_0"); return err })
	makesNone(t, names[0])
})

// mdev is the name of a mediated device as virsh says that it was defined.
var mdev = regexp.MustCompile(`'(mdev_[^']+)'`)

// makesNone defines a mediated device below one that makes none. mdevctl keeps what it is
// told, so it can be defined where that is, and not be started.
func makesNone(t *steps.T, parent string) {
	if !t.AtLeast(matrix.Libvirt, "7.3") {
		return
	}
	listed := func() string { return t.VirshSays("nodedev-list --cap mdev --all") }
	before, xml := listed(), t.Scratch("mdev.xml")
	t.Put(xml, "<device><parent>"+parent+"</parent><capability type='mdev'><type id='nosuch'/></capability></device>")
	res := t.Virsh("nodedev-define " + xml)
	t.Expect(res.OK()).To(Equal(t.Run("command -v mdevctl").OK()), "a mediated device of %s can be defined:\n%s", parent, res.Text())
	if name := mdev.FindStringSubmatch(res.Text()); name != nil {
		t.Until(steps.PlugLimit, "the device is listed", func() bool { return strings.Contains(listed(), name[1]) })
		t.Expect(t.Virsh("nodedev-start "+name[1]).OK()).To(BeFalse(), "a mediated device of %s can be started", parent)
		t.VirshSays("nodedev-undefine " + name[1])
	}
	t.Until(steps.PlugLimit, "the mediated devices are as before", func() bool { return listed() == before })
}
