package migration

import (
	"syscall"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// moments are how much of the guest's memory has gone over, in bytes, when something
// ends in the middle.
var moments = []uint64{0, 300 << 10, 1 << 20, 3 << 20}

var _ = check.Register("O-MIG-CANCEL", check.Spec{
	Asserts:  "A migration that is called off ends as such, the guest runs on here and migrates the next time",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "1.1.0")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU),
	Hosts:    matrix.Hosts{Count: 2},
	Control:  sabotage.Swallow("virDomainAbortJob"),
}, func(t *steps.T) {
	d, g := t.Started()
	mark := g.Mark()
	m := d.BeginMigration(t.On(1), live, steps.Slowly)
	m.WaitSent(0)
	t.Refuses("migrate while another migration runs", libvirt.ERR_OPERATION_INVALID, func() error { return d.TryMigrateTo(t.On(1), live) })
	t.Do("call the job off", d.Raw.AbortJob)
	m.FailsWith(libvirt.ERR_OPERATION_ABORTED)
	g.ExpectStayed(t.On(1), mark)
	t.Refuses("call off the job of a domain without one", libvirt.ERR_OPERATION_INVALID, d.Raw.AbortJob)
	d.MigrateTo(t.On(1), live).Guest().ExpectGoesOn(mark)
})

var _ = check.Register("O-MIG-ABORT", check.Spec{
	Asserts:  "When the emulator of the target is killed in the middle, the guest runs on here and migrates the next time",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "1.1.0")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU),
	Hosts:    matrix.Hosts{Count: 2},
	Control:  sabotage.Guest(l2.ForgetWord),
}, func(t *steps.T) {
	d, g := t.Started()
	mark, there := g.Mark(), t.On(1)
	for _, moment := range moments {
		m := d.BeginMigration(there, live, steps.Slowly)
		m.WaitSent(moment)
		m.There(there).Kill()
		m.FailsWith(libvirt.ERR_OPERATION_FAILED, libvirt.ERR_INTERNAL_ERROR)
		g.ExpectStayed(there, mark)
	}
	d.MigrateTo(there, live).Guest().ExpectGoesOn(mark)
})

var _ = check.Register("O-KILL-MIG", check.Spec{
	Asserts:  "When the emulator of the source is killed in the middle, nothing is left on either host, and the domain starts again",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "1.1.0")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU),
	Hosts:    matrix.Hosts{Count: 2},
	Control:  sabotage.Swallow("virDomainCreateWithFlags"),
}, func(t *steps.T) {
	d, g := t.Started()
	for _, moment := range moments[1:3] {
		m := d.BeginMigration(t.On(1), live, steps.Slowly)
		m.WaitSent(moment)
		d.Kill()
		m.FailsWith(libvirt.ERR_OPERATION_FAILED, libvirt.ERR_INTERNAL_ERROR)
		d.WaitFor(libvirt.DOMAIN_SHUTOFF)
		d.ExpectNotOn(t.On(1))
		d.Start()
		g.WaitReady()
	}
	mark := g.Mark()
	d.MigrateTo(t.On(1), live).Guest().ExpectGoesOn(mark)
})

var _ = check.Register("O-KILL-MIGD", check.Spec{
	Asserts:  "When libvirt's daemon of either side is killed in the middle, the guest runs on here and migrates the next time",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "1.1.0")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU),
	Hosts:    matrix.Hosts{Count: 2},
	Control:  sabotage.Command("a daemon that forgets its guests", "(while :; do rm -f /run/libvirt/qemu/*.xml; sleep 0.1; done) >/dev/null 2>&1 &"),
}, func(t *steps.T) {
	d, g := t.Started()
	mark, there := g.Mark(), t.On(1)
	for _, victim := range []*steps.T{there, t} {
		m := d.BeginMigration(there, live, steps.Slowly)
		m.WaitSent(1 << 20)
		victim.RestartLibvirt(syscall.SIGKILL)
		if err := m.End(); err == nil {
			t.Fail(matrix.LayerManagement, "the migration succeeded, and a daemon of it was killed")
		}
		d = t.Connection().Lookup(d.Name)
		d.Token, g.Domain = g.Token, d
		t.Expect(d.State()).To(Or(Equal(libvirt.DOMAIN_RUNNING), Equal(libvirt.DOMAIN_PAUSED)), "state of the domain")
		g.ExpectStayed(there, mark)
	}
	d.MigrateTo(there, live).Guest().ExpectGoesOn(mark)
})
