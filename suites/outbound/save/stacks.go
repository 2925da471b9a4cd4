package save

import (
	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

var _ = check.Register("O-SAVE-X", check.Spec{
	Asserts:  "A guest that the libvirt before saved goes on here, and the other way round, unless that is refused without harm",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.SharedFolder},
	Hosts:    matrix.Hosts{Count: 2, Earlier: []matrix.Component{matrix.Libvirt}},
	Control:  sabotage.Guest(l2.ForgetWord),
}, carries)

var _ = check.Register("O-SAVE-XQEMU", check.Spec{
	Asserts:  "A guest saved under the qemu before goes on here, and the other way round, unless that is refused without harm",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.SharedFolder},
	Hosts:    matrix.Hosts{Count: 2, Earlier: []matrix.Component{matrix.QEMU}},
	Control:  sabotage.Guest(l2.ForgetWord),
}, carries)

// carries takes a saved guest from the earlier stack to this one, as an upgrade in place
// does, and another one back.
func carries(t *steps.T) {
	before := t.On(1)
	g, file := before.RichGuest(before), before.Shared("guest.save")
	mark := g.Mark()
	g.Domain.Save(file)
	moved := t.RestoreFrom(file, g)
	moved.ExpectGoesOn(mark)
	moved.Domain.Destroy()

	g = t.RichGuest(before)
	mark = g.Mark()
	g.Domain.Save(file)
	err := before.TryRestore(file, g)
	if err == nil {
		before.Restored(g).ExpectGoesOn(mark)
		return
	}
	t.Note("%s refuses what was saved here: %s", before.Cell, steps.Text(err))
	t.RestoreFrom(file, g).ExpectGoesOn(mark)
}
