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
	"libvirt.org/go/libvirtxml"
)

func init() {
	vdsm("C-VDSM-PLUG", "Cards and disks are attached and detached without flags, by the XML that came back, and are gone from the XML in time",
		sabotage.Alter("virDomainGetXMLDesc", cardMAC, "52:54:00:19:05:10"), plugs)
	vdsm("C-VDSM-CHANGE", "A running guest's disc is changed without flags and by force, and its display's password is set with its end, and its link goes down",
		sabotage.Swallow("virDomainUpdateDeviceFlags"), changes)
	vdsm("C-VDSM-TUNE", "Processors, memory and limits of a disk are set on a running guest as it is now, and read back by the six names",
		sabotage.Swallow("virDomainSetBlockIoTune"), tunes)
}

const (
	cardMAC = "52:54:00:19:05:01"
	serial  = "vmserial"
	// goneLimit is how long vdsm looks for a device that is to go, at scale 1.
	goneLimit = 30 * time.Second
)

// element is the first element of a name in XML that has a text in it, as vdsm takes it
// from the domain's to detach it.
func element(xml, name, text string) string {
	for rest := xml; ; {
		from := strings.Index(rest, "<"+name+" ")
		to := strings.Index(rest, "</"+name+">")
		if from < 0 || to < from {
			return ""
		}
		to += len("</" + name + ">")
		if found := rest[from:to]; strings.Contains(found, text) {
			return found
		}
		rest = rest[to:]
	}
}

func plugs(t *steps.T) {
	d, g := onPC(t)
	mark, image := g.Mark(), t.DiskImage("plugged", mib)
	attach := func(xml string) { t.Do("attach device without flags", func() error { return d.Raw.AttachDevice(xml) }) }
	attach(t.Marshal(domain.NewNIC(domain.NIC{MAC: cardMAC})))
	attach(t.Marshal(domain.NewDisk(image, "raw", domain.At("vdx", "virtio"), domain.Serial(serial))))
	g.WaitNIC(cardMAC)
	g.WaitDisk(serial, steps.PlugLimit)
	for name, text := range map[string]string{"interface": cardMAC, "disk": image} {
		own := element(d.Dump(0), name, text)
		t.Expect(own).NotTo(BeEmpty(), "the %s in the XML of the running guest", name)
		t.Do("detach device without flags", func() error { return d.Raw.DetachDevice(own) })
		t.Until(goneLimit, "the "+name+" is gone from the XML", func() bool { return element(d.Dump(0), name, text) == "" })
	}
	g.WaitNoNIC(cardMAC)
	g.WaitNoDisk(serial, steps.PlugLimit)
	g.ExpectGoesOn(mark)
	removes(t, d)
	t.Refuses("attach to a domain that is gone", libvirt.ERR_NO_DOMAIN, func() error {
		return d.Raw.AttachDevice(t.Marshal(domain.NewNIC(domain.NIC{})))
	})
}

// onSocket gives a guest a display with a password, where checks reach it.
func onSocket(d *libvirtxml.Domain) {
	d.Devices.Graphics = []libvirtxml.DomainGraphic{{VNC: &libvirtxml.DomainGraphicVNC{
		Passwd: "before", Listeners: []libvirtxml.DomainGraphicListener{{Socket: &libvirtxml.DomainGraphicListenerSocket{}}},
	}}}
}

