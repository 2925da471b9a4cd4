package blockjobs

import (
	"encoding/json"
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

// diskJob is a job that leaves a disk with one image, or with one more.
type diskJob struct {
	over, grows bool // it begins, or ends, with a new image on top of the disk's
	// The calls that begin it and that have the guest go on with the image that it leaves; nil
	// where it has none.
	begin, end func(d *libvirt.Domain, disk, file string) error
}

// ready begins the job, unless the emulator is at it already, and returns when it can end or is
// over.
func (j diskJob) ready(d *libvirt.Domain, disk, file string) error {
	info, err := d.GetBlockJobInfo(disk, 0)
	if err != nil {
		return err
	}
	if info.Type == libvirt.DOMAIN_BLOCK_JOB_TYPE_UNKNOWN && j.begin != nil {
		if err := j.begin(d, disk, file); err != nil {
			return err
		}
	}
	return steps.AwaitBlockJob(d, disk)
}

// finish ends a job that is ready.
func (j diskJob) finish(d *libvirt.Domain, disk, file string) error {
	if j.end == nil {
		return nil
	}
	return j.end(d, disk, file)
}

func (j diskJob) do(d *libvirt.Domain, disk, file string) error {
	if err := j.ready(d, disk, file); err != nil {
		return err
	}
	return j.finish(d, disk, file)
}

// outlived registers a check of a job that goes on in the emulator while there is no daemon,
// killed on the way to its end or in the call that ends it.
func outlived(id, what string, control *sabotage.Control, job diskJob, ends bool) {
	check.Register(id, check.Spec{
		Asserts:  "A daemon killed at any moment of " + what + " leaves a guest that goes on, a job that ends, and the disk's image for the next start",
		Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "1.2.8")},
		Depends:  check.On(matrix.Libvirt, matrix.QEMU),
		Control:  control,
	}, func(t *steps.T) { job.outlives(t, ends) })
}

func (j diskJob) outlives(t *steps.T, ends bool) {
	disk := t.Settings().DiskName
	d, g := t.Started(domain.WithDisk(t.NoisyQCOW2("disk", steps.SharedDiskBytes), "qcow2"))
	mark := g.Mark()
	j.prepare(t, d, 0)
	first := t.Scratch("file")
	way := timed(t, "do the job once undisturbed", func() error { return j.ready(d.Raw, disk, first) })
	end := timed(t, "end the job once undisturbed", func() error { return j.finish(d.Raw, disk, first) })
	moments := steps.Moments / 2
	if ends { // which takes no time and is where most can be lost
		moments = steps.Moments
	}
	for i := range moments {
		word, name := fmt.Sprintf("word %03d", i), fmt.Sprintf("file%d", i)
		j.prepare(t, d, i+1)
		g.WriteAt(disk, int64(i)*mib, word)
		from, file := d.DiskChain(disk), t.Scratch(name)
		took, call := way, func() error { return j.ready(d.Raw, disk, file) }
		if ends {
			t.Do("do the job", call)
			took, call = end, func() error { return j.finish(d.Raw, disk, file) }
		}
		t.InPart(i, moments, took, func(after time.Duration) error { return t.KillDaemonDuring("the job", after, call) })
		d = d.Settled()
		d.ExpectKept()
		g.Domain = d
		wrong := j.complete(t, d, from, name)
		g.ExpectGoesOn(mark)
		g.WriteAt(disk, int64(i)*mib+later, word)
		if next, has := startsOn(t, d), emulatorHas(t, d); wrong == "" && next != has {
			wrong = fmt.Sprintf("the emulator has the disk on %s, and the next start on %s", has, next)
		}
		if wrong != "" {
			boots(t, d, g, i, wrong)
			t.Fail(t.Layer, "after the daemon was killed %s; once the guest has started anew it reads what it wrote", wrong)
		}
	}
	boots(t, d, g, moments-1, "all jobs have ended")
}

// later is where a guest writes once the next daemon has done what it does.
const later = 4 << 10

// boots starts the guest anew, in a state of its disk, and asserts that it reads what it wrote
// up to the last moment.
func boots(t *steps.T, d *steps.Domain, g *steps.Guest, last int, state string) {
	d.Destroy()
	d.Start()
	g.WaitReady()
	for i := range last + 1 {
		want := fmt.Sprintf("word %03d", i)
		for _, at := range []int64{int64(i) * mib, int64(i)*mib + later} {
			t.Expect(g.ReadAt(t.Settings().DiskName, at, len(want))).To(Equal(want), "what the guest reads at byte %d after its next start, before which %s", at, state)
		}
	}
}

// startsOn is the image of the disk that the domain's next start takes.
func startsOn(t *steps.T, d *steps.Domain) string {
	var next libvirtxml.Domain
	t.Parse("the XML of the next start", d.Dump(libvirt.DOMAIN_XML_INACTIVE), &next)
	return next.Devices.Disks[0].Source.File.File
}

// endLimit is how long the next daemon may refuse to end a job, and chainLimit how long the
// domain's XML may take to tell of what a job has done.
const (
	endLimit   = 15 * time.Second
	chainLimit = 20 * time.Second
)

