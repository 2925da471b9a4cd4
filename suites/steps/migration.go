package steps

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"libvirt.org/go/libvirt"
)

// These bound a migration of a small guest at scale 1. Between two emulated hosts one
// took 50 s, between containers 3, and one that is slowed down half a minute.
const (
	migrationLimit          = 5 * time.Minute
	containedMigrationLimit = 2 * time.Minute
)

func (t *T) migrationLimit() time.Duration {
	if t.Contained() {
		return containedMigrationLimit
	}
	return migrationLimit
}

// MigrationOption changes how a guest is moved.
type MigrationOption func(*libvirt.DomainMigrateParameters)

// Slowly has a migration take half a minute and more: the guest's memory goes over at
// 1 MiB/s.
func Slowly(p *libvirt.DomainMigrateParameters) { p.BandwidthSet, p.Bandwidth = true, 1 }

// WithDisks has the content of the guest's disks go to the peer as well, which listens
// for them where it can be reached.
func WithDisks(peer *T) MigrationOption {
	uri := peer.Host().Address().Disks
	return func(p *libvirt.DomainMigrateParameters) { p.DisksURISet, p.DisksURI = uri != "", uri }
}

// VirshWithDisks is WithDisks as options of virsh.
func VirshWithDisks(peer *T) string {
	if uri := peer.Host().Address().Disks; uri != "" {
		return "--copy-storage-all --disks-uri " + uri
	}
	return "--copy-storage-all"
}

// Named has the guest have another name on the peer.
func Named(name string) MigrationOption {
	return func(p *libvirt.DomainMigrateParameters) { p.DestNameSet, p.DestName = true, name }
}

// MigratableXML is the XML that who moves a guest may change.
const MigratableXML = libvirt.DOMAIN_XML_MIGRATABLE | libvirt.DOMAIN_XML_SECURE

// WithXML has the guest run on the peer as an XML says, and be defined there, if it persists, as
// another one says; what is empty is as it was.
func WithXML(running, defined string) MigrationOption {
	return func(p *libvirt.DomainMigrateParameters) {
		p.DestXMLSet, p.DestXML = running != "", running
		p.PersistXMLSet, p.PersistXML = defined != "", defined
	}
}

// migration is the call that moves the domain to a peer, and the name that it has there.
// Without MIGRATE_PEER2PEER it is we who talk to both daemons.
func (d *Domain) migration(peer *T, flags libvirt.DomainMigrateFlags, opts []MigrationOption) (call func() error, name string) {
	address := peer.Host().Address()
	p := libvirt.DomainMigrateParameters{URISet: true, URI: address.Migrate}
	if flags&(libvirt.MIGRATE_TUNNELLED|libvirt.MIGRATE_OFFLINE) != 0 {
		p.URISet = false // no guest connects to the peer
	}
	for _, o := range opts {
		o(&p)
	}
	name = d.expectedBy(peer, p.DestName)
	if flags&libvirt.MIGRATE_PEER2PEER != 0 {
		return func() error { return d.Raw.MigrateToURI3(address.Libvirt, &p, flags) }, name
	}
	there := peer.Connection().Raw
	return func() error {
		moved, err := d.Raw.Migrate3(there, &p, flags)
		if err == nil {
			_ = moved.Free()
		}
		return err
	}, name
}

// expectedBy has a peer forget the domain, and the files of its console, when the check is over,
// and returns its name there, which is the same one if none is given.
func (d *Domain) expectedBy(peer *T, name string) string {
	name = cmp.Or(name, d.Name)
	for _, n := range slices.Compact([]string{name, cmp.Or(d.console, d.Name)}) {
		peer.forget(n)
	}
	return name
}

// MigrateTo moves the running guest to another host of the check and returns its
// domain there, which is gone when the check is over.
func (d *Domain) MigrateTo(peer *T, flags libvirt.DomainMigrateFlags, opts ...MigrationOption) *Domain {
	call, name := d.migration(peer, flags, opts)
	d.t.doWithin(d.t.migrationLimit(), "migrate domain", call)
	moved := d.movedTo(peer, name)
	moved.ExpectRunning("after it migrated there")
	return moved
}

// TryMigrateTo asks for a migration that may be refused and returns libvirt's error.
func (d *Domain) TryMigrateTo(peer *T, flags libvirt.DomainMigrateFlags, opts ...MigrationOption) error {
	call, _ := d.migration(peer, flags, opts)
	return d.t.tryWithin(d.t.migrationLimit(), "migrate domain", call)
}

// VirshMigrateTo moves the running guest with the cell's own virsh, which talks to both
// daemons, with further options of its command, and returns its domain there.
func (d *Domain) VirshMigrateTo(peer *T, options ...string) *Domain {
	return d.VirshMigrateAs(peer, d.Name, options...)
}

// VirshMigrateAs is VirshMigrateTo for a guest that is to have another name there.
func (d *Domain) VirshMigrateAs(peer *T, name string, options ...string) *Domain {
	name = d.expectedBy(peer, name)
	if name != d.Name {
		options = append(options, "--dname "+name)
	}
	address := peer.Host().Address()
	d.t.VirshSays("migrate --live " + d.Name + " '" + address.Libvirt + "' --migrateuri " + address.Migrate + " " + strings.Join(options, " "))
	return d.movedTo(peer, name)
}

