package contracts

import (
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

func init() {
	vdsm("C-VDSM-XML", "A guest in the shape of oVirt 4.2's, with substitutes, keeps all that was said of it and sees its identity, disks, card and channels",
		sabotage.Alter("virDomainGetXMLDesc", "'ovirt-guest-agent.0'", "'ovirt-guest-agent.9'"), hasShape, bridge)
}

// What the guest of oVirt is told of itself.
const (
	vmID      = "6f0d4f5e-7f5c-4a3b-9b6e-2f9d1d3c5a10"
	imageUUID = "6f0d4f5e-7f5c-4a3b-9b6e-2f9d1d3c5a11"
	// serialSeen is what virtio-blk has room for of a serial number (VIRTIO_BLK_ID_BYTES).
	serialSeen = 20
)

// shape is the domain of oVirt 4.2's engine: %[1]s type, %[2]s name, %[3]s machine, %[4]s
// kernel, %[5]s initrd, %[6]s command line, %[7]s first and %[8]s second disk, %[9]s and
// %[10]s socket and log of the console.
const shape = `<domain type='%[1]s'>
  <name>%[2]s</name>
  <uuid>` + vmID + `</uuid>
  <metadata>
    <ovirt-tune:qos xmlns:ovirt-tune='` + tuneURI + `'/>
    <ovirt-vm:vm xmlns:ovirt-vm='` + vmURI + `'><ovirt-vm:clusterVersion>4.2</ovirt-vm:clusterVersion><ovirt-vm:agentChannelName>ovirt-guest-agent.0</ovirt-vm:agentChannelName></ovirt-vm:vm>
  </metadata>
  <maxMemory slots='16' unit='KiB'>524288</maxMemory>
  <memory unit='KiB'>196608</memory>
  <currentMemory unit='KiB'>196608</currentMemory>
  <vcpu placement='static' current='1'>16</vcpu>
  <iothreads>1</iothreads>
  <sysinfo type='smbios'>
    <system>
      <entry name='manufacturer'>oVirt</entry>
      <entry name='product'>oVirt Node</entry>
      <entry name='version'>7-5.1804</entry>
      <entry name='serial'>` + hostUUID + `</entry>
      <entry name='uuid'>` + vmID + `</entry>
    </system>
  </sysinfo>
  <os>
    <type arch='x86_64' machine='%[3]s'>hvm</type>
    <kernel>%[4]s</kernel><initrd>%[5]s</initrd><cmdline>%[6]s</cmdline>
    <bootmenu enable='yes' timeout='10000'/>
    <bios useserial='yes'/>
    <smbios mode='sysinfo'/>
  </os>
  <features><acpi/></features>
  <cpu mode='custom' match='exact'>
    <model>qemu64</model>
    <topology sockets='16' cores='1' threads='1'/>
    <numa><cell id='0' cpus='0-15' memory='196608' unit='KiB'/></numa>
  </cpu>
  <clock offset='variable' adjustment='0'>
    <timer name='rtc' tickpolicy='catchup'/><timer name='pit' tickpolicy='delay'/><timer name='hpet' present='no'/>
  </clock>
  <on_poweroff>destroy</on_poweroff><on_reboot>restart</on_reboot><on_crash>destroy</on_crash>
  <pm><suspend-to-disk enabled='no'/><suspend-to-mem enabled='no'/></pm>
  <devices>
    <disk type='file' device='cdrom' snapshot='no'>
      <driver name='qemu' type='raw' error_policy='report'/><target dev='hdc' bus='ide'/><readonly/><alias name='ua-` + imageUUID + `'/>
    </disk>
    <disk type='file' device='disk' snapshot='no'>
      <driver name='qemu' type='qcow2' cache='none' error_policy='stop' io='threads' discard='unmap' iothread='1'/><source file='%[7]s'/><target dev='vda' bus='virtio'/><serial>` + imageUUID + `</serial>
    </disk>
    <disk type='file' device='disk' snapshot='no'>
      <driver name='qemu' type='raw' cache='none' error_policy='stop' io='native'/><source file='%[8]s'/><target dev='sda' bus='scsi'/><serial>` + imageUUID + `</serial>
    </disk>
    <controller type='scsi' model='virtio-scsi' index='0'/>
    <controller type='virtio-serial' index='0' ports='16'/>
    <interface type='bridge'>
      <mac address='` + cardMAC + `'/><source bridge='vmshape0'/><mtu size='1400'/><model type='virtio'/><driver queues='2'/><link state='up'/>
      <filterref filter='vdsm-no-mac-spoofing'/>
    </interface>
    <channel type='unix'><source mode='bind' path='/var/lib/libvirt/qemu/channels/` + vmID + `.ovirt-guest-agent.0'/><target type='virtio' name='ovirt-guest-agent.0'/></channel>
    <channel type='unix'><source mode='bind' path='/var/lib/libvirt/qemu/channels/` + vmID + `.org.qemu.guest_agent.0'/><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
    <serial type='unix'><source mode='bind' path='%[9]s'/><log file='%[10]s' append='on'/><target port='0'/></serial>
    <sound model='ich6'/>
    <video><model type='vga' vram='16384' heads='1'/></video>
    <graphics type='vnc' port='-1' autoport='yes' passwd='ticket' passwdValidTo='1970-01-01T00:00:01'/>
    <watchdog model='i6300esb' action='none'/>
    <memballoon model='virtio'/>
    <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
  </devices>
</domain>`

// substitutes are what stands for parts of the shape that are not here.
var substitutes = []string{
	"pc-i440fx of the emulator's version for pc-i440fx-rhel7.3.0", "VNC and VGA for SPICE and QXL", "qemu64 for the cluster's model, which emulated guests cannot be",
	"files for logical volumes", "no hyperv, which needs KVM", "no shares, quotas and partition, which need control groups", "no huge pages",
}

// implied is what libvirt need not say: no snapshot is taken of a drive that is read-only.
const implied = "<domain><devices><disk snapshot='no'/></devices></domain>"

func hasShape(t *steps.T) {
	g, who := t.NewGuest(), t.Layout().Accounts
	t.OwnBridge("vmshape0", "192.168.186.1")
	t.DefineFilter("vdsm-no-mac-spoofing", "<filterref filter='no-mac-spoofing'/><filterref filter='no-arp-mac-spoofing'/>")
	t.Sh("install -d -m 755 -o " + who.EmulatorUser + " -g " + who.EmulatorGroup + " /var/lib/libvirt/qemu/channels")
	first, second := t.QCOW2("first", one), t.DiskImage("second", 4*mib)
	base := t.Describe(g)
	xml := fmt.Sprintf(shape, base.Type, g.Name, pc(t), g.Kernel, g.Initrd, base.OS.Cmdline, first, second, domain.ConsoleSocket(g.Name), domain.ConsoleLog(g.Name))
	t.Note("substitutes: %s", strings.Join(substitutes, "; "))
	d := t.DefineXML(g, xml)
	t.ExpectKept("the definition", implied, xml, d.Dump(libvirt.DOMAIN_XML_INACTIVE|libvirt.DOMAIN_XML_SECURE))
	d.Start()
	// The firmware's console is this one, and what is asked before the guest listens is keys to it.
	guest := d.Booting()
	t.Until(2*time.Minute, "the guest speaks", guest.HasSpoken)
	guest.WaitReady()
	t.Expect(unnamed(d.Dump(0))).To(BeEmpty(), "devices without an alias, or without the address of their bus")
	dmi := guest.Firmware().DMI
	t.Expect([]string{dmi["sys_vendor"], dmi["product_name"], dmi["product_serial"], strings.ToLower(dmi["product_uuid"])}).To(
		Equal([]string{"oVirt", "oVirt Node", hostUUID, vmID}), "what the guest's firmware says of its machine")
	_, cut := guest.Disk(imageUUID[:serialSeen])
	_, whole := guest.Disk(imageUUID)
	t.Expect([]bool{cut, whole}).To(Equal([]bool{true, true}), "serial numbers, 20 characters of virtio's disk and all 36 of SCSI's")
	t.Until(steps.PlugLimit, "the guest's card has its link", func() bool { return guest.NIC(cardMAC).Link })
	d.WaitAgent()
	t.Expect(channelStates(d)).To(Equal(map[string]string{"ovirt-guest-agent.0": "disconnected", "org.qemu.guest_agent.0": "connected"}), "states of the guest's channels")
	guest.ExpectGoesOn(guest.Mark())
	removes(t, d)
}

// channelStates are what the live XML says of the guest's channels.
func channelStates(d *steps.Domain) map[string]string {
	states := map[string]string{}
	for _, c := range d.Live().Devices.Channels {
		states[c.Target.VirtIO.Name] = c.Target.VirtIO.State
	}
	return states
}
