// Package migration holds the checks of guests that move between two hosts.
package migration

import (
	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

var _ = check.Register("O-MIG-P2P", check.Spec{
	Asserts:  "A running guest migrates live to another host, goes on there where it was, and is off here",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "1.1.0")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU),
	Hosts:    matrix.Hosts{Count: 2},
	Control:  sabotage.Guest(l2.ForgetWord),
}, func(t *steps.T) {
	d, g := t.Started()
	mark := g.Mark()
	moved := d.MigrateTo(t.On(1), libvirt.MIGRATE_LIVE|libvirt.MIGRATE_PEER2PEER)
	moved.Guest().ExpectGoesOn(mark)
	d.ExpectOff(libvirt.DOMAIN_SHUTOFF_MIGRATED)
})
