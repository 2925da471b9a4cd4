package migration

import (
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// The emulator needs userfaultfd, which Docker keeps from containers.
var _ = check.Register("O-MIG-POST", check.Spec{
	Asserts:  "A migration that would take long ends soon when it is switched to post-copy, both daemons tell of the switch, and the guest goes on there",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.OwnKernel, matrix.Since(matrix.Libvirt, "1.3.3")},
	Hosts:    matrix.Hosts{Count: 2},
	Control:  sabotage.Swallow("virDomainMigrateStartPostCopy"),
}, func(t *steps.T) {
	here, there := t.WatchEvents(), t.On(1).WatchEvents()
	d, g := t.Started()
	mark := g.Mark()
	for _, h := range []*steps.T{t, t.On(1)} {
		// As the distribution's boot does, by a file of a package for systemd.
		h.Run("sysctl -q vm.unprivileged_userfaultfd=1")
	}
	m := d.BeginMigration(t.On(1), libvirt.MIGRATE_LIVE|libvirt.MIGRATE_PEER2PEER|libvirt.MIGRATE_POSTCOPY, steps.Slowly)
	m.WaitSent(0)
	t.Do("switch to post-copy", func() error { return d.Raw.MigrateStartPostCopy(0) })
	here.Through(d, "the switch", steps.Event{Type: libvirt.DOMAIN_EVENT_SUSPENDED, Detail: int(libvirt.DOMAIN_EVENT_SUSPENDED_POSTCOPY)})
	there.Through(d, "the switch", steps.Event{Type: libvirt.DOMAIN_EVENT_RESUMED, Detail: int(libvirt.DOMAIN_EVENT_RESUMED_POSTCOPY)})
	m.SucceedsSoon()
	m.Arrived(t.On(1)).ExpectGoesOn(mark)
	d.ExpectOff(libvirt.DOMAIN_SHUTOFF_MIGRATED)
})
