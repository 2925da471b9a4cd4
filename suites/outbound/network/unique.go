package network

import (
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

const otherUUID = "5b1c1a52-5c7e-4b1e-8d8e-7f6b6f1f2a11"

var _ = check.Register("O-NET-UNIQ", check.Spec{
	Asserts:  "A network's name and UUID belong to one network, defined or running, and to the next one when it is gone",
	Requires: since("0.10.2"),
	Depends:  check.On(matrix.Libvirt),
	Hosts:    hosts,
	Control:  sabotage.ChangeCode("virNetworkCreateXML", libvirt.ERR_INTERNAL_ERROR),
}, func(t *steps.T) {
	l := lan(0)
	n := t.DefineNetwork(l.isolated())
	refusesInactive(t, n)
	refusesTaken(t, n, "inactive", libvirt.ERR_OK)
	n.Start()
	t.Refuses("start a network that runs", libvirt.ERR_OPERATION_INVALID, n.Raw.Create)
	refusesTaken(t, n, "running", libvirt.ERR_OPERATION_INVALID)
	t.Expect(n.Ports()).To(BeEmpty())

	old := n.UUID()
	n.Destroy()
	n.Undefine()
	again := t.DefineNetwork(l.isolated())
	t.Expect(again.UUID()).NotTo(Equal(old), "UUID of a new network of the same name")
	t.Expect(t.VirshSays("net-uuid " + l.name())).To(Equal(again.UUID()))
	t.Refuses("look up a network by the UUID of one that is gone", libvirt.ERR_NO_NETWORK, func() error {
		_, err := t.Connection().Raw.LookupNetworkByUUIDString(old)
		return err
	})
})

// refusesTaken asks for networks like one that is there. What has the same name and UUID
// redefines it, and is created where it does not run.
func refusesTaken(t *steps.T, n *steps.Network, state string, same libvirt.ErrorNumber) {
	conn := t.Connection().Raw
	define := func(xml string) (*libvirt.Network, error) { return conn.NetworkDefineXML(xml) }
	create := func(xml string) (*libvirt.Network, error) { return conn.NetworkCreateXML(xml) }
	for _, c := range []struct {
		name, uuid string
		define     libvirt.ErrorNumber
		create     libvirt.ErrorNumber
	}{
		{n.Name, otherUUID, libvirt.ERR_OPERATION_FAILED, libvirt.ERR_OPERATION_FAILED},
		{"vmother", n.UUID(), libvirt.ERR_OPERATION_FAILED, libvirt.ERR_OPERATION_FAILED},
		{n.Name, n.UUID(), libvirt.ERR_OK, same},
		{"vmother", otherUUID, libvirt.ERR_OK, libvirt.ERR_OK},
	} {
		l := lan(0)
		if c.name != n.Name {
			l = lan(1) // a bridge and a subnet of its own
		}
		xml := strings.Replace(l.isolated(), "<name>"+l.name()+"</name>", "<name>"+c.name+"</name><uuid>"+c.uuid+"</uuid>", 1)
		for op, call := range map[string]func(string) (*libvirt.Network, error){"define": define, "create": create} {
			want := map[string]libvirt.ErrorNumber{"define": c.define, "create": c.create}[op]
			err := t.TryNetwork(op+" a network", c.name, func() (*libvirt.Network, error) { return call(xml) })
			t.Expect(steps.Code(err)).To(Equal(want), "%s network %s %s beside the %s %s: %s", op, c.name, c.uuid, state, n.Name, steps.Text(err))
			if c.name == "vmother" && err == nil {
				t.Virsh("-q 'net-destroy vmother; net-undefine vmother' 2>/dev/null")
			}
			if state == "inactive" && steps.Get(t, "ask whether network runs", n.Raw.IsActive) {
				n.Destroy()
			}
		}
	}
}

// refusesInactive: what needs a network that runs is invalid for one that does not.
func refusesInactive(t *steps.T, n *steps.Network) {
	for what, call := range map[string]func() error{
		"destroy": n.Raw.Destroy,
		"update what runs of": func() error {
			return n.Raw.Update(libvirt.NETWORK_UPDATE_COMMAND_DELETE, libvirt.NETWORK_SECTION_IP_DHCP_HOST, -1, "<host mac='"+lan(0).mac()+"'/>", libvirt.NETWORK_UPDATE_AFFECT_LIVE)
		},
	} {
		t.Refuses(what+" a network that is off", libvirt.ERR_OPERATION_INVALID, call)
	}
}
