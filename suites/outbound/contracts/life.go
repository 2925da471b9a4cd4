package contracts

import (
	"encoding/xml"
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// The elements that vdsm keeps with a domain.
const (
	vmURI, vmPrefix     = "http://ovirt.org/vm/1.0", "ovirt-vm"
	tuneURI, tunePrefix = "http://ovirt.org/vm/tune/1.0", "ovirt-tune"
)

func init() {
	vdsm("C-VDSM-LIFE", "A guest is defined twice, started paused with aliases and addresses that hold, resumed, destroyed gracefully and undefined without flags",
		sabotage.Swallow("virDomainUndefine"), lives)
	vdsm("C-VDSM-META", "Metadata of a defined and of a running domain are replaced whole, keep their types and go through save and restore",
		sabotage.Swallow("virDomainSetMetadata"), metadata)
	vdsm("C-VDSM-SAVE", "A guest is saved to a file that was there before, and goes on from its migratable XML, with the backing store and without, and from its definition",
		sabotage.Guest(l2.ForgetWord), saves)
	vdsm("C-VDSM-REVERT", "A saved guest whose disk has one image more goes back to what the chain holds, also by XML that names the chain of before",
		sabotage.Guest(l2.ForgetWord), reverts)
	vdsm("C-VDSM-DOWN", "A guest without an agent refuses to go down by it, runs on, and goes down by the power button with the event of that",
		sabotage.Swallow("virDomainShutdownFlags"), goesDown)
	vdsm("C-VDSM-STUCK", "While an emulator stands still its monitor is told to be occupied, calls that need it fail by the code for that alone, and all goes on when it does",
		sabotage.ChangeCode("virDomainSetMemory", libvirt.ERR_INTERNAL_ERROR), stands)
	vdsm("C-VDSM-REBOOT", "A guest without an agent refuses to reboot by it, runs on, and reboots by the power button with the event of that",
		sabotage.Swallow("virDomainReboot"), reboots)
}

func lives(t *steps.T) {
	conn, g := t.Connection().Raw, t.NewGuest()
	image, alias := t.DiskImage("disk", mib), "ua-6f0d4f5e-7f5c-4a3b-9b6e-2f9d1d3c5a01"
	full := t.Describe(g, domain.WithDisk(image, "raw", domain.Alias(alias)), domain.WithNIC(domain.NIC{}), domain.WithAgent, domain.WithScreen)
	full.UUID = "6f0d4f5e-7f5c-4a3b-9b6e-2f9d1d3c5a00"
	t.Refuses("look up a guest before it is there", libvirt.ERR_NO_DOMAIN, func() error { _, err := conn.LookupDomainByUUIDString(full.UUID); return err })
	d := t.DefineXML(g, fmt.Sprintf(`<domain type='%s'><name>%s</name><uuid>%s</uuid><memory>131072</memory><vcpu>1</vcpu><os><type>hvm</type></os>
  <metadata><v:vm xmlns:v='%s'/></metadata></domain>`, full.Type, g.Name, full.UUID, vmURI))
	t.Connection().Define(t.Marshal(full))
	t.Expect(d.Dump(libvirt.DOMAIN_XML_INACTIVE)).To(ContainSubstring(image), "the definition that took the placeholder's place")
	d.StartPaused()
	t.Expect(d.State()).To(Equal(libvirt.DOMAIN_PAUSED), "state after a start that is to be paused")
	live := d.Dump(0)
	t.Expect(unnamed(live)).To(BeEmpty(), "devices without an alias, or without the address of their bus")
	t.Expect(live).To(ContainSubstring("<alias name='"+alias+"'/>"), "the alias that was given")
	t.Expect(t.Sh("tr '\\0' ' ' </proc/$(cat /var/run/libvirt/qemu/"+g.Name+".pid)/cmdline")).To(ContainSubstring("guest="+g.Name), "the process whose number is in the PID file")
	d.Resume()
	d.Guest().ExpectGoesOn(d.Guest().Mark())
	control := steps.Get(t, "ask for the state of the emulator's monitor", func() (*libvirt.DomainControlInfo, error) { return d.Raw.GetControlInfo(0) })
	t.Expect(control.State).To(Equal(libvirt.DOMAIN_CONTROL_OK), "state of the monitor")
	d.Suspend()
	d.Resume()
	removes(t, d)
	t.Refuses("ask for the monitor's state of a domain that is gone", libvirt.ERR_NO_DOMAIN, func() error { _, err := d.Raw.GetControlInfo(0); return err })
}

// unnamed lists the devices of a running domain that lack an alias, or an address where
// they are on a bus of PCI or of drives. Displays, audio backends and controllers that are not to
// be are no devices of the guest, and vdsm asks for no alias of them.
func unnamed(live string) (list []string) {
	type device struct {
		XMLName xml.Name
		Type    string    `xml:"type,attr"`
		Model   string    `xml:"model,attr"`
		Alias   *struct{} `xml:"alias"`
		Address *struct{} `xml:"address"`
	}
	var d struct {
		Devices struct {
			All []device `xml:",any"`
		} `xml:"devices"`
	}
	if err := xml.Unmarshal([]byte(live), &d); err != nil || len(d.Devices.All) == 0 {
		return []string{fmt.Sprintf("nothing can be read of %d devices: %v", len(d.Devices.All), err)}
	}
	for _, one := range d.Devices.All {
		name := one.XMLName.Local
		if one.Alias == nil && !strings.Contains(" emulator graphics audio ", " "+name+" ") && one.Model != "none" {
			list = append(list, name+" "+one.Type+" has no alias")
		}
		if one.Address == nil && strings.Contains(" disk interface video memballoon rng ", " "+name+" ") {
			list = append(list, name+" has no address")
		}
	}
	return list
}

func metadata(t *steps.T) {
	d, image := t.Define(), t.Scratch("image")
	set := func(prefix, uri, text string) {
		t.Do("set metadata", func() error { return d.Raw.SetMetadata(libvirt.DOMAIN_METADATA_ELEMENT, text, prefix, uri, 0) })
	}
	get := func(uri string) (string, error) { return d.Raw.GetMetadata(libvirt.DOMAIN_METADATA_ELEMENT, uri, 0) }
	says := func(when, uri, want string) {
		t.Expect(steps.Get(t, "ask for metadata "+when, func() (string, error) { return get(uri) })).To(MatchXML(want), "metadata %s", when)
	}
	t.Refuses("ask for metadata that nobody set", libvirt.ERR_NO_DOMAIN_METADATA, func() error { _, err := get(vmURI); return err })
	const was, is = `<vm><clusterVersion>4.2</clusterVersion><exit type="int">0</exit></vm>`, `<vm><balloon type="float">0.5</balloon><agent type="bool">True</agent></vm>`
	set(vmPrefix, vmURI, was)
	set(tunePrefix, tuneURI, `<qos><vcpuLimit>50</vcpuLimit></qos>`)
	d.StartPaused()
	says("once the domain was started", vmURI, was)
	set(vmPrefix, vmURI, is)
	says("that were replaced", vmURI, is)
	t.Expect(d.Dump(0)).NotTo(ContainSubstring("clusterVersion"), "what the whole element replaced")
	d.Save(image)
	t.Connection().RestoreWith(image, "", libvirt.DOMAIN_SAVE_PAUSED)
	d = d.Again()
	says("of a guest that was restored", vmURI, is)
	says("of the other kind", tuneURI, `<qos><vcpuLimit>50</vcpuLimit></qos>`)
}

// chained is a guest whose disk had a snapshot: an image above its base.
func chained(t *steps.T) (d *steps.Domain, g *steps.Guest, top, base string) {
	base = t.QCOW2("base", one)
	d, g = t.Started(domain.WithDisk(base, "qcow2", domain.At(disk, "virtio")))
	top = made(t, t.Scratch("top"), base)
	snapshotTo(t, d, top, "", libvirt.DOMAIN_SNAPSHOT_CREATE_DISK_ONLY)
	return d, g, top, base
}

func saves(t *steps.T) {
	d, g, top, base := chained(t)
	mark, image, conn := g.Mark(), t.Scratch("image"), t.Connection()
	bare, xml := migratable(t, d, top)
	t.Sh("install -m 600 /dev/null " + image)
	emulatorOwns(t, image)
	came := t.WatchEvents()
	t.Do("save domain", func() error { return d.Raw.Save(image) })
	came.Through(d, "saving", steps.Event{Type: libvirt.DOMAIN_EVENT_STOPPED, Detail: int(libvirt.DOMAIN_EVENT_STOPPED_SAVED)})
	for _, with := range []string{bare, xml} {
		conn.RestoreWith(image, with, libvirt.DOMAIN_SAVE_PAUSED)
		t.Expect(d.State()).To(Equal(libvirt.DOMAIN_PAUSED), "state after a restore that is to be paused")
		d.WaitDiskChain(disk, top, base)
		d.Resume()
		g.WaitReady()
		g.ExpectGoesOn(mark)
		d.Destroy()
	}
	conn.Define(bare)
	t.Do("restore domain that is defined", func() error { return conn.Raw.DomainRestore(image) })
	g.WaitReady()
	g.ExpectGoesOn(mark)
	t.Do("save domain", func() error { return d.Raw.Save(image) })
	removes(t, d)
}

// migratable is the XML that vdsm keeps of a running guest with one disk, without the
// disk's backing store and with it. A libvirt that leaves it out of migratable XML has it
// from its own live XML.
func migratable(t *steps.T, d *steps.Domain, top string) (bare, whole string) {
	whole = d.Dump(libvirt.DOMAIN_XML_MIGRATABLE)
	before, _, after := backing(whole)
	bare = before + after
	t.Note("migratable XML names the backing store: %t", bare != whole)
	if bare != whole {
		return bare, whole
	}
	_, store, _ := backing(d.Dump(0))
	at := strings.Index(bare, top)
	at += strings.Index(bare[at:], "<target ")
	return bare, bare[:at] + store + bare[at:]
}

// backing parts a domain's XML at the backing store of its one disk, which ends in an empty
// one.
func backing(xml string) (before, store, after string) {
	const end = "</backingStore>"
	from, to := strings.Index(xml, "<backingStore"), strings.LastIndex(xml, end)
	if from < 0 || to < from {
		return xml, "", ""
	}
	return xml[:from], xml[from : to+len(end)], xml[to+len(end):]
}

// vdsm keeps the XML of a snapshot's moment, and goes back with the disk's image in it
// replaced by a new one above.
func reverts(t *steps.T) {
	d, g, top, _ := chained(t)
	g.WriteAt(disk, 0, two)
	mark, image, over := g.Mark(), t.Scratch("image"), t.Overlay("over", top)
	bare, xml := migratable(t, d, top)
	d.Save(image)
	goesBack := func(xml string) string {
		t.Connection().RestoreWith(image, strings.Replace(xml, "'"+top+"'", "'"+over+"'", 1), libvirt.DOMAIN_SAVE_PAUSED)
		d.Resume()
		g.WaitReady()
		g.ExpectGoesOn(mark)
		defer d.Destroy()
		return g.ReadAt(disk, 0, len(two))
	}
	t.Expect(goesBack(bare)).To(Equal(two), "what the guest reads after it went back by XML without the backing store")
	t.Expect(goesBack(xml)).To(Equal(two), "what the guest reads after it went back by XML with the backing store of before")
}

func goesDown(t *steps.T) {
	g := t.Guest()
	d, came := g.Domain, t.WatchEvents()
	t.Expect(t.Try("shut down by an agent that is not there", func() error { return d.Raw.ShutdownFlags(libvirt.DOMAIN_SHUTDOWN_GUEST_AGENT) })).To(HaveOccurred())
	g.ExpectGoesOn(g.Mark())
	d.Shutdown(libvirt.DOMAIN_SHUTDOWN_ACPI_POWER_BTN)
	came.Through(d, "the guest's end", steps.Event{Type: libvirt.DOMAIN_EVENT_STOPPED, Detail: int(libvirt.DOMAIN_EVENT_STOPPED_SHUTDOWN)})
	d.ExpectOff(libvirt.DOMAIN_SHUTOFF_SHUTDOWN)
}

// stuckLimit bounds, at scale 1, how long a call may take to see that another one has the
// monitor: libvirt waits half a minute (QEMU_JOB_WAIT_TIME).
const stuckLimit = time.Minute

func stands(t *steps.T) {
	g := t.Guest()
	d, mark, pid := g.Domain, g.Mark(), "$(cat /run/libvirt/qemu/"+g.Name+".pid)"
	t.Cleanup(func() { t.Run("kill -CONT " + pid) })
	t.Sh("kill -STOP " + pid)
	held := t.Begin("ask an emulator that stands still", func() error { _, err := d.Raw.GetBlockInfo(t.Settings().DiskName, 0); return err })
	t.Until(stuckLimit, "the monitor is told to be occupied", func() bool {
		control := steps.Get(t, "ask for the monitor's state", func() (*libvirt.DomainControlInfo, error) { return d.Raw.GetControlInfo(0) })
		return control.State == libvirt.DOMAIN_CONTROL_OCCUPIED
	})
	t.Refuses("set memory of a guest whose monitor is occupied", libvirt.ERR_OPERATION_TIMEOUT, func() error { return d.Raw.SetMemory(uint64(t.GuestMemoryKB())) })
	t.Expect(held.Over()).To(BeFalse(), "the call that has the monitor is over")
	t.Sh("kill -CONT " + pid)
	t.Expect(held.Try(stuckLimit)).To(Succeed(), "the call that had the monitor")
	g.ExpectGoesOn(mark)
}

func reboots(t *steps.T) {
	d, g := onPC(t)
	before, told := g.Tick(), d.WatchReboots()
	t.Expect(t.Try("reboot by an agent that is not there", func() error { return d.Raw.Reboot(libvirt.DOMAIN_REBOOT_GUEST_AGENT) })).To(HaveOccurred())
	g.ExpectGoesOn(g.Mark())
	d.Reboot(libvirt.DOMAIN_REBOOT_ACPI_POWER_BTN)
	told.Wait("the guest reboots", func(string) bool { return true })
	g.WaitReady()
	t.Expect(g.Tick().BootID).NotTo(Equal(before.BootID), "boot of the guest after its reboot")
}
