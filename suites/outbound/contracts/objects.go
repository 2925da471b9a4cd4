package contracts

import (
	"fmt"
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"
)

func init() {
	vdsm("C-VDSM-NET", "Networks on a bridge and on a device are defined, started with the host and found again, a dummy one is transient, and each is gone by its own code",
		sabotage.ChangeCode("virNetworkLookupByName", libvirt.ERR_INTERNAL_ERROR), networks, bridge)
	vdsm("C-VDSM-NWFILTER", "A filter of shipped filters alone is undefined and defined anew, and stays while a device uses it",
		sabotage.Swallow("virNWFilterUndefine"), filters, bridge)
	vdsm("C-VDSM-NODEDEV", "Devices of the host are listed in one order, of all kinds and of each, and most tell what they are",
		sabotage.Refuse("virNodeDeviceGetXMLDesc", libvirt.ERR_INTERNAL_ERROR, libvirt.FROM_NODEDEV), devices)
	vdsm("C-VDSM-SECRET", "Private and ephemeral secrets of each use are registered with a value, found, and have another use only once they were undefined",
		sabotage.Swallow("virSecretUndefine"), secrets)
}

func networks(t *steps.T) {
	conn := t.Connection().Raw
	t.Refuses("look up a network that is not there", libvirt.ERR_NO_NETWORK, func() error { _, err := conn.LookupNetworkByName("vdsm-ovirtmgmt"); return err })
	t.OwnBridge("vmmgmt0", "192.168.187.1")
	t.Cleanup(func() { t.Run("ip link delete vmpass0") })
	t.Sh("ip link add vmpass0 type veth peer name vmpass1")
	for name, forward := range map[string]string{"vdsm-ovirtmgmt": "<forward mode='bridge'/><bridge name='vmmgmt0'/>", "vdsm-pass": "<forward mode='passthrough'><interface dev='vmpass0'/></forward>"} {
		n := t.DefineNetwork("<network><name>" + name + "</name>" + forward + "</network>")
		n.Start()
		t.Do("have network start with the host", func() error { return n.Raw.SetAutostart(true) })
		is := []bool{steps.Get(t, "ask whether network runs", n.Raw.IsActive), steps.Get(t, "ask whether network persists", n.Raw.IsPersistent)}
		t.Expect(is).To(Equal([]bool{true, true}), "network %s runs and persists", name)
		t.Expect(t.Exists(t.Layout().LibvirtConfig+"/qemu/networks/autostart/"+name+".xml")).To(BeTrue(), "the link by which network %s starts", name)
		t.Expect(n.XML(0)).To(ContainSubstring("<forward "), "XML of network %s", name)
		t.Expect(networkNames(t)).To(ContainElement(name), "all networks")
		n.Destroy()
		n.Undefine()
		t.Refuses("look up a network that is gone", libvirt.ERR_NO_NETWORK, func() error { _, err := conn.LookupNetworkByName(name); return err })
	}
	const dummy = ";vdsmdummy;"
	t.Cleanup(func() { t.Run("ip link delete '" + dummy + "'; virsh net-destroy '" + dummy + "'") })
	t.Sh("ip link add name '" + dummy + "' type bridge")
	n := steps.Get(t, "create transient network", func() (*libvirt.Network, error) {
		return conn.NetworkCreateXML("<network><name>" + dummy + "</name><forward mode='bridge'/><bridge name='" + dummy + "'/></network>")
	})
	t.Expect(steps.Get(t, "ask whether network persists", n.IsPersistent)).To(BeFalse(), "the dummy network has a definition")
	t.Do("destroy network", n.Destroy)
	t.Refuses("look up a network that is gone", libvirt.ERR_NO_NETWORK, func() error { _, err := conn.LookupNetworkByName(dummy); return err })
}

func networkNames(t *steps.T) (names []string) {
	all := steps.Get(t, "list networks", func() ([]libvirt.Network, error) { return t.Connection().Raw.ListAllNetworks(0) })
	for i := range all {
		names = append(names, steps.Get(t, "ask for name", all[i].GetName))
		_ = all[i].Free()
	}
	return names
}

func filters(t *steps.T) {
	const name, rules = "vdsm-no-mac-spoofing", "<filterref filter='no-mac-spoofing'/><filterref filter='no-arp-mac-spoofing'/>"
	conn := t.Connection().Raw
	t.DefineFilter(name, rules)
	old := steps.Get(t, "look up filter", func() (*libvirt.NWFilter, error) { return conn.LookupNWFilterByName(name) })
	t.Do("undefine filter", old.Undefine)
	t.Refuses("look up a filter that is gone", libvirt.ERR_NO_NWFILTER, func() error { _, err := conn.LookupNWFilterByName(name); return err })
	f := steps.Get(t, "define filter", func() (*libvirt.NWFilter, error) {
		return conn.NWFilterDefineXML("<filter name='" + name + "' chain='root'>" + rules + "</filter>")
	})
	t.Tap("vmtap0")
	b := t.Bind("<filterbinding><owner><name>other</name><uuid>" + hostUUID + "</uuid></owner><portdev name='vmtap0'/>" +
		"<mac address='52:54:00:19:00:aa'/><filterref filter='" + name + "'/></filterbinding>")
	t.Expect(t.FilterRules("vmtap0")).NotTo(BeEmpty(), "rules of a device with the filter")
	t.Refuses("undefine a filter in use", libvirt.ERR_OPERATION_INVALID, f.Undefine)
	t.Expect(t.Filters()).To(ContainElement(name), "filters once one in use was to go")
	t.Do("remove binding", b.Delete)
}

