package steps

import (
	"slices"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/host"
	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"
)

// DefineFilter defines a network filter, or another content of one. It is gone when the
// check is over.
func (t *T) DefineFilter(name, rules string) *libvirt.NWFilter {
	conn := t.Connection().Raw
	f := Get(t, "define network filter", func() (*libvirt.NWFilter, error) {
		return conn.NWFilterDefineXML("<filter name='" + name + "' chain='root'>" + rules + "</filter>")
	})
	t.Cleanup(func() {
		t.Virsh("-q nwfilter-undefine " + host.Quote(name) + " >/dev/null 2>&1")
		t.Refuses("look up the network filter of a check that is over", libvirt.ERR_NO_NWFILTER, func() error {
			_, err := t.Connection().Raw.LookupNWFilterByName(name)
			return err
		})
		_ = f.Free()
	})
	return f
}

// Filters are the names of all network filters.
func (t *T) Filters() []string {
	names := Get(t, "list network filters", t.Connection().Raw.ListNWFilters)
	slices.Sort(names)
	return names
}

// Tap makes a network device of L1 that a filter can be bound to. It is gone when the
// check is over.
func (t *T) Tap(name string) {
	t.Cleanup(func() { t.Run("ip link delete " + name) })
	_ = t.Sh("ip tuntap add " + name + " mode tap && ip link set " + name + " up")
}

// Bind has a filter applied to a device. It is no longer when the check is over.
func (t *T) Bind(xml string) *libvirt.NWFilterBinding {
	conn := t.Connection().Raw
	b := Get(t, "bind network filter", func() (*libvirt.NWFilterBinding, error) { return conn.NWFilterBindingCreateXML(xml, 0) })
	t.Cleanup(func() { _ = t.Try("remove binding of network filter", b.Delete); _ = b.Free() })
	return b
}

// Bindings are the devices that filters are bound to.
func (t *T) Bindings() (devices []string) {
	conn := t.Connection().Raw
	all := Get(t, "list bindings of network filters", func() ([]libvirt.NWFilterBinding, error) { return conn.ListAllNWFilterBindings(0) })
	for i := range all {
		// The language binding's GetPortDev frees what is not its own.
		var def libvirtxml.NWFilterBinding
		t.Parse("the binding's XML", Get(t, "dump binding XML", func() (string, error) { return all[i].GetXMLDesc(0) }), &def)
		devices = append(devices, def.PortDev.Name)
		_ = all[i].Free()
	}
	return devices
}

// FilterRules are the rules of L1's firewall that name a device, and all of the chains
// that do.
func (t *T) FilterRules(device string) []string {
	said := t.Sh(`{ ebtables -t nat -L | awk -v dev=` + device + ` '/^Bridge chain:/ {ours = index($0, dev)} ours || index($0, dev)'; ` +
		`{ iptables -S; ip6tables -S; } | grep -e '-` + device + `\>'; } 2>/dev/null || true`)
	return strings.FieldsFunc(said, func(r rune) bool { return r == '\n' })
}