func changes(t *steps.T) {
	disc := t.DiskImage("disc", mib)
	t.Sh("printf '" + one + "' | dd of=" + disc + " conv=notrunc status=none")
	d, g := t.Started(domain.WithSCSI, domain.WithDisk("", "raw", domain.At("sdc", "scsi"), domain.CDROM), domain.WithNIC(domain.NIC{MAC: cardMAC}), domain.WithScreen, onSocket)
	mark := g.Mark()
	drive := func(source string) string {
		return fmt.Sprintf("<disk type='file' device='cdrom'>%s<target dev='sdc' bus='scsi'/></disk>", source)
	}
	update := func(what, xml string, flags libvirt.DomainDeviceModifyFlags) {
		t.Do(what, func() error { return d.Raw.UpdateDeviceFlags(xml, flags) })
	}
	update("insert a disc", drive("<source file='"+disc+"'/>"), 0)
	t.Expect(d.Has(disc)).To(BeTrue(), "the disc is in the XML once it was inserted")
	t.Until(steps.PlugLimit, "the guest sees the disc", func() bool { return g.ReadAt("sr0", 0, len(one)) == one })
	update("eject a disc by force", drive(""), libvirt.DOMAIN_DEVICE_MODIFY_FORCE)
	t.Expect(d.Has(disc)).To(BeFalse(), "the disc is in the XML once it was ejected")

	socket := d.Live().Devices.Graphics[0].VNC.Listeners[0].Socket.Socket
	t.Expect(t.VNCTakes(socket, "before")).To(BeTrue(), "the display takes its first password")
	display := element(d.Dump(libvirt.DOMAIN_XML_SECURE), "graphics", "vnc")
	update("set the password of a display", strings.Replace(display, "passwd='before'", "passwd='after' passwdValidTo='2031-01-01T00:00:00' connected='keep'", 1), 0)
	t.Expect(d.Dump(libvirt.DOMAIN_XML_SECURE)).To(And(ContainSubstring("passwd='after'"), ContainSubstring("passwdValidTo='2031-01-01T00:00:00'")), "what only those see who ask for it")
	t.Expect([]bool{t.VNCTakes(socket, "before"), t.VNCTakes(socket, "after")}).To(Equal([]bool{false, true}), "the display takes the password of before, and that of after")
	card := element(d.Dump(0), "interface", cardMAC)
	update("take a card's link down", strings.Replace(card, "</interface>", "<link state='down'/></interface>", 1), libvirt.DOMAIN_DEVICE_MODIFY_LIVE)
	t.Until(steps.PlugLimit, "the guest sees that the link is down", func() bool { return !g.NIC(cardMAC).Link })
	g.ExpectGoesOn(mark)
}

func tunes(t *steps.T) {
	g := t.Guest()
	d := g.Domain
	dev := t.Settings().DiskName
	t.Do("set processors", func() error { return d.Raw.SetVcpusFlags(1, libvirt.DOMAIN_VCPU_CURRENT) })
	t.Do("set memory", func() error { return d.Raw.SetMemory(uint64(t.GuestMemoryKB()) * 3 / 4) })
	t.Until(goneLimit, "the guest has less memory", func() bool { return d.Info().Memory < uint64(t.GuestMemoryKB()) })
	want := libvirt.DomainBlockIoTuneParameters{
		TotalBytesSecSet: true, TotalBytesSec: 0, ReadBytesSecSet: true, ReadBytesSec: 8 * mib, WriteBytesSecSet: true, WriteBytesSec: 4 * mib,
		TotalIopsSecSet: true, TotalIopsSec: 0, ReadIopsSecSet: true, ReadIopsSec: 800, WriteIopsSecSet: true, WriteIopsSec: 400,
	}
	t.Do("limit a disk", func() error { return d.Raw.SetBlockIoTune(dev, &want, libvirt.DOMAIN_AFFECT_LIVE) })
	got := steps.Get(t, "ask for limits of a disk", func() (*libvirt.DomainBlockIoTuneParameters, error) {
		return d.Raw.GetBlockIoTune(dev, libvirt.DOMAIN_AFFECT_LIVE)
	})
	six := func(p *libvirt.DomainBlockIoTuneParameters) []any {
		return []any{p.TotalBytesSecSet, p.TotalBytesSec, p.ReadBytesSecSet, p.ReadBytesSec, p.WriteBytesSecSet, p.WriteBytesSec,
			p.TotalIopsSecSet, p.TotalIopsSec, p.ReadIopsSecSet, p.ReadIopsSec, p.WriteIopsSecSet, p.WriteIopsSec}
	}
	t.Expect(six(got)).To(Equal(six(&want)), "the six limits of the disk")
	g.ExpectGoesOn(g.Mark())
	d.Destroy() // the next check gets a guest with all its memory
}
