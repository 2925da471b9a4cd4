package contracts

import (
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"
)

func init() {
	vdsm("C-VDSM-FULL", "A thin disk tells of its threshold, its guest is paused when there is no room, found by that, and goes on once there is",
		sabotage.Alter("virDomainGetDiskErrors", disk, "vdb"), runsFull)
	vdsm("C-VDSM-SNAP", "A snapshot of a frozen guest uses the image that was made for it, keeps its relative name, and leaves no metadata",
		sabotage.Refuse("virDomainFSThaw", libvirt.ERR_AGENT_UNRESPONSIVE, libvirt.FROM_QEMU), snapshots)
	vdsm("C-VDSM-SNAPMEM", "A snapshot with memory uses the image that was made for it, leaves no metadata, and its memory is restored with the disk of that moment",
		sabotage.Guest(l2.ForgetWord), snapshotsMemory)
	vdsm("C-VDSM-MERGE", "Images are merged by their index, the active one too, as ready is told by job and mirror; names stay relative, and the XML loses what was merged",
		sabotage.Alter("virDomainGetXMLDesc", " index='", " indxe='"), merges)
	vdsm("C-VDSM-MOVE", "A disk's top image is copied shallowly to one that was made for it, and every later call on the disk works after the pivot",
		sabotage.Swallow("virDomainBlockResize"), moves)
}

// made makes an image in L1 above another one of its folder, by its name alone, as vdsm
// makes volumes.
func made(t *steps.T, path, base string) string {
	t.Sh(fmt.Sprintf("cd $(dirname %[3]s) && %[1]s create -q -f qcow2 -o compat=1.1 -b $(basename %[3]s) -F qcow2 %[2]s", t.QEMUImg(), path, base))
	emulatorOwns(t, path)
	return path
}

// withoutMetadata is how vdsm takes each snapshot.
const withoutMetadata = libvirt.DOMAIN_SNAPSHOT_CREATE_REUSE_EXT | libvirt.DOMAIN_SNAPSHOT_CREATE_NO_METADATA

// snapshotTo takes a snapshot of the disk to an image that is there.
func snapshotTo(t *steps.T, d *steps.Domain, image, memory string, flags libvirt.DomainSnapshotCreateFlags) {
	d.SnapshotFrom("", snapshotXML(image, memory), withoutMetadata|flags)
	t.Expect(d.Snapshots(0)).To(BeEmpty(), "snapshots that libvirt knows of")
}

func snapshotXML(image, memory string) string {
	return fmt.Sprintf(`<domainsnapshot>%s<disks><disk name='%s' snapshot='external' type='file'><source file='%s' type='file'/></disk></disks></domainsnapshot>`, memory, disk, image)
}

func snapshots(t *steps.T) {
	base := t.QCOW2("base", one)
	d, g := t.Started(domain.WithAgent, domain.WithDisk(base, "qcow2", domain.At(disk, "virtio")))
	top := made(t, t.Scratch("top"), base)
	d.WaitAgent()
	t.Do("freeze the guest's file systems", func() error { return d.Raw.FSFreeze(nil, 0) })
	snapshotTo(t, d, top, "", libvirt.DOMAIN_SNAPSHOT_CREATE_DISK_ONLY)
	t.Do("thaw the guest's file systems", func() error { return d.Raw.FSThaw(nil, 0) })
	d.WaitDiskChain(disk, top, base)
	g.WriteAt(disk, 0, two)
	t.Expect([]string{t.TextAt(base, 0, len(one)), t.TextAt(top, 0, len(two))}).To(Equal([]string{one, two}), "what the images hold")
	t.Expect(t.ImageInfo(top).Backing).To(Equal("C-VDSM-SNAP-base"), "backing name in the new image")
	live := d.Dump(0)
	t.Expect(live).To(MatchRegexp(`<backingStore type='file' index='\d+'>`), "the chain has indexes")
	t.Expect(live).To(ContainSubstring("<backingStore/>"), "the chain has an end")
	t.Expect(t.VirshSays("qemu-agent-command " + d.Name + ` '{"execute":"guest-fsfreeze-status"}'`)).To(ContainSubstring("thawed"))
	removes(t, d)
}

