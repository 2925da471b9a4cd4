package features

import (
	"fmt"
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/internal/layout"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// reads asserts what files of the guest hold, without the spaces around it.
func reads(t *steps.T, g *steps.Guest, files map[string]string) {
	for file, want := range files {
		t.Expect(strings.TrimSpace(g.LoadFile(file))).To(Equal(want), "what the guest reads in %s", file)
	}
}

// A file system that was made on one size of blocks is not mounted on another.
var _ = check.Register("O-KEEP-BLOCKS", check.Spec{
	Asserts:  "A guest keeps the block sizes, the rotation rate, the name in the world and the maker of its disks, and sees them",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "7.2.0")},
	Depends:  check.On(matrix.Linux, matrix.QEMU, matrix.Libvirt, "machine"),
	Control:  sabotage.Wrap(layout.Emulator, "an emulator with blocks of 512 bytes", `set -- "${@//\"logical_block_size\":4096/\"logical_block_size\":512}"; exec $REAL "${@//logical_block_size=4096/logical_block_size=512}"`),
}, func(t *steps.T) {
	one, two := t.DiskImage("one", 0), t.DiskImage("two", 0)
	keeps(t, feature{
		devices: fmt.Sprintf(`<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='%s'/><blockio logical_block_size='4096' physical_block_size='4096'/><target dev='vdb' bus='virtio'/><serial>blocks</serial></disk>
<controller type='scsi' model='virtio-scsi'/>
<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='%s'/><target dev='sdb' bus='scsi' rotation_rate='7200'/><wwn>5000c50015ea71aa</wwn><vendor>MAKER</vendor><product>OF DISKS</product><serial>maker</serial></disk>`, one, two),
		seen: func(t *steps.T, _ *steps.Domain, g *steps.Guest) {
			at := func(serial string) string {
				disk, ok := g.Disk(serial)
				t.Expect(ok).To(BeTrue(), "the guest sees disk %s", serial)
				return "/sys/block/" + disk.Name
			}
			blocks, maker := at("blocks"), at("maker")
			reads(t, g, map[string]string{
				blocks + "/queue/logical_block_size": "4096", blocks + "/queue/physical_block_size": "4096",
				maker + "/queue/rotational": "1", maker + "/device/wwid": "naa.5000c50015ea71aa",
				maker + "/device/vendor": "MAKER", maker + "/device/model": "OF DISKS",
			})
		},
	})
})

var _ = check.Register("O-KEEP-TIMERS", check.Spec{
	Asserts:  "A guest keeps which timers it has and which not, and its kernel finds those",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "1.0.0")},
	Depends:  check.On(matrix.Linux, matrix.QEMU, matrix.Libvirt, "machine", "accel"),
	Control:  sabotage.Wrap(layout.Emulator, "an emulator with another timer", `set -- "${@/-no-hpet/-nodefaults}"; exec $REAL "${@/hpet=off/hpet=on}"`),
}, func(t *steps.T) {
	for _, present := range []bool{true, false} {
		word := map[bool]string{true: "yes", false: "no"}[present]
		keeps(t, feature{
			top: `<clock offset='utc'><timer name='rtc' tickpolicy='catchup'/><timer name='pit' tickpolicy='delay'/><timer name='hpet' present='` + word + `'/></clock>`,
			seen: func(t *steps.T, _ *steps.Domain, g *steps.Guest) {
				t.Expect(strings.Contains(g.LoadFile("/proc/iomem"), "HPET")).To(Equal(present), "the guest's kernel knows an HPET, of which the XML says %q", word)
			},
		})
	}
})

var _ = check.Register("O-KEEP-MTU", check.Spec{
	Asserts:  "A guest keeps the MTU and the queues of its network card, and sees them",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "3.7.0")},
	Depends:  check.On(matrix.Linux, matrix.QEMU, matrix.Libvirt, "machine"),
	Hosts:    matrix.Hosts{Network: true},
	Control:  sabotage.Wrap(layout.Emulator, "an emulator with another MTU", `set -- "${@//host_mtu=1400/host_mtu=1300}"; exec $REAL "${@//\"host_mtu\":1400/\"host_mtu\":1300}"`),
}, func(t *steps.T) {
	const mac = "52:54:00:1a:00:07"
	t.StartNetwork(`<network><name>virtmatrix-mtu</name><bridge name='vmmtu' stp='off'/><mtu size='1400'/><ip address='192.168.189.1' netmask='255.255.255.0'/></network>`)
	keeps(t, feature{
		devices: `<interface type='network'><mac address='` + mac + `'/><source network='virtmatrix-mtu'/><model type='virtio'/><driver rx_queue_size='512'/><mtu size='1400'/></interface>`,
		seen: func(t *steps.T, d *steps.Domain, g *steps.Guest) {
			reads(t, g, map[string]string{"/sys/class/net/" + g.NIC(mac).Name + "/mtu": "1400"})
			tap := d.Live().Devices.Interfaces[0].Target.Dev
			t.Expect(t.Sh("cat /sys/class/net/vmmtu/mtu /sys/class/net/"+tap+"/mtu")).To(Equal("1400\n1400"), "MTU of the host's bridge and of the card's end on the host")
		},
	})
})