// MoveOffline moves the definition of the domain, which is off, and returns it there.
func (d *Domain) MoveOffline(peer *T, flags libvirt.DomainMigrateFlags) *Domain {
	call, name := d.migration(peer, flags|libvirt.MIGRATE_OFFLINE|libvirt.MIGRATE_PERSIST_DEST, nil)
	d.t.Do("migrate definition", call)
	return d.movedTo(peer, name)
}

// movedTo is the domain on the host that it moved to, by its name there.
func (d *Domain) movedTo(peer *T, name string) *Domain {
	moved := peer.Connection().Lookup(name)
	moved.Token, moved.XML, moved.console = d.Token, d.XML, cmp.Or(d.console, d.Name)
	return moved
}

// ExpectRunning asserts that the domain runs. when says at what moment.
func (d *Domain) ExpectRunning(when string) {
	d.t.Expect(d.State()).To(gomega.Equal(libvirt.DOMAIN_RUNNING), "state of the domain %s", when)
}

// ExpectStayed asserts that a migration to a peer that failed changed nothing: the
// guest runs on here from its mark, and nothing of it is there.
func (g *Guest) ExpectStayed(peer *T, mark Mark) {
	d := g.Domain
	// Its processors may go on a moment after the call has failed.
	d.WaitFor(libvirt.DOMAIN_RUNNING)
	d.t.Expect(d.Job().Type).To(gomega.Equal(libvirt.DOMAIN_JOB_NONE), "job after a migration that failed")
	g.ExpectGoesOn(mark)
	d.ExpectNotOn(peer)
}

// ExpectNotOn asserts that a host has nothing of the domain, or soon.
func (d *Domain) ExpectNotOn(peer *T) {
	(&Domain{t: peer, Name: d.Name}).WaitGone()
	peer.Until(stateLimit, "no emulator of "+d.Name+" runs on "+peer.Host().Address().Name, func() bool { return !peer.HasProcess(d.Name) })
}

// Job is what libvirt says of the domain's job.
func (d *Domain) Job() *libvirt.DomainJobInfo {
	return Get(d.t, "ask for job of domain", func() (*libvirt.DomainJobInfo, error) { return d.Raw.GetJobStats(0) })
}

// Migrating is a migration under way.
type Migrating struct {
	*Job
	d *Domain
	// name is the domain's on the peer.
	name string
}

// BeginMigration asks for a migration and does not wait for it.
func (d *Domain) BeginMigration(peer *T, flags libvirt.DomainMigrateFlags, opts ...MigrationOption) *Migrating {
	call, name := d.migration(peer, flags, opts)
	return &Migrating{d.t.Begin("migrate domain", call), d, name}
}

// WaitSent waits until bytes of the guest's memory have gone over.
func (m *Migrating) WaitSent(bytes uint64) {
	m.d.t.Until(callLimit, "the guest's memory goes over", func() bool {
		if m.Over() {
			m.d.t.Fail(matrix.LayerManagement, "the migration was to take longer, and has ended: %s", Text(m.err))
		}
		job := m.d.Job()
		return job.Type != libvirt.DOMAIN_JOB_NONE && job.MemProcessed > bytes
	})
}

// soonLimit bounds the rest of a migration that nothing slows down any more, at scale 1.
const soonLimit = time.Minute

// SucceedsSoon waits for the end of a migration that nothing slows down any more.
func (m *Migrating) SucceedsSoon() {
	m.d.t.doWithin(soonLimit, m.op, func() error { <-m.over; return m.err })
}

// End waits until the migration is over and returns libvirt's error as it is.
func (m *Migrating) End() error { return m.Job.End(m.d.t.migrationLimit()) }

// FailsWith waits until the migration has failed with an error of one of the codes.
func (m *Migrating) FailsWith(codes ...libvirt.ErrorNumber) {
	err := m.End()
	if err == nil {
		m.d.t.Fail(matrix.LayerManagement, "the migration succeeded, and must not have")
	}
	if !slices.Contains(codes, Code(err)) {
		m.d.t.Fail(matrix.LayerManagement, "the migration failed with %s: %s", named(Code(err)), Text(err))
	}
}

// AsTarget leaves out of questions what only the source of a migration can answer.
func AsTarget(questions []Question) []Question {
	return slices.DeleteFunc(questions, func(q Question) bool { return q.what == progress })
}

// There is the domain on the peer, once that knows it.
func (m *Migrating) There(peer *T) *Domain {
	conn := peer.Connection()
	peer.Until(callLimit, "the target knows the domain", func() bool { return slices.Contains(conn.Names(), m.name) })
	return m.d.movedTo(peer, m.name)
}

// Arrived is the guest on the peer, after the migration has succeeded.
func (m *Migrating) Arrived(peer *T) *Guest {
	moved := m.d.movedTo(peer, m.name)
	moved.ExpectRunning("after it migrated there")
	return moved.Guest()
}

// SetMaxSpeed bounds the speed of the domain's migrations, in MiB/s.
func (d *Domain) SetMaxSpeed(mib uint64) {
	d.t.Do("set speed of migrations", func() error { return d.Raw.MigrateSetMaxSpeed(mib, 0) })
}

// MaxSpeed is the bound of the speed of the domain's migrations, in MiB/s.
func (d *Domain) MaxSpeed() uint64 {
	return Get(d.t, "ask for speed of migrations", func() (uint64, error) { return d.Raw.MigrateGetMaxSpeed(0) })
}