func snapshotsMemory(t *steps.T) {
	base := t.QCOW2("base", "")
	d, g := t.Started(domain.WithDisk(base, "qcow2", domain.At(disk, "virtio")))
	g.WriteAt(disk, 0, one)
	top, memory, mark := made(t, t.Scratch("top"), base), t.Scratch("memory"), g.Mark()
	xml, _ := migratable(t, d, base)
	t.Sh("install -m 600 /dev/null " + memory)
	emulatorOwns(t, memory)
	snapshotTo(t, d, top, "<memory snapshot='external' file='"+memory+"'/>", 0)
	d.WaitDiskChain(disk, top, base)
	g.WriteAt(disk, 0, two)
	g.ExpectGoesOn(mark)
	t.Expect(t.TextAt(base, 0, len(one))).To(Equal(one), "what the base holds")
	d.Destroy()
	t.Connection().RestoreWith(memory, xml, libvirt.DOMAIN_SAVE_PAUSED)
	d.WaitDiskChain(disk, base)
	d.Resume()
	g.WaitReady()
	g.ExpectGoesOn(mark)
	t.Expect(g.ReadAt(disk, 0, len(one))).To(Equal(one), "what the guest reads after it went back")
}

func merges(t *steps.T) {
	base := t.QCOW2("base", one)
	middle := made(t, t.Scratch("middle"), base)
	t.FillImage(middle, mib, 'm', 4096)
	top := made(t, t.Scratch("top"), middle)
	d, g := t.Started(domain.WithDisk(top, "qcow2", domain.At(disk, "virtio")))
	mark, past, below := g.Mark(), d.WatchThresholds(), func(file string) string { return index(t, d, file) }
	named := below(base)
	t.Do("set a threshold of the base", func() error { return d.Raw.SetBlockThreshold(below(base), 1, 0) })
	t.Do("commit an image between others", func() error {
		return d.Raw.BlockCommit(disk, below(base), below(middle), 0, libvirt.DOMAIN_BLOCK_COMMIT_RELATIVE)
	})
	past.Wait("the merge wrote past the threshold of the base", func(e libvirt.DomainEventBlockThreshold) bool { return e.Path == base && e.Dev == named })
	d.WaitDiskChain(disk, top, base)
	t.Expect(t.ImageInfo(top).Backing).To(Equal("C-VDSM-MERGE-base"), "backing name of the image above the merged one")
	t.Expect(t.TextAt(base, mib, 4)).To(Equal("mmmm"), "what the base has of the image that was merged")

	g.WriteAt(disk, 0, two)
	t.Do("commit the active image", func() error {
		return d.Raw.BlockCommit(disk, below(base), "", 0, libvirt.DOMAIN_BLOCK_COMMIT_RELATIVE|libvirt.DOMAIN_BLOCK_COMMIT_ACTIVE)
	})
	pivots(t, d, libvirt.DOMAIN_BLOCK_JOB_TYPE_ACTIVE_COMMIT)
	d.WaitDiskChain(disk, base)
	t.Expect(g.ReadAt(disk, 0, len(two))).To(Equal(two), "what the guest reads")
	t.Expect(t.TextAt(base, 0, len(two))).To(Equal(two), "what the base has of the active image")
	g.ExpectGoesOn(mark)
}

// index names an image below the disk's by the index that its backing store has in the XML.
func index(t *steps.T, d *steps.Domain, file string) string {
	for _, part := range strings.Split(d.Dump(0), "<backingStore ")[1:] {
		attributes, rest, _ := strings.Cut(part, ">")
		source, _, _ := strings.Cut(rest, "<backingStore")
		if _, n, ok := strings.Cut(attributes, "index='"); ok && strings.Contains(source, "'"+file+"'") {
			n, _, _ = strings.Cut(n, "'")
			return disk + "[" + n + "]"
		}
	}
	t.Fail(t.Layer, "the chain of %s in the XML has no index of %s", disk, file)
	return ""
}

// readyLimit bounds a job on a small disk, at scale 1.
const readyLimit = 30 * time.Second