// kinds are the capabilities that vdsm lists devices by.
var kinds = map[string]libvirt.ConnectListAllNodeDeviceFlags{
	"system": libvirt.CONNECT_LIST_NODE_DEVICES_CAP_SYSTEM, "pci": libvirt.CONNECT_LIST_NODE_DEVICES_CAP_PCI_DEV, "usb_device": libvirt.CONNECT_LIST_NODE_DEVICES_CAP_USB_DEV,
	"usb": libvirt.CONNECT_LIST_NODE_DEVICES_CAP_USB_INTERFACE, "net": libvirt.CONNECT_LIST_NODE_DEVICES_CAP_NET, "scsi_host": libvirt.CONNECT_LIST_NODE_DEVICES_CAP_SCSI_HOST,
	"scsi_target": libvirt.CONNECT_LIST_NODE_DEVICES_CAP_SCSI_TARGET, "scsi": libvirt.CONNECT_LIST_NODE_DEVICES_CAP_SCSI, "storage": libvirt.CONNECT_LIST_NODE_DEVICES_CAP_STORAGE,
	"fc_host": libvirt.CONNECT_LIST_NODE_DEVICES_CAP_FC_HOST, "vports": libvirt.CONNECT_LIST_NODE_DEVICES_CAP_VPORTS, "scsi_generic": libvirt.CONNECT_LIST_NODE_DEVICES_CAP_SCSI_GENERIC,
}

func devices(t *steps.T) {
	all := deviceNames(t, 0)
	t.Expect(all).NotTo(BeEmpty(), "devices of the host")
	t.Expect(deviceNames(t, 0)).To(Equal(all), "devices of the host, asked for again")
	told := 0
	for kind, flag := range kinds {
		names := deviceNames(t, flag)
		t.Expect(deviceNames(t, flag)).To(Equal(names), "devices of %s, asked for again", kind)
		for _, name := range names {
			dev := steps.Get(t, "look up device "+name, func() (*libvirt.NodeDevice, error) { return t.Connection().Raw.LookupDeviceByName(name) })
			xml, err := dev.GetXMLDesc(0) // one that has vanished may not tell
			if err == nil && (&libvirtxml.NodeDevice{}).Unmarshal(xml) == nil && strings.Contains(xml, "<capability type='"+kind) {
				told++
			}
			_ = dev.Free()
		}
		if kind == "pci" && len(names) > 0 {
			t.Expect(names).To(HaveEach(MatchRegexp(`^pci_[0-9a-f]{4}_[0-9a-f]{2}_[0-9a-f]{2}_[0-7]$`)), "names of PCI devices")
		}
	}
	t.Expect(told).To(BeNumerically(">", 0), "devices that tell what they are")
	t.Note("%d devices, %d of them told what they are", len(all), told)
}

func deviceNames(t *steps.T, flags libvirt.ConnectListAllNodeDeviceFlags) (names []string) {
	list := steps.Get(t, "list devices", func() ([]libvirt.NodeDevice, error) { return t.Connection().Raw.ListAllNodeDevices(flags) })
	for i := range list {
		names = append(names, steps.Get(t, "ask for name", list[i].GetName))
		_ = list[i].Free()
	}
	return names
}

func secrets(t *steps.T) {
	conn := t.Connection().Raw
	uses := []libvirtxml.SecretUsage{{Type: "ceph", Name: "ovirt/1"}, {Type: "volume", Volume: "ovirt/2"}, {Type: "iscsi", Target: "ovirt/3"}}
	for i, use := range uses {
		d := libvirtxml.Secret{UUID: fmt.Sprintf("6f0d4f5e-7f5c-4a3b-9b6e-2f9d1d3c5b%02d", i), Ephemeral: "yes", Private: "yes", Usage: &use}
		t.Refuses("look up a secret that is not there", libvirt.ERR_NO_SECRET, func() error { _, err := conn.LookupSecretByUUIDString(d.UUID); return err })
		s := t.DefineSecret(d)
		s.Set("opens it")
		t.Expect(secretUUIDs(t)).To(ContainElement(d.UUID), "all secrets")
		other := d
		other.Usage = &libvirtxml.SecretUsage{Type: "ceph", Name: "ovirt/other"}
		xml := t.Marshal(&other)
		again := func() error {
			s, err := conn.SecretDefineXML(xml, 0)
			if err == nil {
				_ = s.Free()
			}
			return err
		}
		t.Expect(t.Try("give a secret another use", again)).To(HaveOccurred())
		found := t.Connection().Secret(d.UUID)
		found.Undefine()
		found.ExpectGone()
		t.Do("define a secret anew, for another use", again)
		t.Connection().Secret(d.UUID).Undefine()
	}
}

func secretUUIDs(t *steps.T) (uuids []string) {
	all := steps.Get(t, "list secrets", func() ([]libvirt.Secret, error) { return t.Connection().Raw.ListAllSecrets(0) })
	for i := range all {
		uuids = append(uuids, steps.Get(t, "ask for UUID", all[i].GetUUIDString))
		_ = all[i].Free()
	}
	return uuids
}
