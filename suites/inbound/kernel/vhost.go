package kernel

import (
	"net/netip"
	"regexp"
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/internal/layout"
	"github.com/virtmatrix/virtmatrix/internal/probe"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// Workers are threads of the kernel's before Linux 6.4, and of the emulator since.
var _ = check.Register("IK-VHOST-TASK", check.Spec{
	Asserts:  "A guest's packets are carried by a worker of the kernel's, which is in the control group of its emulator",
	Requires: []matrix.Requirement{matrix.HostKVM},
	Depends:  check.On(matrix.Linux, matrix.QEMU, matrix.Libvirt),
	Hosts:    matrix.Hosts{Network: true},
	Control:  sabotage.Command("no device to ask for workers", "modprobe vhost_net; rm -f /dev/vhost-net"),
}, func(t *steps.T) {
	t.Sh("modprobe vhost_net")
	t.StartNetwork("<network><name>vmvhost</name><bridge name='vmvhost0' stp='off'/>" +
		"<ip address='192.168.189.1' netmask='255.255.255.0'><dhcp><range start='192.168.189.10' end='192.168.189.20'/></dhcp></ip></network>")
	const mac = "52:54:00:18:90:01"
	d, g := t.Started(domain.WithNIC(domain.NIC{Network: "vmvhost", MAC: mac}))
	g.DHCP(g.NIC(mac).Name)
	g.Ping(netip.MustParseAddr("192.168.189.1"))
	pid := t.Sh("pgrep -f '[g]uest=" + d.Name + ",'")
	workers := strings.Fields(t.Sh("ps -eLo tid,comm | awk '$2 == \"vhost-" + pid + "\" {print $1}'"))
	t.Expect(workers).NotTo(BeEmpty(), "threads with the name vhost-%s", pid)
	group := regexp.MustCompile(`qemu(-|\\x2d)\d+(-|\\x2d)[^/\n]*`)
	own := group.FindString(t.Sh("cat /proc/" + pid + "/cgroup"))
	t.Expect(own).NotTo(BeEmpty(), "the emulator's control group")
	for _, w := range workers {
		t.Expect(t.Sh("cat /proc/"+w+"/cgroup")).To(ContainSubstring(own), "the control group of worker %s", w)
	}
	t.Note("%d workers, of process %s", len(workers), t.Sh("awk '/^Tgid/ {print $2}' /proc/"+workers[0]+"/status"))
})

// bound are the drivers of a guest with one device of each kind.
var bound = []string{"virtio_blk", "virtio_net", "virtio_scsi", "virtio_balloon", "virtio_console", "virtio_rng"}

// The kernel is the guest's here. Transitional devices speak the protocol of before
// virtio 1.0 too, and are on conventional PCI.
var _ = check.Register("IK-VIRTIO", check.Spec{
	Asserts:  "A guest of the kernel binds its drivers to virtio devices, modern and transitional, and they work",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "5.2.0")},
	Depends:  check.On(matrix.Linux, matrix.QEMU, matrix.Libvirt),
	Control:  sabotage.Wrap(layout.Emulator, "an emulator with another card", `set -- "${@//virtio-net-pci-non-transitional/e1000e}"; exec $REAL "${@//virtio-net-pci-transitional/e1000}"`),
}, func(t *steps.T) {
	for _, model := range []string{"virtio-non-transitional", "virtio-transitional"} {
		image := t.DiskImage(model, 1<<20)
		d, g := t.Started(domain.WithDisk(image, "raw"), domain.WithSCSI, domain.WithAgent, domain.WithNIC(domain.NIC{Model: model}))
		devices := g.WaitReady().Devices
		for _, driver := range bound {
			t.Expect(devices).To(ContainElement(HaveSuffix("="+driver)), "what the guest's drivers are bound to, with a card of %s", model)
		}
		g.WriteAt(t.Settings().DiskName, 0, model)
		t.Expect(t.ReadFile(image, 0, len(model))).To(Equal(model), "what the guest wrote to its disk")
		t.Note("%s: %s", model, strings.Join(devices, " "))
		d.Destroy()
	}
})

// devices of vhost, and the module of each.
var vhosts = map[string]string{"vhost-net": "vhost_net", "vhost-vsock": "vhost_vsock"}

// A guest keeps what it agreed on with its devices for as long as it lives, on whatever
// kernel it comes to.
var _ = check.Register("IK-VHOST", check.Spec{
	Asserts:  "The devices of vhost offer all features that they had in the kernel before",
	Requires: []matrix.Requirement{matrix.OwnKernel, matrix.KVMStack},
	Hosts:    matrix.Hosts{Count: 2, Earlier: rebased},
	Control:  sabotage.Wrap(steps.ProbeProgram, "a device without features", `$REAL "$@" | sed 's/"features":[0-9]*/"features":0/'`),
}, func(t *steps.T) {
	features := func(on *steps.T, device string) uint64 {
		var v probe.Vhost
		on.Sh("modprobe " + vhosts[device])
		on.Probe(&v, probe.AskVhost, "/dev/"+device)
		on.Expect(v.Error).To(BeEmpty(), "what /dev/%s refused", device)
		return v.Features
	}
	for device := range vhosts {
		before, now := features(t.On(1), device), features(t, device)
		t.Expect(before&^now).To(BeZero(), "bits of features that %s lost: it had %#x and has %#x", device, before, now)
		t.Note("%s: %#x, before %#x", device, now, before)
	}
	t.Sh("modprobe vhost_scsi")
})
