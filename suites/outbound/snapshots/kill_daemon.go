package snapshots

import (
	"fmt"
	"slices"
	"time"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// orphaned registers a check of a job that stops the guest, in whose middle the daemon is
// killed. The job may write a file, and is told how often it ran before. A guest that it saves
// may be off then, and is restored.
func orphaned(id, what string, saves bool, job func(t *steps.T, d *libvirt.Domain, file string, before int) error) {
	check.Register(id, check.Spec{
		Asserts:  "A daemon killed at any moment of " + what + " leaves a guest that goes on under the next daemon, and no job",
		Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "1.2.8")},
		Depends:  check.On(matrix.Libvirt, matrix.QEMU),
		Control:  sabotage.Guest(l2.ForgetWord),
	}, func(t *steps.T) {
		file := t.Scratch("file")
		d, g := t.Started(withBIOS, domain.WithDisk(t.QCOW2("disk", one), "qcow2"))
		g.Dirty(dirtyMiB)
		mark, began := g.Mark(), time.Now()
		t.Do("do the job once undisturbed", func() error { return job(t, d.Raw, file, 0) })
		took := time.Since(began)
		for i := range steps.Moments / 2 {
			d = goesOn(t, d, g, mark, saves, file)
			t.InPart(i, steps.Moments/2, took, func(after time.Duration) error {
				return t.KillDaemonDuring("the job", after, func() error { return job(t, d.Raw, file, i+1) })
			})
		}
		goesOn(t, d, g, mark, saves, file)
	})
}

// A reader that comes late keeps the emulator busy with a command until the next daemon is
// there, as a disk does whose storage hangs.
var _ = check.Register("O-DAEMON-BUSY", check.Spec{
	Asserts:  "A daemon killed while the emulator is busy with a command leaves a guest that goes on under the next daemon",
	Requires: []matrix.Requirement{matrix.KVMStack},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU),
	Control:  sabotage.Guest(l2.ForgetWord),
}, func(t *steps.T) {
	d, g := t.Started()
	mark, fifo := g.Mark(), t.Scratch("fifo")
	t.Sh("mkfifo -m 666 " + fifo)
	// The newest connection with a monitor (SOCK_STREAM, SS_CONNECTED), by its inode.
	connection := func() string {
		return t.Sh(`sed -nE 's,.* 0001 03 +([0-9]+) .*/monitor\.sock$,\1,p' /proc/net/unix | sort -n | tail -n 1`)
	}
	old := connection()
	err := t.KillDaemonDuring("a command of the monitor", beginLimit, func() error {
		_, err := d.Raw.QemuMonitorCommand(fmt.Sprintf(`{"execute":"pmemsave","arguments":{"val":0,"size":%d,"filename":%q}}`, pipeful, fifo), 0)
		return err
	})
	t.Expect(err).To(HaveOccurred(), "a command that the emulator is busy with")
	t.Until(runsLimit, "the next daemon is connected with the emulator", func() bool { now := connection(); return now != "" && now != old })
	t.Expect(t.Sh("timeout 60 cat "+fifo+" | wc -c")).To(Equal(fmt.Sprint(pipeful)), "bytes that the emulator then wrote")
	goesOn(t, d, g, mark, false, "")
})

const (
	// beginLimit is how long the emulator may take to begin what it is told.
	beginLimit = time.Second
	// pipeful is more than a pipe holds.
	pipeful = 1 << 20
)

// runsLimit is how long the next daemon may take to let the guest go on.
const runsLimit = 10 * time.Second

// goesOn restores the guest if it was saved, and asserts that it goes on and has no job.
func goesOn(t *steps.T, d *steps.Domain, g *steps.Guest, mark steps.Mark, saved bool, file string) *steps.Domain {
	d = d.Settled()
	t.Until(runsLimit, "the guest runs again, or is off", func() bool {
		return slices.Contains([]libvirt.DomainState{libvirt.DOMAIN_RUNNING, libvirt.DOMAIN_SHUTOFF}, d.State())
	})
	state := t.VirshSays("domstate --reason " + d.Name)
	t.Note("its state is %s", state)
	switch {
	case d.Active():
	case saved: // also where the next daemon only saw the emulator end
		t.Connection().Restore(file)
		g.WaitReady()
	default:
		t.Fail(t.Layer, "the guest is %s under the next daemon, which says: %s", state, t.DaemonSays("qemuMonitor"))
	}
	g.ExpectGoesOn(mark)
	left := steps.Get(t, "ask for a job", d.Raw.GetJobInfo)
	t.Expect(left.Type).To(Equal(libvirt.DOMAIN_JOB_NONE), "job of a domain whose daemon was killed")
	return d
}

func init() {
	orphaned("O-DAEMON-SAVE", "a save to a file", true, func(_ *steps.T, d *libvirt.Domain, file string, _ int) error { return d.SaveFlags(file, "", 0) })
	orphaned("O-DAEMON-INT", "an internal snapshot", false, func(_ *steps.T, d *libvirt.Domain, _ string, before int) error {
		_, err := d.CreateSnapshotXML(fmt.Sprintf("<domainsnapshot><name>s%d</name></domainsnapshot>", before), 0)
		return err
	})
	orphaned("O-DAEMON-MEM", "an external snapshot with the memory", false, func(t *steps.T, d *libvirt.Domain, file string, before int) error {
		name := fmt.Sprintf("s%d", before)
		_, err := d.CreateSnapshotXML(t.DescribeSnapshot(name, steps.MemoryIn(file+name), steps.External(t.Settings().DiskName, file+name+".disk")), 0)
		return err
	})
	// Compressed it takes longer than a daemon does to start.
	orphaned("O-DAEMON-DUMP", "a dump of its memory", false, func(_ *steps.T, d *libvirt.Domain, file string, _ int) error {
		return d.CoreDumpWithFormat(file, libvirt.DOMAIN_CORE_DUMP_FORMAT_KDUMP_ZLIB, libvirt.DUMP_MEMORY_ONLY)
	})
}
