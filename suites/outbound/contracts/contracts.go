// Package contracts holds the checks of what programs that manage hosts rely on: their
// calls in their order and with their flags, made by a client of libvirt's own binding.
// They tell whether the contract holds, and never that the program works. Rows says which
// check answers for which row of a contract.
package contracts

import (
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

const (
	mib = 1 << 20
	// one, two and three are what guests write to disks.
	one, two, three = "written first", "written after", "written at last"
	// disk is the name of a guest's virtio disk.
	disk = "vda"
)

// The hosts that checks of the contracts work on, besides the usual one.
var (
	pair   = matrix.Hosts{Count: 2}
	bridge = matrix.Hosts{Network: true}
)

// vdsm registers a check of what vdsm 4.20, which is oVirt 4.2's, relies on.
func vdsm(id, asserts string, control *sabotage.Control, body func(*steps.T), hosts ...matrix.Hosts) {
	contract("vdsm contract: ", id, asserts, control, body, hosts)
}

// nova registers a check of what nova's libvirt driver relies on.
func nova(id, asserts string, control *sabotage.Control, body func(*steps.T), hosts ...matrix.Hosts) {
	contract("nova contract: ", id, asserts, control, body, hosts)
}

func contract(of, id, asserts string, control *sabotage.Control, body func(*steps.T), hosts []matrix.Hosts) {
	spec := check.Spec{
		Asserts:  of + asserts,
		Requires: []matrix.Requirement{matrix.KVMStack, matrix.Contained},
		Depends:  check.On(matrix.QEMU, matrix.Libvirt),
		Control:  control,
	}
	if len(hosts) > 0 {
		spec.Hosts = hosts[0]
	}
	check.Register(id, spec, body)
}

// removes ends a guest as vdsm does: graceful first, and the definition without flags.
func removes(t *steps.T, d *steps.Domain) {
	if d.Active() {
		t.Do("destroy domain gracefully", func() error { return d.Raw.DestroyFlags(libvirt.DOMAIN_DESTROY_GRACEFUL) })
	}
	t.Do("undefine domain without flags", d.Raw.Undefine)
	conn := t.Connection().Raw
	t.Refuses("look up a domain that was undefined", libvirt.ERR_NO_DOMAIN, func() error { _, err := conn.LookupDomainByName(d.Name); return err })
}

// pc is the machine of oVirt 4.2's guests, but for its build.
func pc(t *steps.T) string { return "pc-i440fx-" + t.Version(matrix.QEMU) }

// onPC starts a guest on that machine, whatever the cell's is.
func onPC(t *steps.T, opts ...domain.Option) (*steps.Domain, *steps.Guest) {
	g := t.NewGuest()
	xml := t.Describe(g, opts...)
	xml.OS.Type.Machine = pc(t)
	d := t.DefineXML(g, t.Marshal(xml))
	d.Start()
	return d, d.Guest()
}

// emulatorOwns gives a file of L1 to whom emulators run as, as vdsm has its images.
func emulatorOwns(t *steps.T, path string) {
	who := t.Layout().Accounts
	t.Sh("chown " + who.EmulatorUser + ":" + who.EmulatorGroup + " " + path)
}
