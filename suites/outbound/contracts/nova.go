package contracts

import (
	"fmt"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

func init() {
	nova("C-NOVA-UNDEFINE", "A guest with a managed save is undefined with that and the variables that it may have, and not without",
		sabotage.Swallow("virDomainUndefineFlags"), undefines)
	nova("C-NOVA-SNAP", "A guest without a definition has its disk copied shallowly to an image that was made for it, and is defined again",
		sabotage.Swallow("virDomainBlockJobAbort"), copies)
	nova("C-NOVA-QUIESCE", "A snapshot of a guest's volume freezes the guest's file systems by itself, is not taken where that fails, and thaws them",
		sabotage.Refuse("virDomainFSThaw", libvirt.ERR_AGENT_UNRESPONSIVE, libvirt.FROM_QEMU), quiesces)
	nova("C-NOVA-PLUG", "Cards and disks come to a guest and its definition at once and go by XML of nova's own, and events tell of that",
		sabotage.Alter("virDomainGetXMLDesc", "<model type='virtio'/>", "<model type='vitrio'/>"), novaPlugs)
}

func undefines(t *steps.T) {
	d, g := t.Started()
	t.Do("set metadata of the running guest and of its definition", func() error {
		return d.Raw.SetMetadata(libvirt.DOMAIN_METADATA_ELEMENT, "<flavor name='m1'/>", "instance", novaURI, libvirt.DOMAIN_AFFECT_LIVE|libvirt.DOMAIN_AFFECT_CONFIG)
	})
	t.Expect(d.Dump(libvirt.DOMAIN_XML_INACTIVE)).To(ContainSubstring(novaURI), "the definition")
	g.ExpectGoesOn(g.Mark())
	d.ManagedSave()
	t.Refuses("undefine a guest with a managed save", libvirt.ERR_OPERATION_INVALID, d.Raw.Undefine)
	t.Do("undefine a guest with all that is kept of it", func() error {
		return d.Raw.UndefineFlags(libvirt.DOMAIN_UNDEFINE_MANAGED_SAVE | libvirt.DOMAIN_UNDEFINE_NVRAM)
	})
	conn := t.Connection().Raw
	t.Refuses("look up a guest that was undefined", libvirt.ERR_NO_DOMAIN, func() error { _, err := conn.LookupDomainByName(d.Name); return err })
	t.Expect(t.Sh("ls /var/lib/libvirt/qemu/save")).NotTo(ContainSubstring(d.Name), "saved images once the guest is undefined")
}

const novaURI = "http://openstack.org/xmlns/libvirt/nova/1.1"

func copies(t *steps.T) {
	d, g, _, base := chained(t)
	g.WriteAt(disk, mib, two)
	xml, mark := d.Dump(libvirt.DOMAIN_XML_INACTIVE|libvirt.DOMAIN_XML_SECURE), g.Mark()
	delta := t.Scratch("delta")
	t.Sh(fmt.Sprintf("%s create -q -f qcow2 -b %s -F qcow2 %s", t.QEMUImg(), base, delta))
	emulatorOwns(t, delta)
	t.Do("undefine the running guest", d.Raw.Undefine)
	t.Expect(d.Persistent()).To(BeFalse(), "the guest has a definition")
	t.Do("copy the disk", func() error {
		return d.Raw.BlockRebase(disk, delta, 0, libvirt.DOMAIN_BLOCK_REBASE_COPY|libvirt.DOMAIN_BLOCK_REBASE_REUSE_EXT|libvirt.DOMAIN_BLOCK_REBASE_SHALLOW)
	})
	d.WaitBlockJobReady(disk)
	t.Do("end the copy", func() error { return d.Raw.BlockJobAbort(disk, 0) })
	t.Connection().Define(xml)
	t.Expect(d.Persistent()).To(BeTrue(), "the guest has a definition again")
	g.WriteAt(disk, mib, three)
	g.ExpectGoesOn(mark)
	t.Expect([]string{t.TextAt(delta, 0, len(one)), t.TextAt(delta, mib, len(two))}).To(Equal([]string{one, two}), "what the copy holds")
}

func quiesces(t *steps.T) {
	base := t.QCOW2("base", one)
	d, g := t.Started(domain.WithAgent, domain.WithDisk(base, "qcow2", domain.At(disk, "virtio")))
	top := made(t, t.Scratch("top"), base)
	d.WaitAgent()
	agent := func(command string) string {
		return t.VirshSays("qemu-agent-command " + d.Name + " '" + command + "'")
	}
	silence := func(command string) {
		agent(`{"execute":"` + l2.AgentSilence + `","arguments":{"command":"` + command + `"}}`)
	}
	silence("guest-fsfreeze-freeze")
	t.Do("set the time for the agent's answers", func() error { return d.Raw.AgentSetResponseTimeout(1, 0) })
	const quiesce = libvirt.DOMAIN_SNAPSHOT_CREATE_DISK_ONLY | libvirt.DOMAIN_SNAPSHOT_CREATE_QUIESCE
	t.Expect(t.Try("take a snapshot of a guest that does not freeze", func() error {
		_, err := d.Raw.CreateSnapshotXML(snapshotXML(top, ""), withoutMetadata|quiesce)
		return err
	})).To(HaveOccurred())
	d.WaitDiskChain(disk, base)
	silence("")
	// The agent froze them though it did not say so, and who lost its answer thaws nothing.
	t.Do("thaw the guest's file systems", func() error { return d.Raw.FSThaw(nil, 0) })
	snapshotTo(t, d, top, "", quiesce)
	d.WaitDiskChain(disk, top, base)
	t.Expect(agent(`{"execute":"guest-fsfreeze-status"}`)).To(ContainSubstring("thawed"))
	g.WriteAt(disk, 0, two)
	t.Expect(t.TextAt(base, 0, len(one))).To(Equal(one), "what the base holds")
}

func novaPlugs(t *steps.T) {
	const both = libvirt.DOMAIN_DEVICE_MODIFY_LIVE | libvirt.DOMAIN_DEVICE_MODIFY_CONFIG
	d, g := onPC(t)
	mark, gone, image := g.Mark(), d.WatchRemoved(), t.DiskImage("plugged", mib)
	attach := func(xml string) { t.Do("attach device", func() error { return d.Raw.AttachDeviceFlags(xml, both) }) }
	attach(t.Marshal(domain.NewNIC(domain.NIC{MAC: cardMAC})))
	attach(t.Marshal(domain.NewDisk(image, "raw", domain.At("vdx", "virtio"), domain.Serial(serial))))
	g.WaitNIC(cardMAC)
	g.WaitDisk(serial, steps.PlugLimit)
	live := d.Live()
	card, plugged := live.Devices.Interfaces[len(live.Devices.Interfaces)-1], live.Devices.Disks[len(live.Devices.Disks)-1]
	t.Expect([]string{card.MAC.Address, card.Model.Type, plugged.Source.File.File}).To(Equal([]string{cardMAC, "virtio", image}), "what nova tells a device by")
	// Of what came back nova keeps what it knows: neither alias nor address.
	own, taken := domain.NewNIC(domain.NIC{MAC: card.MAC.Address, Model: card.Model.Type}), domain.NewDisk(image, "raw", domain.At(plugged.Target.Dev, plugged.Target.Bus), domain.Serial(plugged.Serial))
	for alias, xml := range map[string]string{card.Alias.Name: t.Marshal(own), plugged.Alias.Name: t.Marshal(taken)} {
		t.Do("detach device", func() error { return d.Raw.DetachDeviceFlags(xml, both) })
		gone.Wait(alias, 1)
	}
	t.Expect(d.Dump(0)+d.Dump(libvirt.DOMAIN_XML_INACTIVE)).NotTo(Or(ContainSubstring(cardMAC), ContainSubstring(image)), "the domain without the devices")
	g.ExpectGoesOn(mark)
}
