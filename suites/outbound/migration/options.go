package migration

import (
	"strconv"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// live is how most guests are moved: the two daemons talk, and the guest runs.
const live = libvirt.MIGRATE_LIVE | libvirt.MIGRATE_PEER2PEER

// shared moves a guest whose disk both hosts see through one kernel, which libvirt cannot know.
const shared = live | libvirt.MIGRATE_UNSAFE

// fast is a speed in MiB/s at which a small guest is over in no time.
const fast = 2000

var _ = check.Register("O-MIG-OPT", check.Spec{
	Asserts:  "A slow migration tells how far it is, takes another downtime and speed while it runs, and ends soon at that speed",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "3.7.0")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU),
	Hosts:    matrix.Hosts{Count: 2},
	Control:  sabotage.Swallow("virDomainMigrateSetMaxSpeed"),
}, func(t *steps.T) {
	d, g := t.Started()
	mark := g.Mark()
	m := d.BeginMigration(t.On(1), live, steps.Slowly)
	m.WaitSent(0)
	first := d.Job()
	t.Expect(first.Type).To(Equal(libvirt.DOMAIN_JOB_UNBOUNDED), "type of the job")
	t.Expect(first.MemTotal/1024).To(BeNumerically(">=", t.GuestMemoryKB()), "memory of the guest in KiB, as its job tells")
	m.WaitSent(first.MemProcessed)
	t.Expect(t.VirshSays("domjobinfo " + d.Name)).To(ContainSubstring("Unbounded"))
	t.Do("set downtime", func() error { return d.Raw.MigrateSetMaxDowntime(1234, 0) })
	t.Expect(steps.Get(t, "ask for downtime", func() (uint64, error) { return d.Raw.MigrateGetMaxDowntime(0) })).To(Equal(uint64(1234)), "downtime in ms")
	d.SetMaxSpeed(fast)
	m.SucceedsSoon()
	m.Arrived(t.On(1)).ExpectGoesOn(mark)
	done := steps.Get(t, "ask for job that is over", func() (*libvirt.DomainJobInfo, error) {
		return d.Raw.GetJobStats(libvirt.DOMAIN_JOB_STATS_COMPLETED)
	})
	t.Expect(done.Type).To(Equal(libvirt.DOMAIN_JOB_COMPLETED), "type of the job that is over")
	t.Expect(done.MemProcessed).To(BeNumerically(">", first.MemProcessed), "bytes of memory that went over in all")
	t.Expect(done.DowntimeSet).To(BeTrue(), "its downtime is told")
})

var _ = check.Register("O-MIG-HOW", check.Spec{
	Asserts:  "A guest migrates compressed, over several connections, with its processors throttled, and paused, and each time goes on there",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "5.2.0")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU),
	Hosts:    matrix.Hosts{Count: 2},
	Control:  sabotage.SetWord("virDomainGetState", 0, uint32(libvirt.DOMAIN_RUNNING)),
}, func(t *steps.T) {
	d, g := t.Started()
	mark, from, to := g.Mark(), t, t.On(1)
	for _, how := range []struct {
		flags  libvirt.DomainMigrateFlags
		option steps.MigrationOption
	}{
		{libvirt.MIGRATE_COMPRESSED, func(p *libvirt.DomainMigrateParameters) { p.CompressionSet, p.Compression = true, "xbzrle" }},
		{libvirt.MIGRATE_PARALLEL, func(p *libvirt.DomainMigrateParameters) { p.ParallelConnectionsSet, p.ParallelConnections = true, 2 }},
		{libvirt.MIGRATE_AUTO_CONVERGE, func(p *libvirt.DomainMigrateParameters) {}},
	} {
		d = d.MigrateTo(to, live|how.flags, how.option)
		d.Guest().ExpectGoesOn(mark)
		from, to = to, from
	}
	m := d.BeginMigration(to, live|libvirt.MIGRATE_PAUSED)
	m.SucceedsSoon()
	moved := m.There(to)
	t.Expect(moved.State()).To(Equal(libvirt.DOMAIN_PAUSED), "state of a guest that was to arrive paused")
	moved.Resume()
	moved.Guest().ExpectGoesOn(mark)
	d.ExpectNotOn(from)
})

var _ = check.Register("O-MIG-SPEED", check.Spec{
	Asserts:  "The maximal speed of migrations is read back as it was written, by the API and by virsh, and a speed beyond all is refused",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "0.9.5")},
	Depends:  check.On(matrix.Libvirt),
	Hosts:    matrix.Hosts{Count: 2},
	Control:  sabotage.Swallow("virDomainMigrateSetMaxSpeed"),
}, func(t *steps.T) {
	d, _ := t.Started()
	for _, mib := range []uint64{1, 100, 4096, fast} {
		d.SetMaxSpeed(mib)
		t.Expect(d.MaxSpeed()).To(Equal(mib), "speed in MiB/s")
		t.Expect(t.VirshSays("migrate-getspeed " + d.Name)).To(Equal(strconv.FormatUint(mib, 10)))
	}
	t.Refuses("set a speed beyond all", libvirt.ERR_OVERFLOW, func() error { return d.Raw.MigrateSetMaxSpeed(1<<60, 0) })
	t.Expect(d.MaxSpeed()).To(Equal(uint64(fast)), "speed in MiB/s after one that was refused")
})
