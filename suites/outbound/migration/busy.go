package migration

import (
	"time"

	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// dirtyMiB is how much of its memory the guest keeps changing.
const dirtyMiB = 16

// A monitor asks each guest of a host, one after another: one that does not answer makes
// it blind for all.
var _ = check.Register("O-BUSY-MIG", check.Spec{
	Asserts:  "While a guest migrates slowly, calls that only read are answered in time, on the source and on the target",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "4.5.0")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU),
	Hosts:    matrix.Hosts{Count: 2},
	Control:  sabotage.Delay("virDomainGetXMLDesc", 4*steps.AnswerLimit),
}, func(t *steps.T) {
	d, g := t.Started()
	g.Dirty(dirtyMiB)
	mark, there := g.Mark(), t.On(1)
	m := d.BeginMigration(there, live, steps.Slowly)
	m.WaitSent(0)
	d.AnswersUntil(awhile(t, m), d.Questions(false))
	moving := m.There(there)
	moving.AnswersUntil(awhile(t, m), steps.AsTarget(moving.Questions(false)))
	d.SetMaxSpeed(fast)
	t.Do("allow a long downtime", func() error { return d.Raw.MigrateSetMaxDowntime(10_000, 0) })
	m.SucceedsSoon()
	m.Arrived(there).ExpectGoesOn(mark)
	d.ExpectOff(libvirt.DOMAIN_SHUTOFF_MIGRATED)
})

// awhile is over once questions were put for longer than an answer may take.
func awhile(t *steps.T, m *steps.Migrating) (over func() bool) {
	end := time.Now().Add(t.Limit(steps.AnswerLimit) * 5 / 4)
	return func() bool { return m.Over() || time.Now().After(end) }
}