// pivots waits as vdsm does for a job to be ready, of which both the job and the mirror in
// the XML tell, and ends it.
func pivots(t *steps.T, d *steps.Domain, kind libvirt.DomainBlockJobType) {
	t.Until(readyLimit, "the job is ready, as it and the mirror tell", func() bool {
		job := steps.Get(t, "ask for block job", func() (*libvirt.DomainBlockJobInfo, error) { return d.Raw.GetBlockJobInfo(disk, 0) })
		t.Expect(job.Type).To(Equal(kind), "type of the job")
		return job.End > 0 && job.Cur == job.End && strings.Contains(mirror(d), "ready='yes'")
	})
	t.Do("pivot", func() error { return d.Raw.BlockJobAbort(disk, libvirt.DOMAIN_BLOCK_JOB_ABORT_PIVOT) })
	t.Until(readyLimit, "the job and its mirror are gone", func() bool { return d.BlockJob(disk).Type == 0 && mirror(d) == "" })
}

// mirror is the beginning of the mirror in the XML of the running domain.
func mirror(d *steps.Domain) string {
	_, after, _ := strings.Cut(d.Dump(0), "<mirror ")
	tag, _, _ := strings.Cut(after, ">")
	return tag
}

func moves(t *steps.T) {
	d, g, top, base := chained(t)
	mark, folder := g.Mark(), t.Scratch("there")
	t.Sh(fmt.Sprintf("mkdir -m 755 %[1]s && cp --preserve %[2]s %[1]s/base && cd %[1]s && %[3]s create -q -f qcow2 -b base -F qcow2 top", folder, base, t.QEMUImg()))
	emulatorOwns(t, folder+"/base "+folder+"/top")
	g.WriteAt(disk, mib, two)
	copies := func(to string) {
		xml := fmt.Sprintf("<disk type='file' device='disk' snapshot='no'><driver name='qemu' type='qcow2'/><source file='%s'/></disk>", to)
		t.Do("copy the top image", func() error {
			return d.Raw.BlockCopy(disk, xml, &libvirt.DomainBlockCopyParameters{}, libvirt.DOMAIN_BLOCK_COPY_SHALLOW|libvirt.DOMAIN_BLOCK_COPY_REUSE_EXT|libvirt.DOMAIN_BLOCK_COPY_TRANSIENT_JOB)
		})
	}
	copies(folder + "/top")
	pivots(t, d, libvirt.DOMAIN_BLOCK_JOB_TYPE_COPY)
	d.WaitDiskChain(disk, folder+"/top", folder+"/base")
	t.Expect(t.ReadFile(top, 0, 3)).To(Equal("QFI"), "the image that the disk left")
	worksOn(t, d, g, folder)
	t.Expect([]string{g.ReadAt(disk, 0, len(one)), g.ReadAt(disk, mib, len(two))}).To(Equal([]string{one, two}), "what the guest reads")
	g.ExpectGoesOn(mark)
}

// worksOn makes the calls that vdsm makes on a disk after it moved.
func worksOn(t *steps.T, d *steps.Domain, g *steps.Guest, folder string) {
	t.Expect(d.BlockInfo(disk).Capacity).To(BeNumerically("==", steps.SharedDiskBytes), "capacity of the disk")
	t.Do("clear the threshold", func() error { return d.Raw.SetBlockThreshold(disk, 0, 0) })
	past := d.WatchThresholds()
	t.Do("set a threshold", func() error { return d.Raw.SetBlockThreshold(disk, 1, 0) })
	g.WriteAt(disk, 2*mib, three)
	past.Wait("a write went past the threshold", func(e libvirt.DomainEventBlockThreshold) bool { return e.Path == folder+"/top" })
	over := made(t, folder+"/over", folder+"/top")
	snapshotTo(t, d, over, "", libvirt.DOMAIN_SNAPSHOT_CREATE_DISK_ONLY)
	d.WaitDiskChain(disk, over, folder+"/top", folder+"/base")
	t.Do("commit the active image", func() error {
		return d.Raw.BlockCommit(disk, index(t, d, folder+"/top"), "", 0, libvirt.DOMAIN_BLOCK_COMMIT_RELATIVE|libvirt.DOMAIN_BLOCK_COMMIT_ACTIVE)
	})
	pivots(t, d, libvirt.DOMAIN_BLOCK_JOB_TYPE_ACTIVE_COMMIT)
	d.WaitDiskChain(disk, folder+"/top", folder+"/base")
	d.ResizeDisk(disk, 2*steps.SharedDiskBytes)
	t.Expect(d.BlockInfo(disk).Capacity).To(BeNumerically(">=", 2*steps.SharedDiskBytes), "capacity of the disk that grew")
	t.Do("give the job that is not there up", func() error {
		if err := d.Raw.BlockJobAbort(disk, 0); steps.Code(err) != libvirt.ERR_INVALID_ARG {
			return err
		}
		return nil
	})
}

