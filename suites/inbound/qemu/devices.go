package qemu

import (
	"path"
	"regexp"
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/internal/layout"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// given is what devices must be given, in the words of the command line after their names.
var given = map[string]string{
	"AC97": ",audiodev=mute", "ES1370": ",audiodev=mute", "virtio-sound-pci": ",audiodev=mute",
	"acpi-erst":     ",memdev=memory -object memory-backend-ram,id=memory,size=64K",
	"ivshmem-plain": ",memdev=memory -object memory-backend-ram,id=memory,size=1M,share=on",
	"kvaser_pci":    ",canbus=can -object can-bus,id=can",
	"ctucan_pci":    ",canbus0=can,canbus1=can -object can-bus,id=can",
	"mioe3680_pci":  ",canbus0=can,canbus1=can -object can-bus,id=can",
	"pcm3680_pci":   ",canbus0=can,canbus1=can -object can-bus,id=can",
	"nvme":          ",serial=virtmatrix",
	"pci-bridge":    ",chassis_nr=1", "pci-bridge-seat": ",chassis_nr=1",
	"pci-ipmi-bt": ",bmc=bmc", "pci-ipmi-kcs": ",bmc=bmc",
	"virtio-9p-pci":     ",fsdev=folder,mount_tag=folder -fsdev local,id=folder,path=/tmp,security_model=none",
	"virtio-blk-pci":    ",drive=disk -blockdev driver=null-co,node-name=disk,read-zeroes=on",
	"virtio-crypto-pci": ",cryptodev=crypto -object cryptodev-backend-builtin,id=crypto",
	"virtio-mem-pci":    ",memdev=memory -object memory-backend-ram,id=memory,size=128M",
	"virtio-pmem-pci":   ",memdev=memory -object memory-backend-ram,id=memory,size=128M",
}

// apart are devices that cannot be had in a plain machine by themselves, by patterns of their
// names, and why.
var apart = []struct{ name, why string }{
	{"cxl-*", "it needs a machine with CXL"}, {"pxb-cxl", "it needs a machine with CXL"},
	{"ivshmem-doorbell", "it needs a server beside the emulator"},
	{"pvrdma", "it needs a network card of the host and vmxnet3 beside it"},
	{"pxb", "it goes on a bus of the older machine"},
	{"vfio-*", "it needs a device of the host"}, {"igd-*", "it needs a device of the host"},
	{"vhost-*", "it needs a process or a driver beside the emulator"}, {"vdpa*", "it needs a device of the host"},
	{"virtio-input-host*", "it needs an input device of the host"},
	{"virtio-gpu-gl*", "it needs a display with OpenGL"}, {"virtio-vga-gl*", "it needs a display with OpenGL"},
	{"virtio-gpu-rutabaga*", "it needs a display with OpenGL"}, {"virtio-vga-rutabaga*", "it needs a display with OpenGL"},
	{"x-pci-proxy*", "it needs a process beside the emulator"}, {"x-vfio*", "it needs a process beside the emulator"},
	{"xen-*", "it needs Xen underneath"},
}

var pciDevice = regexp.MustCompile(`(?m)^name "([^"]+)", bus PCI`)

var _ = check.Register("IQ-DEV", check.Spec{
	Asserts:  "Every PCI device that the emulator lists is made in a machine, and has the type of its name",
	Requires: []matrix.Requirement{matrix.KVMStack},
	Depends:  check.On(matrix.QEMU),
	Control:  sabotage.Wrap(layout.Emulator, "a network card that is not made", `case "$*" in *"-device e1000,"*) echo "no such device" >&2; exit 1;; esac; exec $REAL "$@"`),
}, func(t *steps.T) {
	listed := pciDevice.FindAllStringSubmatch(t.Sh(t.Emulator()+" -device help 2>/dev/null"), -1)
	var names, lines []string
	for _, m := range listed {
		why := unmakeable(m[1])
		if strings.HasPrefix(m[1], "virtio-iommu") && !t.AtLeast(matrix.QEMU, "7.0") {
			why = "a PC has no table for it before 7.0"
		}
		if why != "" {
			t.Note("%s was not made: %s", m[1], why)
			continue
		}
		names = append(names, m[1])
		lines = append(lines, deviceLine(m[1]))
	}
	t.Expect(names).To(ContainElements("virtio-net-pci", "virtio-blk-pci", "virtio-scsi-pci", "e1000", "e1000e", "qemu-xhci", "VGA", "pcie-root-port"), "PCI devices of the emulator")
	t.Note("devices: %d listed, %d made", len(listed), len(names))
	t.Expect(startEach(t, "devices", "", lines)).To(BeEmpty(), "the devices that were not made")
})

func unmakeable(device string) string {
	for _, a := range apart {
		if ok, _ := path.Match(a.name, device); ok {
			return a.why
		}
	}
	return ""
}

// deviceLine is the line of startEach for a device. The three forms of a virtio device are
// given the same.
func deviceLine(device string) string {
	form := strings.TrimSuffix(strings.TrimSuffix(device, "-non-transitional"), "-transitional")
	return device + " /machine/peripheral/it -machine q35 -m 128,slots=2,maxmem=1G -audiodev none,id=mute -device ipmi-bmc-sim,id=bmc -device " + device + ",id=it" + given[form]
}
