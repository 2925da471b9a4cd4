package contracts

import (
	"fmt"
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

func init() {
	vdsm("C-VDSM-MIG", "A guest migrates with progress in each key, with its metadata and what the hook there made of it, and its downtime is told",
		sabotage.Guest(l2.ForgetWord), migrates, pair)
	vdsm("C-VDSM-HOOK", "The hook that is asked for a restore rewrites the XML that is restored, and what it leaves as it is stays so",
		sabotage.Command("a hook that cannot be executed", "(while :; do chmod 644 /etc/libvirt/hooks/qemu; sleep 0.05; done) >/dev/null 2>&1 &"), rewrites)
	nova("C-NOVA-MIG", "A guest and its unshared disk above a shared base migrate by XML for the run there and for the definition there, and the source forgets it",
		sabotage.Guest(l2.ForgetWord), migratesDisk, pair)
}

// asVdsm are the flags of each of vdsm's migrations for clusters from 4.2 on.
const asVdsm = libvirt.MIGRATE_LIVE | libvirt.MIGRATE_PEER2PEER | libvirt.MIGRATE_ABORT_ON_ERROR | libvirt.MIGRATE_AUTO_CONVERGE | libvirt.MIGRATE_PERSIST_DEST

// rewriting is a hook that gives guests that come another title, as vdsm's gives them
// another bridge, and is silent otherwise.
const rewriting = `case "$2" in migrate|restore) sed 's|<title>before</title>|<title>after</title>|';; esac`

func migrates(t *steps.T) {
	peer := t.On(1)
	peer.InstallHook("qemu", rewriting)
	d, g := t.Started(domain.WithTitle("before"))
	t.Do("set metadata", func() error {
		return d.Raw.SetMetadata(libvirt.DOMAIN_METADATA_ELEMENT, "<vm><agent type=\"bool\">True</agent></vm>", vmPrefix, vmURI, 0)
	})
	mark, completed, there := g.Mark(), d.WatchCompleted(), peer.WatchEvents()
	m := d.BeginMigration(peer, asVdsm, steps.Slowly)
	m.WaitSent(0)
	job := d.Job()
	for key, set := range map[string]bool{"operation": job.OperationSet, "time_elapsed": job.TimeElapsedSet, "data_total": job.DataTotalSet, "data_processed": job.DataProcessedSet,
		"data_remaining": job.DataRemainingSet, "memory_total": job.MemTotalSet, "memory_processed": job.MemProcessedSet, "memory_remaining": job.MemRemainingSet} {
		t.Expect(set).To(BeTrue(), "the job tells its %s", key)
	}
	t.Expect(job.Operation).To(Equal(libvirt.DOMAIN_JOB_OPERATION_MIGRATION_OUT), "operation of the job")
	t.Do("set downtime", func() error { return d.Raw.MigrateSetMaxDowntime(500, 0) })
	d.SetMaxSpeed(2000)
	m.SucceedsSoon()
	moved := m.There(peer)
	there.Through(moved, "the migration", steps.Event{Type: libvirt.DOMAIN_EVENT_RESUMED, Detail: int(libvirt.DOMAIN_EVENT_RESUMED_MIGRATED)})
	m.Arrived(peer).ExpectGoesOn(mark)
	completed.Wait("the migration is over, with its downtime", func(j libvirt.DomainJobInfo) bool { return j.DowntimeNetSet || j.DowntimeSet })
	t.Expect(moved.Dump(0)).To(And(ContainSubstring("<title>after</title>"), ContainSubstring(vmURI)), "what the domain is there")
	t.Expect(moved.Persistent()).To(BeTrue(), "the domain has a definition there")
	d.ExpectOff(libvirt.DOMAIN_SHUTOFF_MIGRATED)
	peer.Connection().Define(moved.Dump(0)) // as vdsm has it where a guest that came has no definition
}

func rewrites(t *steps.T) {
	t.InstallHook("qemu", rewriting)
	image := t.Scratch("image")
	for title, want := range map[string]string{"before": "after", "another": "another"} {
		d := t.Define(domain.WithTitle(title))
		d.StartPaused()
		d.Save(image)
		t.Connection().RestoreWith(image, "", libvirt.DOMAIN_SAVE_PAUSED)
		t.Expect(d.Dump(0)).To(ContainSubstring("<title>"+want+"</title>"), "the domain %q once it was restored", title)
		t.Sh("rm " + image)
	}
}

func migratesDisk(t *steps.T) {
	peer := t.On(1)
	base, image := t.Scratch("base.img"), t.Scratch("above.qcow2")
	for _, h := range []*steps.T{t, peer} {
		h.RemoveAfter(base)
		h.RemoveAfter(image)
		h.Sh("yes base | head -c 4M >" + base + " && qemu-img create -q -f qcow2 -F raw -b " + base + " " + image)
	}
	d, g := t.Started(domain.WithTitle("before"), domain.WithDisk(image, "qcow2", domain.At(disk, "virtio")))
	mark := g.Mark()
	g.WriteAt(disk, 0, one)
	titled := func(flags libvirt.DomainXMLFlags, title string) string {
		return strings.Replace(d.Dump(flags), "<title>before<", "<title>"+title+"<", 1)
	}
	as := steps.WithXML(titled(steps.MigratableXML, "running there"), titled(steps.MigratableXML|libvirt.DOMAIN_XML_INACTIVE, "defined there"))
	only := func(p *libvirt.DomainMigrateParameters) { p.MigrateDisksSet, p.MigrateDisks = true, []string{disk} }
	moved := d.MigrateTo(peer, libvirt.MIGRATE_LIVE|libvirt.MIGRATE_PEER2PEER|libvirt.MIGRATE_UNDEFINE_SOURCE|libvirt.MIGRATE_PERSIST_DEST|libvirt.MIGRATE_NON_SHARED_INC, as, only, steps.WithDisks(peer))
	there := moved.Guest()
	there.ExpectGoesOn(mark)
	t.Expect(there.ReadAt(disk, 0, len(one))).To(Equal(one), "what the guest reads there")
	t.Expect(moved.Dump(0)).To(ContainSubstring("<title>running there</title>"), "the domain that runs there")
	t.Expect(moved.Dump(libvirt.DOMAIN_XML_INACTIVE)).To(ContainSubstring("<title>defined there</title>"), "the definition there")
	t.Expect(steps.Code(t.Try("ask for the job of a guest that is gone", func() error { _, err := d.Raw.GetJobStats(0); return err }))).To(
		BeElementOf(libvirt.ERR_NO_DOMAIN, libvirt.ERR_OPERATION_INVALID), "code by which nova knows that the migration is over")
	d.ExpectNotOn(t)
	t.Expect(peer.VirshSays(fmt.Sprintf(`qemu-monitor-command %s '{"execute":"announce-self","arguments":{"initial":50,"max":550,"rounds":2,"step":100}}'`, d.Name))).To(ContainSubstring(`"return":{}`))
}
