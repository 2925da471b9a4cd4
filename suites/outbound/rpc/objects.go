package rpc

import (
	_ "embed"
)

// objectsScript makes and shows the objects on the daemon's host.
//
//go:embed objects.sh
var objectsScript string

// files are the XML documents that the objects and commands are of, by name.
var files = map[string]string{
	"off": domainOf("off", "0ff"), "on": domainOf("on", "00a"),
	"disk": `<disk type='file' device='disk'>
  <driver name='qemu' type='raw'/>
  <source file='/var/lib/libvirt/rpc/more.img'/>
  <target dev='vdc' bus='virtio'/>
  <serial>rpc</serial>
</disk>
`,
	"nic": `<interface type='network'>
  <mac address='52:54:00:01:02:03'/>
  <source network='net'/>
  <model type='virtio'/>
  <link state='down'/>
</interface>
`,
	"net": `<network>
  <name>net</name>
  <uuid>76697274-6d61-4472-8978-00000000beef</uuid>
  <bridge name='rpcbr' stp='off'/>
  <mac address='52:54:00:01:02:ff'/>
  <dns><host ip='192.168.77.6'><hostname>six</hostname></host></dns>
  <ip address='192.168.77.1' netmask='255.255.255.0'>
    <dhcp>
      <range start='192.168.77.100' end='192.168.77.120'/>
      <host mac='52:54:00:01:02:07' ip='192.168.77.7'/>
    </dhcp>
  </ip>
</network>
`,
	"pool": `<pool type='dir'>
  <name>pool</name>
  <uuid>76697274-6d61-4472-8978-00000000f001</uuid>
  <target><path>/var/lib/libvirt/rpc/pool</path></target>
</pool>
`,
	"vol": `<volume>
  <name>made.qcow2</name>
  <capacity unit='MiB'>1</capacity>
  <target><format type='qcow2'/><compat>1.1</compat></target>
</volume>
`,
	"secret": `<secret ephemeral='no' private='no'>
  <uuid>76697274-6d61-4472-8978-00000000cafe</uuid>
  <description>of the client</description>
  <usage type='volume'><volume>/var/lib/libvirt/rpc/pool/secret.img</volume></usage>
</secret>
`,
	"filter": `<filter name='rpc-filter' chain='root'>
  <uuid>76697274-6d61-4472-8978-00000000f117</uuid>
  <rule action='drop' direction='in' priority='500'><tcp dstportstart='22'/></rule>
</filter>
`,
}

// domainOf is a domain whose devices the commands work on. It boots nothing.
func domainOf(name, uuid string) string {
	return `<domain type='qemu'>
  <name>` + name + `</name>
  <uuid>76697274-6d61-4472-8978-000000000` + uuid + `</uuid>
  <memory unit='KiB'>65536</memory>
  <vcpu placement='static' current='1'>2</vcpu>
  <os><type arch='x86_64' machine='pc-q35-5.2'>hvm</type></os>
  <features><acpi/></features>
  <devices>
    <controller type='usb' model='none'/>
    <controller type='pci' model='pcie-root'/>
    <controller type='pci' model='pcie-root-port'/>
    <controller type='pci' model='pcie-root-port'/>
    <controller type='pci' model='pcie-root-port'/>
    <controller type='pci' model='pcie-root-port'/>
    <controller type='pci' model='pcie-root-port'/>
    <controller type='pci' model='pcie-root-port'/>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw'/>
      <source file='/var/lib/libvirt/rpc/disk.img'/>
      <target dev='vda' bus='virtio'/>
      <alias name='ua-own'/>
    </disk>
    <interface type='network'>
      <mac address='52:54:00:01:02:03'/>
      <source network='net'/>
      <model type='virtio'/>
    </interface>
    <serial type='pty'/>
    <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
    <memballoon model='virtio'/>
  </devices>
</domain>
`
}
