package rpc

import (
	"fmt"

	pure "github.com/digitalocean/go-libvirt"
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// The numbers of virNetworkUpdateCommand, virNetworkUpdateSection and
// virNetworkUpdateFlags (libvirt-network.h).
const (
	addLast    = 3
	ipDHCPHost = 4
	inConfig   = 2
)

const (
	leaseMAC = "52:54:00:01:02:0a"
	titled   = "titled by another client"
)

var _ = check.Register("O-RPC-PURE", check.Spec{
	Asserts:  "A client that is not libvirt's own defines, changes and removes a domain and a network, and virsh sees each change",
	Requires: []matrix.Requirement{matrix.KVMStack},
	Depends:  check.On(matrix.Libvirt),
	Control:  sabotage.Filter("virsh", "a virsh that shows no titles", "s/"+titled+"//"),
}, func(t *steps.T) {
	c := t.PureClient()
	t.Cleanup(func() { t.Run("virsh undefine pure; virsh net-undefine net") })

	var d pure.Domain
	c.Do("define domain", func() (err error) { d, err = c.Raw.DomainDefineXML(domainOf("pure", "00b")); return err })
	c.Do("set title", func() error {
		return c.Raw.DomainSetMetadata(d, 1, pure.OptString{titled}, nil, nil, inConfig) // VIR_DOMAIN_METADATA_TITLE
	})
	t.Expect(t.VirshSays("desc --title pure")).To(Equal(titled), "title that virsh shows")
	c.Do("undefine domain", func() error { return c.Raw.DomainUndefineFlags(d, 0) })
	t.Expect(t.VirshSays("list --all --name")).NotTo(ContainSubstring("pure"))

	var n pure.Network
	c.Do("define network", func() (err error) { n, err = c.Raw.NetworkDefineXML(files["net"]); return err })
	host := fmt.Sprintf("<host mac='%s' ip='192.168.77.10'/>", leaseMAC)
	// Before 7.2 the two came the other way round (remote_driver.c,
	// VIR_DRV_FEATURE_NETWORK_UPDATE_HAS_CORRECT_ORDER).
	command, section := uint32(addLast), uint32(ipDHCPHost)
	if !t.AtLeast(matrix.Libvirt, "7.2") {
		command, section = section, command
	}
	c.Do("add DHCP host", func() error { return c.Raw.NetworkUpdate(n, command, section, -1, host, inConfig) })
	t.Expect(t.VirshSays("net-dumpxml --inactive net")).To(ContainSubstring(leaseMAC), "the host that was added")
	c.Do("undefine network", func() error { return c.Raw.NetworkUndefine(n) })
	t.Expect(t.VirshSays("net-list --all --name")).NotTo(MatchRegexp(`(?m)^net$`))
})
