package storage

import (
	"fmt"
	"time"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"
)

var _ = check.Register("O-POOL-NFS", check.Spec{
	Asserts:  "A pool mounts what a server exports, has the server's files, is unmounted when it stops, and a guest that uses one goes on",
	Requires: onKernel("0.9.8"),
	Depends:  whole,
	Hosts:    steps.StorageHosts(),
	Control:  sabotage.Swallow("virStoragePoolDestroy"),
}, func(t *steps.T) {
	t.Install()
	n := t.ServeNFS("no_root_squash")
	p := n.StartPool()
	mounted := func() bool { return t.Run("grep -q ' " + p.Path + " nfs4 ' /proc/mounts").OK() }
	t.Expect(mounted()).To(BeTrue(), "the running pool is mounted")
	p.Create("used.qcow2", "qcow2", 4*mib, nil)
	d, g, vdb := started(t, disk("vdb", "", "qcow2", domain.OfPool(p.Name, "used.qcow2")))
	g.WriteAt(vdb, mib, word)
	// An emulator with a mount namespace of its own keeps its mount; another one the host's.
	if err := t.Try("stop a pool that a guest has a volume of", p.Raw.Destroy); err == nil {
		t.Expect(mounted()).To(BeFalse(), "the stopped pool is mounted")
		p.Start()
	}
	g.WriteAt(vdb, 0, word)
	t.Expect(g.ReadAt(vdb, mib, len(word))).To(Equal(word), "what the guest reads")
	d.Destroy()
	for _, at := range []int64{0, mib} {
		t.Expect(t.TextAt(n.Folder+"/used.qcow2", at, len(word))).To(Equal(word), "what the server's image has")
	}
	p.Destroy()
	t.Expect(mounted()).To(BeFalse(), "the stopped pool is mounted")
	p.Start()
	t.Expect(p.Volumes()).To(Equal([]string{"used.qcow2"}))
	p.Destroy()
})

// Most servers take root for nobody: libvirt's daemon may do there what the emulator's user may,
// as that user alone.
var _ = check.Register("O-NFS-SQUASH", check.Spec{
	Asserts:  "Where a server takes root for nobody, a guest runs on its emulator's image, is snapshotted, saved and restored there, and no file changes its owner",
	Requires: onKernel("0.9.8"),
	Depends:  whole,
	Hosts:    steps.StorageHosts(),
	Control:  sabotage.Configure("user = \"root\""),
}, func(t *steps.T) {
	t.Install()
	n, who := t.ServeNFS("root_squash"), t.Layout().Accounts
	p := n.StartPool()
	theirs := who.EmulatorUser + ":" + who.EmulatorGroup
	t.Sh(fmt.Sprintf("cd %s && truncate -s 4M disk.img && chown %s . disk.img && chmod 755 . && chmod 600 disk.img", n.Folder, theirs))
	d, g, vdb := started(t, disk("vdb", p.Path+"/disk.img", "raw"))
	mark := g.Mark()
	g.WriteAt(vdb, 0, word)
	d.Save(p.Path + "/state")
	t.Expect(t.Exists(n.Folder+"/state")).To(BeTrue(), "the server has the saved state")
	t.Connection().Restore(p.Path + "/state")
	g.WaitReady()
	g.ExpectGoesOn(mark)
	t.Expect(g.ReadAt(vdb, 0, len(word))).To(Equal(word), "what the restored guest reads")
	top := p.Path + "/top.qcow2"
	snapshot := libvirtxml.DomainSnapshot{Disks: &libvirtxml.DomainSnapshotDisks{Disks: []libvirtxml.DomainSnapshotDisk{{Name: "vdb", Snapshot: "external", Source: &libvirtxml.DomainDiskSource{File: &libvirtxml.DomainDiskSourceFile{File: top}}}}}}
	d.SnapshotFrom("", t.Marshal(&snapshot), libvirt.DOMAIN_SNAPSHOT_CREATE_DISK_ONLY|libvirt.DOMAIN_SNAPSHOT_CREATE_NO_METADATA)
	g.WriteAt(vdb, mib, word)
	t.Expect(t.TextAt(n.Folder+"/top.qcow2", mib, len(word))).To(Equal(word), "what the snapshot's image has at the server")
	d.Destroy()
	t.Expect(t.Sh("cd "+n.Folder+" && stat -c %U:%G * | sort -u")).To(Equal(theirs), "owners of the server's files")
})

