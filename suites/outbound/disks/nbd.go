package disks

import (
	"time"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

const (
	// backLimit is how long a disk may take to work again once its server is back, at scale 1:
	// the emulator asks a lost one at 1, 3, 7 and 15 s (nbd/client-connection.c).
	backLimit = 30 * time.Second
	// endLimit is how long libvirt may take to end a guest whose emulator waits for a server:
	// it asks it to end, and ends it 10 s later (virProcessKillPainfullyDelay).
	endLimit = 30 * time.Second
)

var _ = check.Register("O-DISK-NBD", check.Spec{
	Asserts:  "A guest works on exports of NBD servers by socket and by TCP, a plugged one too, and a disk that moved to a file needs no server",
	Requires: kvm("4.7"),
	Depends:  stack,
	Control:  sabotage.Wrap("qemu-nbd", "a server that forgets what is written", `exec $REAL -s "$@"`),
}, func(t *steps.T) {
	bySocket, byTCP, later := t.ServeNBD("socket", size), t.ServeNBDByTCP("tcp", size, 10809), t.ServeNBD("later", size)
	d, g := t.Started(bySocket.Disk("vdb"), byTCP.Disk("vdc"), domain.WithRootPorts(6))
	works := func(dev string, n *steps.NBDServer) {
		seen := g.WaitDisk(dev, steps.PlugLimit)
		t.Expect(seen.Bytes).To(BeNumerically("==", size), "size of disk %s that the guest sees", dev)
		g.WriteAt(seen.Name, mib, word)
		t.Expect(n.Holds(mib, word)).To(BeTrue(), "the image behind disk %s has what the guest wrote", dev)
		t.Expect(g.ReadAt(seen.Name, mib, len(word))).To(Equal(word), "what the guest reads of disk %s", dev)
	}
	works("vdb", bySocket)
	works("vdc", byTCP)

	file := t.Scratch("moved")
	d.CopyDisk("vdb", domain.NewDisk(file, "raw"), 0)
	d.WaitBlockJobReady("vdb")
	d.EndBlockJob("vdb", libvirt.DOMAIN_BLOCK_JOB_ABORT_PIVOT)
	d.WaitDiskChain("vdb", file)
	bySocket.Kill()
	seen, _ := g.Disk("vdb")
	t.Expect(g.ReadAt(seen.Name, mib, len(word))).To(Equal(word), "what the guest reads of the disk that moved")
	g.WriteAt(seen.Name, 0, word)
	t.Expect(t.ReadFile(file, 0, len(word))).To(Equal(word), "what the file has that the disk moved to")
	d.Attach(later.NewDisk("vdd"))
	works("vdd", later)
})

var _ = check.Register("O-DISK-NBD-LOST", check.Spec{
	Asserts:  "A guest whose NBD server died is paused, gets an error or waits, as its disks say, and works on once the server is back",
	Requires: kvm("4.7"),
	Depends:  stack,
	Control:  sabotage.Swallow("virDomainResume"),
}, func(t *steps.T) {
	stop, report, wait := t.ServeNBD("stop", size), t.ServeNBD("report", size), t.ServeNBD("wait", size)
	with := []domain.Option{stop.Disk("vdb", domain.OnError("stop")), report.Disk("vdc", domain.OnError("report"))}
	reconnects := t.AtLeast(matrix.Libvirt, "9.1")
	if reconnects {
		with = append(with, wait.Disk("vdd", domain.OnError("stop"), domain.Reconnect(600)))
	}
	d, g := t.Started(with...)
	mark, errors := g.Mark(), d.WatchIOErrors()
	told := func(action libvirt.DomainEventIOErrorAction, what string) {
		errors.Wait(what, func(e libvirt.DomainEventIOErrorReason) bool { return e.Action == action })
	}
	report.Kill()
	reported, _ := g.Disk("vdc")
	t.Expect(g.TryWriteAt(reported.Name, mib, word)).To(BeFalse(), "a write is taken whose server died")
	told(libvirt.DOMAIN_EVENT_IO_ERROR_REPORT, "the guest was told of an error")
	g.ExpectGoesOn(mark)
	report.Start()
	t.Until(backLimit, "the guest writes to the disk whose server is back", func() bool { return g.TryWriteAt(reported.Name, mib, word) })
	t.Expect(report.Holds(mib, word)).To(BeTrue(), "the image has what the guest wrote")

	if reconnects {
		wait.Kill()
		seen, _ := g.Disk("vdd")
		written := g.WriteLater(seen.Name, mib, word)
		wait.Start()
		written()
		t.Expect(wait.Holds(mib, word)).To(BeTrue(), "the image has what was written while its server was away")
		t.Expect(d.State()).To(Equal(libvirt.DOMAIN_RUNNING), "state of the guest that waited for its disk")
	}

	stop.Kill()
	stopped, _ := g.Disk("vdb")
	written := g.WriteLater(stopped.Name, mib, word)
	d.WaitFor(libvirt.DOMAIN_PAUSED)
	_, reason := d.StateReason()
	t.Expect(libvirt.DomainPausedReason(reason)).To(Equal(libvirt.DOMAIN_PAUSED_IOERROR), "reason for being paused")
	told(libvirt.DOMAIN_EVENT_IO_ERROR_PAUSE, "the guest was paused for an error")
	t.Expect(d.DiskErrors()).To(Equal([]libvirt.DomainDiskError{{Disk: "vdb", Error: libvirt.DOMAIN_DISK_ERROR_UNSPEC}}))
	stop.Start()
	t.Until(backLimit, "the resumed guest has written to the disk whose server is back", func() bool { d.ResumeWhenPaused(); return stop.Holds(mib, word) })
	written()
	g.ExpectGoesOn(mark)
})

// hangs starts a guest whose NBD server hangs while the guest writes.
func hangs(t *steps.T) *steps.Domain {
	server := t.ServeNBD("hangs", size)
	d, g := t.Started(server.Disk("vdb"))
	seen, _ := g.Disk("vdb")
	server.Freeze()
	g.WriteLater(seen.Name, mib, word)
	began := time.Now()
	d.AnswersUntil(func() bool { return time.Since(began) > t.Limit(2*steps.AnswerLimit) }, d.Questions(true))
	return d
}

// ends asserts that the guest is ended, though its emulator waits.
func ends(t *steps.T, d *steps.Domain) {
	t.Do("destroy domain", func() error { return t.Begin("destroy a guest whose disk hangs", d.Raw.Destroy).Try(endLimit) })
	d.ExpectOff(libvirt.DOMAIN_SHUTOFF_DESTROYED)
}

var _ = check.Register("O-DISK-NBD-HANG", check.Spec{
	Asserts:  "While the NBD server of a running guest's disk hangs, libvirt tells all that is asked of the guest, and ends it in time",
	Requires: kvm("4.7"),
	Depends:  stack,
	Control:  sabotage.Delay("virDomainGetXMLDesc", 4*steps.AnswerLimit),
}, func(t *steps.T) { ends(t, hangs(t)) })

// The emulator pauses a guest once all is written, and answers nothing until then.
var _ = check.Register("O-DISK-NBD-STUCK", check.Spec{
	Asserts:  "A suspension that waits for a hanging NBD server keeps nobody from the guest's XML, its state and its end",
	Requires: kvm("4.7"),
	Depends:  stack,
	Control:  sabotage.Swallow("virDomainDestroy"),
}, func(t *steps.T) {
	d := hangs(t)
	own := t.NewConnection().Lookup(d.Name)
	suspension := t.Begin("suspend a guest whose disk hangs", own.Raw.Suspend)
	began := time.Now()
	d.AnswersUntil(func() bool { return time.Since(began) > t.Limit(2*steps.AnswerLimit) }, d.Questions(false))
	ends(t, d)
	t.Expect(suspension.Try(endLimit)).NotTo(Succeed(), "the suspension of a guest that was ended")
})
