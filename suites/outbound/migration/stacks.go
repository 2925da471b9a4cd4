package migration

import (
	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// Who upgrades a fleet moves guests from hosts of the old stack to those of the new one,
// and back when the new one turns out to be bad. The way there must work. The way back
// may be refused, as long as that costs the guest nothing.

var _ = check.Register("O-MIG-XVER", check.Spec{
	Asserts:  "A guest with many devices goes from the libvirt before to this one, and back, unless that is refused without harm",
	Requires: []matrix.Requirement{matrix.KVMStack},
	Hosts:    matrix.Hosts{Count: 2, Earlier: []matrix.Component{matrix.Libvirt}},
	Control:  sabotage.Guest(l2.ForgetWord),
}, crosses)

var _ = check.Register("O-MIG-XQEMU", check.Spec{
	Asserts:  "A guest with many devices goes from the qemu before to this one, and back, unless that is refused without harm",
	Requires: []matrix.Requirement{matrix.KVMStack},
	Hosts:    matrix.Hosts{Count: 2, Earlier: []matrix.Component{matrix.QEMU}},
	Control:  sabotage.Guest(l2.ForgetWord),
}, crosses)

var _ = check.Register("O-MIG-XREL", check.Spec{
	Asserts:  "A guest with many devices goes from the libvirt and qemu before to these, and back, unless that is refused without harm",
	Requires: []matrix.Requirement{matrix.KVMStack},
	Hosts:    matrix.Hosts{Count: 2, Earlier: []matrix.Component{matrix.Libvirt, matrix.QEMU}},
	Control:  sabotage.Guest(l2.ForgetWord),
}, crosses)

// The host that a guest leaves forgets it, as management has it.
const cross = shared | libvirt.MIGRATE_UNDEFINE_SOURCE

func crosses(t *steps.T) {
	before := t.On(1)
	g := before.RichGuest(before)
	mark := g.Mark()
	here := g.Domain.MigrateTo(t, cross).Guest()
	here.ExpectGoesOn(mark)
	goesOrStays(t, here, before, mark)

	g = t.RichGuest(before)
	goesOrStays(t, g, before, g.Mark())
}

// goesOrStays moves a guest back to the earlier stack, or has it refused in words about
// what does not fit.
func goesOrStays(t *steps.T, g *steps.Guest, before *steps.T, mark steps.Mark) {
	err := g.Domain.TryMigrateTo(before, cross)
	if err == nil {
		moved := before.Connection().Lookup(g.Name)
		moved.Token = g.Token
		moved.Guest().ExpectGoesOn(mark)
		moved.Destroy()
		return
	}
	t.Note("the way back to %s is refused: %s", before.Cell, steps.Text(err))
	g.ExpectStayed(before, mark)
	g.Domain.Destroy()
}
