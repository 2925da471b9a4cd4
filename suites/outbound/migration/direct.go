package migration

import (
	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

var _ = check.Register("O-MIG-DIR", check.Spec{
	Asserts:  "A client that talks to both daemons moves a running guest there live, by the API, and back, by virsh",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "1.1.0")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU),
	Hosts:    matrix.Hosts{Count: 2},
	Control:  sabotage.Swallow("REMOTE_PROC_DOMAIN_MIGRATE_CONFIRM3_PARAMS"),
}, func(t *steps.T) {
	d, g := t.Started()
	mark := g.Mark()
	moved := d.MigrateTo(t.On(1), libvirt.MIGRATE_LIVE)
	moved.Guest().ExpectGoesOn(mark)
	d.ExpectOff(libvirt.DOMAIN_SHUTOFF_MIGRATED)

	moved.VirshMigrateTo(t).ExpectRunning("after it came back")
	d.Guest().ExpectGoesOn(mark)
	moved.ExpectNotOn(t.On(1))
})

var _ = check.Register("O-MIG-TUN", check.Spec{
	Asserts:  "A running guest migrates through the connection of the two daemons, and goes on there",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "0.7.2")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU),
	Hosts:    matrix.Hosts{Count: 2},
	Control:  sabotage.Guest(l2.ForgetWord),
}, func(t *steps.T) {
	d, g := t.Started()
	mark := g.Mark()
	moved := d.MigrateTo(t.On(1), libvirt.MIGRATE_LIVE|libvirt.MIGRATE_PEER2PEER|libvirt.MIGRATE_TUNNELLED)
	moved.Guest().ExpectGoesOn(mark)
	d.ExpectOff(libvirt.DOMAIN_SHUTOFF_MIGRATED)
})
