package network

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// The driver is built with netcf, which configures the host and can take that back, or
// with udev, which only looks (src/interface).
var _ = check.Register("O-IFACE", check.Spec{
	Asserts:  "The host's interfaces are listed as they are, and changes of them can be taken back or are refused as unsupported",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "1.0.0")},
	Depends:  depends,
	Hosts:    hosts,
	Control:  sabotage.ChangeCode("virInterfaceChangeBegin", libvirt.ERR_INTERNAL_ERROR),
}, func(t *steps.T) {
	conn := t.Connection().Raw
	rollback := func() error { return conn.InterfaceChangeRollback(0) }
	if err := t.Try("begin a change of interfaces", func() error { return conn.InterfaceChangeBegin(0) }); err == nil {
		t.Note("interfaces: netcf")
		t.Do("take the change of interfaces back", rollback)
		t.Refuses("take back what was not begun", libvirt.ERR_OPERATION_INVALID, rollback)
		t.VirshSays("iface-list --all")
		return
	} else if steps.Code(err) != libvirt.ERR_NO_SUPPORT {
		t.Fail(t.Layer, "beginning a change of interfaces is refused with error %d: %s", steps.Code(err), steps.Text(err))
	}
	t.Refuses("take back a change of interfaces", libvirt.ERR_NO_SUPPORT, rollback)
	t.Refuses("define an interface", libvirt.ERR_NO_SUPPORT, func() error {
		_, err := conn.InterfaceDefineXML("<interface type='ethernet' name='vmif0'><start mode='none'/></interface>", 0)
		return err
	})
	t.Cleanup(func() { t.Run("ip link delete vmif0") })
	t.Sh("ip link add vmif0 address 02:00:00:00:00:0a type veth peer name vmif1 && ip link set vmif1 up && ip link set vmif0 up")
	i := steps.Get(t, "look up an interface by its address", func() (*libvirt.Interface, error) {
		return conn.LookupInterfaceByMACString("02:00:00:00:00:0a")
	})
	defer func() { _ = i.Free() }()
	t.Expect(steps.Get(t, "ask for the interface's name", i.GetName)).To(Equal("vmif0"))
	t.Expect(steps.Get(t, "ask whether the interface is up", i.IsActive)).To(BeTrue())
	t.Expect(t.VirshSays("iface-dumpxml vmif0")).To(And(ContainSubstring("type='ethernet'"), ContainSubstring("name='vmif0'")))
	t.Expect(t.VirshSays("iface-list")).To(MatchRegexp(`(?m)^\s*vmif0\s+active\s+02:00:00:00:00:0a`))
	t.Sh("ip link set vmif0 down")
	t.Expect(t.VirshSays("iface-list --inactive")).To(ContainSubstring("vmif0"))
	t.Refuses("look up an interface that is not there", libvirt.ERR_NO_INTERFACE, func() error { _, err := conn.LookupInterfaceByName("vmif9"); return err })
})