// runsFull has the file system for a volume that cannot grow: vdsm's is a logical volume.
func runsFull(t *steps.T) {
	const folder, alias = "/dev/shm", "ua-6f0d4f5e-7f5c-4a3b-9b6e-2f9d1d3c5a02"
	image, filler := folder+"/C-VDSM-FULL.qcow2", folder+"/C-VDSM-FULL.filler"
	t.RemoveAfter(image)
	t.RemoveAfter(filler)
	t.Sh(fmt.Sprintf("%s create -q -f qcow2 %s %d", t.QEMUImg(), image, steps.SharedDiskBytes))
	stop := func(d *libvirtxml.DomainDisk) { d.Driver.ErrorPolicy = "stop" }
	d, g := t.Started(domain.WithDisk(image, "qcow2", domain.At(disk, "virtio"), domain.Alias(alias), stop))
	mark, past, errors, came := g.Mark(), d.WatchThresholds(), d.WatchIOErrors(), t.WatchEvents()
	t.Do("set a threshold", func() error { return d.Raw.SetBlockThreshold(disk, 512<<10, 0) })
	for i := range 12 { // each takes a cluster of the image
		g.WriteAt(disk, int64(i)*128<<10, one)
	}
	past.Wait("a write went past the threshold", func(e libvirt.DomainEventBlockThreshold) bool {
		return e.Path == image && (e.Dev == disk || e.Dev == disk+"[1]") && e.Threshold == 512<<10 && e.Excess > 0
	})
	t.Sh("dd if=/dev/zero of=" + filler + " bs=64k status=none 2>/dev/null; test -s " + filler)
	wait := g.WriteLater(disk, 8*mib, two)
	came.Through(d, "the disk was full", steps.Event{Type: libvirt.DOMAIN_EVENT_SUSPENDED, Detail: int(libvirt.DOMAIN_EVENT_SUSPENDED_IOERROR)})
	errors.Wait("the disk had no room", func(e libvirt.DomainEventIOErrorReason) bool {
		return e.SrcPath == image && e.DevAlias == alias && e.Action == libvirt.DOMAIN_EVENT_IO_ERROR_PAUSE && e.Reason == "enospc"
	})
	t.Expect(d.DiskErrors()).To(Equal([]libvirt.DomainDiskError{{Disk: disk, Error: libvirt.DOMAIN_DISK_ERROR_NO_SPACE}}))
	t.Expect(pausedByError(t)).To(ConsistOf(d.Name), "guests that are paused by an error")
	t.Sh("rm " + filler)
	d.Resume()
	wait()
	t.Expect(g.ReadAt(disk, 8*mib, len(two))).To(Equal(two), "what the guest reads")
	g.ExpectGoesOn(mark)
}

// pausedByError lists the guests that vdsm would resume when it starts.
func pausedByError(t *steps.T) (names []string) {
	conn := t.Connection().Raw
	paused := steps.Get(t, "list paused domains", func() ([]libvirt.Domain, error) { return conn.ListAllDomains(libvirt.CONNECT_LIST_DOMAINS_PAUSED) })
	for i := range paused {
		name := steps.Get(t, "ask for name", paused[i].GetName)
		if _, reason := t.Connection().Lookup(name).StateReason(); libvirt.DomainPausedReason(reason) == libvirt.DOMAIN_PAUSED_IOERROR {
			names = append(names, name)
		}
		_ = paused[i].Free()
	}
	return names
}