// prepare puts a new image on top of the disk's, if the job begins with one.
func (j diskJob) prepare(t *steps.T, d *steps.Domain, i int) {
	if j.over {
		d.Snapshot("moment", libvirt.DOMAIN_SNAPSHOT_CREATE_DISK_ONLY|libvirt.DOMAIN_SNAPSHOT_CREATE_NO_METADATA,
			steps.External(t.Settings().DiskName, t.Scratch(fmt.Sprintf("over%d", i))))
	}
}

// complete has the next daemon do what the one before left undone. It returns what is wrong
// where the daemon refuses that to the end.
func (j diskJob) complete(t *steps.T, d *steps.Domain, from []string, name string) (wrong string) {
	disk := t.Settings().DiskName
	chain, has := d.DiskChain(disk), emulatorHas(t, d)
	t.Note("the next daemon has the images %q, for the next start %s, and the job %+v, the emulator has %s", chain, startsOn(t, d), *d.BlockJob(disk), has)
	if chain[0] != has {
		return fmt.Sprintf("the emulator has the disk on %s, and the next daemon on %s", has, chain[0])
	}
	if j.grows {
		return ""
	}
	done := func() bool {
		now := d.DiskChain(disk)
		return d.BlockJob(disk).Type == libvirt.DOMAIN_BLOCK_JOB_TYPE_UNKNOWN && len(now) == 1 && (j.over || now[0] != from[0])
	}
	deadline := time.Now().Add(t.Limit(endLimit))
	for again := 1; !done(); again++ {
		to := t.Scratch(fmt.Sprintf("%s.%d", name, again)) // a copy is not made where there is a file
		refusal := t.Try("do the job again", func() error { return j.do(d.Raw, disk, to) })
		if refusal == nil {
			break
		}
		if time.Now().After(deadline) {
			return "the next daemon does not end the job: " + steps.Text(refusal)
		}
		<-time.After(100 * time.Millisecond)
	}
	t.Until(chainLimit, "the disk has one image", done)
	return ""
}

// emulatorHas is the image that the emulator has the disk on.
func emulatorHas(t *steps.T, d *steps.Domain) string {
	var answer struct {
		Return []struct{ Inserted struct{ File string } }
	}
	said := steps.Get(t, "ask the monitor", func() (string, error) { return d.Raw.QemuMonitorCommand(`{"execute":"query-block"}`, 0) })
	t.Expect(json.Unmarshal([]byte(said), &answer)).To(Succeed(), "reading %s", said)
	t.Expect(answer.Return).To(HaveLen(1), "disks of the emulator")
	return answer.Return[0].Inserted.File
}

// timed makes a call that must succeed and returns how long it took.
func timed(t *steps.T, op string, call func() error) time.Duration {
	began := time.Now()
	t.Do(op, call)
	return time.Since(began)
}

func init() {
	unended := sabotage.Swallow("virDomainBlockJobAbort")
	outlived("O-DAEMON-COPY", "a disk's copy", unended, copied, false)
	outlived("O-DAEMON-COPYEND", "the end of a disk's copy", unended, copied, true)
	outlived("O-DAEMON-COMMIT", "a disk's commit", unended, committed, false)
	outlived("O-DAEMON-COMMITEND", "the end of a disk's commit", unended, committed, true)
	outlived("O-DAEMON-PULL", "a pull into a disk", sabotage.Swallow("virDomainBlockPull"), pulled, false)
	outlived("O-DAEMON-SNAP", "an external snapshot of a disk", sabotage.Command("a host that loses what guests are defined as", loses), snapped, true)
}

// loses has each definition be the oldest one.
const loses = `(while :; do for f in /etc/libvirt/qemu/l2-*.xml; do [ -e $f.old ] || cp $f $f.old; cmp -s $f $f.old || cp $f.old $f; done; sleep 0.02; done) >/dev/null 2>&1 &`

var (
	copied = diskJob{end: pivot, begin: func(d *libvirt.Domain, disk, file string) error {
		xml := fmt.Sprintf("<disk type='file'><driver type='qcow2'/><source file='%s'/></disk>", file)
		return d.BlockCopy(disk, xml, &libvirt.DomainBlockCopyParameters{}, libvirt.DOMAIN_BLOCK_COPY_TRANSIENT_JOB)
	}}
	committed = diskJob{over: true, end: pivot, begin: func(d *libvirt.Domain, disk, _ string) error {
		return d.BlockCommit(disk, "", "", 0, libvirt.DOMAIN_BLOCK_COMMIT_ACTIVE)
	}}
	pulled  = diskJob{over: true, begin: func(d *libvirt.Domain, disk, _ string) error { return d.BlockPull(disk, 0, 0) }}
	snapped = diskJob{grows: true, end: func(d *libvirt.Domain, disk, file string) error {
		xml := fmt.Sprintf("<domainsnapshot><disks><disk name='%s' snapshot='external'><source file='%s'/></disk></disks></domainsnapshot>", disk, file)
		_, err := d.CreateSnapshotXML(xml, libvirt.DOMAIN_SNAPSHOT_CREATE_DISK_ONLY|libvirt.DOMAIN_SNAPSHOT_CREATE_NO_METADATA)
		return err
	}}
)

func pivot(d *libvirt.Domain, disk, _ string) error { return steps.PivotBlockJob(d, disk) }
