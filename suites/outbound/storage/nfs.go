package storage

import (
	"fmt"
	"time"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"
)

// served registers a check on a pool of what a server exports, with further options of
// exports(5).
func served(id, options, asserts string, control *sabotage.Control, does func(t *steps.T, n *steps.NFSServer, p *steps.Pool), more ...matrix.Requirement) {
	check.Register(id, check.Spec{
		Asserts:  asserts,
		Requires: append(onKernel("4.5.0"), more...),
		Depends:  whole,
		Hosts:    steps.StorageHosts(),
		Control:  control,
	}, func(t *steps.T) {
		t.Install()
		n := t.ServeNFS(options)
		does(t, n, n.StartPool())
	})
}

// Most servers take root for nobody: libvirt's daemon may do there what the emulator's user may,
// as that user alone.
const (
	squashed = "root_squash"
	rootful  = "no_root_squash"
)

func init() {
	served("O-POOL-NFS", rootful, "A pool mounts what a server exports, has the server's files, is unmounted when it stops, and a guest that uses one goes on",
		sabotage.Swallow("virStoragePoolDestroy"), func(t *steps.T, n *steps.NFSServer, p *steps.Pool) {
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
				t.Expect(t.TextAt(n.Has("used.qcow2"), at, len(word))).To(Equal(word), "what the server's image has")
			}
			p.Destroy()
			t.Expect(mounted()).To(BeFalse(), "the stopped pool is mounted")
			p.Start()
			t.Expect(p.Volumes()).To(Equal([]string{"used.qcow2"}))
			p.Destroy()
		})
	served("O-NFS-SQUASH", squashed, "Where a server takes root for nobody, a guest runs on its emulator's image, is snapshotted, saved and restored there, and no file changes its owner",
		sabotage.Configure("user = \"root\""), func(t *steps.T, n *steps.NFSServer, p *steps.Pool) {
			who := t.Layout().Accounts
			theirs := who.EmulatorUser + ":" + who.EmulatorGroup
			t.Sh(fmt.Sprintf("cd %s && truncate -s 4M disk.img && chown %s . disk.img && chmod 755 . && chmod 600 disk.img", n.Folder, theirs))
			d, g, vdb := started(t, disk("vdb", p.Path+"/disk.img", "raw"))
			mark := g.Mark()
			g.WriteAt(vdb, 0, word)
			d.Save(p.Path + "/state")
			t.Expect(t.Exists(n.Has("state"))).To(BeTrue(), "the server has the saved state")
			t.Connection().Restore(p.Path + "/state")
			g.WaitReady()
			g.ExpectGoesOn(mark)
			t.Expect(g.ReadAt(vdb, 0, len(word))).To(Equal(word), "what the restored guest reads")
			top := p.Path + "/top.qcow2"
			snapshot := libvirtxml.DomainSnapshot{Disks: &libvirtxml.DomainSnapshotDisks{Disks: []libvirtxml.DomainSnapshotDisk{{Name: "vdb", Snapshot: "external", Source: &libvirtxml.DomainDiskSource{File: &libvirtxml.DomainDiskSourceFile{File: top}}}}}}
			d.SnapshotFrom("", t.Marshal(&snapshot), libvirt.DOMAIN_SNAPSHOT_CREATE_DISK_ONLY|libvirt.DOMAIN_SNAPSHOT_CREATE_NO_METADATA)
			g.WriteAt(vdb, mib, word)
			d.Destroy()
			t.Expect(t.Run("grep -qaF '"+word+"' "+n.Has("top.qcow2")).OK()).To(BeTrue(), "the snapshot's image has at the server what the guest wrote")
			t.Expect(t.Sh("cd "+n.Folder+" && stat -c %U:%G * | sort -u")).To(Equal(theirs), "owners of the server's files")
		}, matrix.OwnQEMU)
	served("O-NFS-VOL", squashed, "Where a server takes root for nobody, a volume of the emulator's user is made without room, is that user's, and is deleted",
		sabotage.Swallow("virStorageVolDelete"), func(t *steps.T, n *steps.NFSServer, p *steps.Pool) {
			who, v := t.Layout().Accounts, p.CreateAs(ownedVolume(t, "sparse", 0), nil)
			t.Expect(t.Owner(n.Has("sparse"))).To(Equal(who.EmulatorUser+":"+who.EmulatorGroup), "owner of the volume at the server")
			v.Delete()
			t.Expect(t.Exists(n.Has("sparse"))).To(BeFalse(), "the server has the deleted volume")
		})
	served("O-NFS-VOL-FULL", squashed, "Where a server takes root for nobody, a volume of the emulator's user is made with all its room, and deleted",
		sabotage.Swallow("virStorageVolDelete"), func(t *steps.T, n *steps.NFSServer, p *steps.Pool) {
			v := p.CreateAs(ownedVolume(t, "full", mib), nil)
			t.Expect(t.SizeOnDisk(n.Has("full"))).To(Equal(mib), "room of the volume at the server")
			v.Delete()
			t.Expect(t.Exists(n.Has("full"))).To(BeFalse(), "the server has the deleted volume")
		})
	served("O-NFS-UPLOAD", squashed, "Where a server takes root for nobody, a volume of the emulator's user is filled by an upload, and deleted",
		sabotage.Swallow("virStorageVolDelete"), func(t *steps.T, n *steps.NFSServer, p *steps.Pool) {
			v, content := p.CreateAs(ownedVolume(t, "filled", 0), nil), noise(mib)
			v.Upload(content)
			v.ExpectContent(content)
			v.Delete()
			t.Expect(t.Exists(n.Has("filled"))).To(BeFalse(), "the server has the deleted volume")
		})
	served("O-NFS-RESIZE", squashed, "Where a server takes root for nobody, a volume of the emulator's user is made larger, and deleted",
		sabotage.Swallow("virStorageVolDelete"), func(t *steps.T, n *steps.NFSServer, p *steps.Pool) {
			v := p.CreateAs(ownedVolume(t, "grows", 0), nil)
			v.Resize(2 * mib)
			t.Expect(t.Sh("stat -c %s "+n.Has("grows"))).To(Equal(fmt.Sprint(2*mib)), "size of the volume at the server")
			v.Delete()
			t.Expect(t.Exists(n.Has("grows"))).To(BeFalse(), "the server has the deleted volume")
		})
	// Every ext4 has such a folder: lost+found.
	served("O-NFS-FOLDER", squashed, "A folder that the daemon may not read on a server keeps no pool from its start and its refresh, and the pool has its other volumes",
		sabotage.Swallow("virStoragePoolRefresh"), func(t *steps.T, n *steps.NFSServer, p *steps.Pool) {
			t.Sh("cd " + n.Folder + " && mkdir -m 700 closed && truncate -s 1M found.img")
			p.Refresh()
			t.Expect(p.Active()).To(BeTrue(), "the pool is active")
			t.Expect(p.Volumes()).To(ContainElement("found.img"))
			p.Destroy()
			p.Start()
			t.Expect(p.Volumes()).To(ContainElement("found.img"))
		})
	served("O-NFS-SILENT", rootful, "While a server of images says nothing, the daemon answers for its guest and for the pools, and the guest goes on once the server is back",
		sabotage.Hang("virConnectListAllStoragePools"), func(t *steps.T, n *steps.NFSServer, p *steps.Pool) {
			silent(t, n, p, func(d *steps.Domain) []steps.Question { return append(d.PlainQuestions(), pools(t)) })
		})
	served("O-NFS-STATS", rootful, "While a server of images says nothing, who asks for statistics and will not wait has an answer",
		sabotage.Hang("virConnectGetAllDomainStats"), func(t *steps.T, n *steps.NFSServer, p *steps.Pool) {
			silent(t, n, p, func(d *steps.Domain) []steps.Question { return d.Questions(false) })
		})
	served("O-NFS-REFRESH", rootful, "While a pool is refreshed whose server says nothing, the daemon lists pools, and the refresh ends well once the server is back",
		sabotage.Hang("virConnectListAllStoragePools"), func(t *steps.T, n *steps.NFSServer, p *steps.Pool) {
			d, _ := t.Started()
			asked := []steps.Question{pools(t)}
			n.Silence(true)
			refresh, began := t.Begin("refresh a pool whose server says nothing", func() error { return p.Raw.Refresh(0) }), time.Now()
			d.AnswersUntil(func() bool { return time.Since(began) > t.Limit(silence) }, asked)
			t.Expect(refresh.Over()).To(BeFalse(), "the refresh is over while the server says nothing")
			n.Silence(false)
			t.Expect(refresh.Try(backLimit)).To(Succeed(), "refresh once the server is back")
		})
}

// ownedVolume is a volume of 1 MiB that is the emulator's user's.
func ownedVolume(t *steps.T, name string, room uint64) *libvirtxml.StorageVolume {
	d, who := steps.DescribeVolume(name, "raw", mib), t.Layout().Accounts
	d.Allocation.Value = room
	d.Target.Permissions = &libvirtxml.StorageVolumeTargetPermissions{Mode: "0600", Owner: t.Sh("id -u " + who.EmulatorUser), Group: t.Sh("getent group " + who.EmulatorGroup + " | cut -d: -f3")}
	return d
}

// silence is how long a server says nothing, at scale 1: longer than an answer may take.
const silence = 2 * steps.AnswerLimit

// silent asks questions while the server says nothing of a guest's image, which the guest writes
// to.
func silent(t *steps.T, n *steps.NFSServer, p *steps.Pool, questions func(d *steps.Domain) []steps.Question) {
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

// backLimit is how long what waited for a server may take once it is back, at scale 1: TCP asks
// again in ever longer times.
const backLimit = 30 * time.Second