// Volumes on such a server are to be the emulator's user's, which their XML says.
func onSquashed(id, asserts string, does func(t *steps.T, p *steps.Pool, atServer func(name string) string)) {
	check.Register(id, check.Spec{
		Asserts:  "Where a server takes root for nobody, " + asserts,
		Requires: onKernel("0.9.8"),
		Depends:  whole,
		Hosts:    steps.StorageHosts(),
		Control:  sabotage.Swallow("virStorageVolDelete"),
	}, func(t *steps.T) {
		t.Install()
		n := t.ServeNFS("root_squash")
		does(t, n.StartPool(), func(name string) string { return n.Folder + "/" + name })
	})
}

func init() {
	onSquashed("O-NFS-VOL", "a volume of the emulator's user is made without room, is that user's, and is deleted", func(t *steps.T, p *steps.Pool, atServer func(string) string) {
		who, v := t.Layout().Accounts, p.CreateAs(ownedVolume(t, "sparse", 0), nil)
		t.Expect(t.Owner(atServer("sparse"))).To(Equal(who.EmulatorUser+":"+who.EmulatorGroup), "owner of the volume at the server")
		v.Delete()
		t.Expect(t.Exists(atServer("sparse"))).To(BeFalse(), "the server has the deleted volume")
	})
	onSquashed("O-NFS-VOL-FULL", "a volume of the emulator's user is made with all its room, and deleted", func(t *steps.T, p *steps.Pool, atServer func(string) string) {
		v := p.CreateAs(ownedVolume(t, "full", mib), nil)
		t.Expect(t.SizeOnDisk(atServer("full"))).To(Equal(mib), "room of the volume at the server")
		v.Delete()
		t.Expect(t.Exists(atServer("full"))).To(BeFalse(), "the server has the deleted volume")
	})
	onSquashed("O-NFS-UPLOAD", "a volume of the emulator's user is filled by an upload, and deleted", func(t *steps.T, p *steps.Pool, atServer func(string) string) {
		v, content := p.CreateAs(ownedVolume(t, "filled", 0), nil), noise(mib)
		v.Upload(content)
		v.ExpectContent(content)
		v.Delete()
		t.Expect(t.Exists(atServer("filled"))).To(BeFalse(), "the server has the deleted volume")
	})
	onSquashed("O-NFS-RESIZE", "a volume of the emulator's user is made larger, and deleted", func(t *steps.T, p *steps.Pool, atServer func(string) string) {
		v := p.CreateAs(ownedVolume(t, "grows", 0), nil)
		v.Resize(2 * mib)
		t.Expect(t.Sh("stat -c %s "+atServer("grows"))).To(Equal(fmt.Sprint(2*mib)), "size of the volume at the server")
		v.Delete()
		t.Expect(t.Exists(atServer("grows"))).To(BeFalse(), "the server has the deleted volume")
	})
}

// ownedVolume is a volume of 1 MiB that is the emulator's user's.
func ownedVolume(t *steps.T, name string, room uint64) *libvirtxml.StorageVolume {
	d, who := steps.DescribeVolume(name, "raw", mib), t.Layout().Accounts
	d.Allocation.Value = room
	d.Target.Permissions = &libvirtxml.StorageVolumeTargetPermissions{Mode: "0600", Owner: t.Sh("id -u " + who.EmulatorUser), Group: t.Sh("getent group " + who.EmulatorGroup + " | cut -d: -f3")}
	return d
}

