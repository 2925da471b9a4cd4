package contracts

import (
	pure "github.com/digitalocean/go-libvirt"
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

func init() {
	contract("ansible contract: ", "C-ANSIBLE-FORCE", "A guest with a managed save is undefined with all the flags that the module virt sends when it is to use force",
		sabotage.Swallow("virDomainUndefineFlags"), forces, nil)
	contract("go-libvirt contract: ", "C-PURE-UPDATE", "A client by RPC alone, with the one order of a network update's arguments that its calls have, adds a host to a network's DHCP",
		sabotage.Filter("virsh", "a virsh that shows no such host", "s/"+cardMAC+"//"), updates, nil)
}

// force is what community.libvirt sends from 1.3 on: managed save, metadata of snapshots and
// checkpoints, NVRAM and the TPM's state, which libvirt has a flag for since 8.9.
const force = libvirt.DOMAIN_UNDEFINE_MANAGED_SAVE | libvirt.DOMAIN_UNDEFINE_SNAPSHOTS_METADATA | libvirt.DOMAIN_UNDEFINE_NVRAM |
	libvirt.DOMAIN_UNDEFINE_CHECKPOINTS_METADATA | libvirt.DOMAIN_UNDEFINE_TPM

func forces(t *steps.T) {
	d := t.Define()
	d.StartPaused()
	d.ManagedSave()
	t.Do("undefine a guest with force", func() error { return d.Raw.UndefineFlags(force) })
	conn := t.Connection().Raw
	t.Refuses("look up a guest that was undefined", libvirt.ERR_NO_DOMAIN, func() error { _, err := conn.LookupDomainByName(d.Name); return err })
}

// The numbers of virNetworkUpdateCommand, virNetworkUpdateSection and
// virNetworkUpdateFlags (libvirt-network.h).
const addLast, ipDHCPHost, inConfig = 3, 4, 2

func updates(t *steps.T) {
	t.DefineNetwork("<network><name>vmpure</name><ip address='192.168.185.1' netmask='255.255.255.0'><dhcp><range start='192.168.185.2' end='192.168.185.99'/></dhcp></ip></network>")
	c := t.PureClient()
	var n pure.Network
	c.Do("look up network", func() (err error) { n, err = c.Raw.NetworkLookupByName("vmpure"); return err })
	c.Do("add DHCP host", func() error {
		return c.Raw.NetworkUpdate(n, addLast, ipDHCPHost, -1, "<host mac='"+cardMAC+"' ip='192.168.185.10'/>", inConfig)
	})
	t.Expect(t.VirshSays("net-dumpxml --inactive vmpure")).To(ContainSubstring(cardMAC), "the host that was added")
}
