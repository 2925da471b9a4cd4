package migration

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// A monitor asks each guest of a host, one after another: one that does not answer
// makes it blind for all.
var _ = check.Register("O-MIG-BUSY", check.Spec{
	Asserts:  "While a slow migration runs, all that only looks at the domain is answered at once, on the source and on the target",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "4.5.0")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU),
	Hosts:    matrix.Hosts{Count: 2},
	Control:  sabotage.Hang("virDomainGetXMLDesc"),
}, func(t *steps.T) {
	d, g := t.Started()
	mark, there := g.Mark(), t.On(1)
	m := d.BeginMigration(there, live, steps.Slowly)
	m.WaitSent(0)
	looksAt(t, d)
	looksAt(there, m.There(there))
	t.Expect(m.Over()).To(BeFalse(), "the migration is over before all was asked")
	d.SetMaxSpeed(fast)
	m.SucceedsSoon()
	m.Arrived(there).ExpectGoesOn(mark)
})

// looksAt asks everything that changes nothing.
func looksAt(t *steps.T, d *steps.Domain) {
	conn := t.Connection().Raw
	t.Promptly("dump XML of migrating domain", func() error { _, err := d.Raw.GetXMLDesc(0); return err })
	t.Promptly("ask for info of migrating domain", func() error { _, err := d.Raw.GetInfo(); return err })
	t.Promptly("ask for state of migrating domain", func() error { _, _, err := d.Raw.GetState(); return err })
	t.Promptly("ask for job of migrating domain", func() error { _, err := d.Raw.GetJobStats(0); return err })
	t.Promptly("list domains", func() error {
		all, err := conn.ListAllDomains(libvirt.CONNECT_LIST_DOMAINS_ACTIVE)
		for i := range all {
			_ = all[i].Free()
		}
		return err
	})
	t.Promptly("ask for statistics of all domains", func() error {
		all, err := conn.GetAllDomainStats(nil, 0, libvirt.CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT)
		for _, s := range all {
			_ = s.Domain.Free()
		}
		return err
	})
}