// Every ext4 has such a folder: lost+found.
var _ = check.Register("O-NFS-FOLDER", check.Spec{
	Asserts:  "A folder that the daemon may not read on a server keeps no pool from its start and its refresh, and the pool has its other volumes",
	Requires: onKernel("0.9.8"),
	Depends:  whole,
	Hosts:    steps.StorageHosts(),
	Control:  sabotage.Swallow("virStoragePoolRefresh"),
}, func(t *steps.T) {
	t.Install()
	n := t.ServeNFS("root_squash")
	p := n.StartPool()
	t.Sh("cd " + n.Folder + " && mkdir -m 700 closed && truncate -s 1M found.img")
	p.Refresh()
	t.Expect(p.Active()).To(BeTrue(), "the pool is active")
	t.Expect(p.Volumes()).To(ContainElement("found.img"))
	p.Destroy()
	p.Start()
	t.Expect(p.Volumes()).To(ContainElement("found.img"))
})

// silence is how long a server says nothing, at scale 1: longer than an answer may take.
const silence = 2 * steps.AnswerLimit

var _ = check.Register("O-NFS-SILENT", check.Spec{
	Asserts:  "While a server of images says nothing, the daemon answers for its guest and for the pools, and the guest goes on once the server is back",
	Requires: onKernel("0.9.8"),
	Depends:  whole,
	Hosts:    steps.StorageHosts(),
	Control:  sabotage.Hang("virConnectListAllStoragePools"),
}, func(t *steps.T) {
	t.Install()
	silent(t, func(d *steps.Domain) []steps.Question { return append(d.PlainQuestions(), pools(t)) })
})

var _ = check.Register("O-NFS-STATS", check.Spec{
	Asserts:  "While a server of images says nothing, who asks for statistics and will not wait has an answer",
	Requires: onKernel("4.5.0"),
	Depends:  whole,
	Hosts:    steps.StorageHosts(),
	Control:  sabotage.Hang("virConnectGetAllDomainStats"),
}, func(t *steps.T) {
	t.Install()
	silent(t, func(d *steps.Domain) []steps.Question { return d.Questions(false) })
})

// silent asks questions while the server says nothing of a guest's image, which the guest writes
// to.
func silent(t *steps.T, questions func(d *steps.Domain) []steps.Question) {
	n := t.ServeNFS("no_root_squash")
	p := n.StartPool()
	p.Create("used.img", "raw", 4*mib, nil)
	d, g, vdb := started(t, disk("vdb", p.Path+"/used.img", "raw"))
	asked := questions(d)
	n.Silence(true)
	wait, began := g.WriteLater(vdb, 0, word), time.Now()
	d.AnswersUntil(func() bool { return time.Since(began) > t.Limit(silence) }, asked)
	n.Silence(false)
	wait()
	t.Expect(g.ReadAt(vdb, 0, len(word))).To(Equal(word), "what the guest reads once its server is back")
}

// pools asks for the list of pools, on a connection of its own.
func pools(t *steps.T) steps.Question {
	conn := t.NewConnection().Raw
	return steps.NewQuestion("list of pools", func() error {
		all, err := conn.ListAllStoragePools(0)
		for i := range all {
			_ = all[i].Free()
		}
		return err
	})
}

var _ = check.Register("O-NFS-REFRESH", check.Spec{
	Asserts:  "While a pool is refreshed whose server says nothing, the daemon lists pools, and the refresh ends well once the server is back",
	Requires: onKernel("0.9.8"),
	Depends:  whole,
	Hosts:    steps.StorageHosts(),
	Control:  sabotage.Hang("virConnectListAllStoragePools"),
}, func(t *steps.T) {
	t.Install()
	n := t.ServeNFS("no_root_squash")
	p := n.StartPool()
	d, _ := t.Started()
	asked := []steps.Question{pools(t)}
	n.Silence(true)
	refresh, began := t.Begin("refresh a pool whose server says nothing", func() error { return p.Raw.Refresh(0) }), time.Now()
	d.AnswersUntil(func() bool { return time.Since(began) > t.Limit(silence) }, asked)
	t.Expect(refresh.Over()).To(BeFalse(), "the refresh is over while the server says nothing")
	n.Silence(false)
	t.Expect(refresh.Try(backLimit)).To(Succeed(), "refresh once the server is back")
})

// backLimit is how long what waited for a server may take once it is back, at scale 1: TCP asks
// again in ever longer times.
const backLimit = 30 * time.Second
