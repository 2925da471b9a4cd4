package steps

import (
	"slices"
	"sync"
	"time"

	"libvirt.org/go/libvirt"
)

// BlockJob is the job that works on a disk; its type is unknown when there is none.
func (d *Domain) BlockJob(dev string) *libvirt.DomainBlockJobInfo {
	return Get(d.t, "ask for block job", func() (*libvirt.DomainBlockJobInfo, error) {
		return d.Raw.GetBlockJobInfo(dev, libvirt.DOMAIN_BLOCK_JOB_INFO_BANDWIDTH_BYTES)
	})
}

// WaitBlockJobReady waits until a job that goes on until it is told to end has all.
func (d *Domain) WaitBlockJobReady(dev string) {
	d.t.Until(stateLimit, "the job of "+dev+" is ready", func() bool {
		// Not before it is ready is all of it done (qemuBlockJobInfoTranslate).
		job := d.BlockJob(dev)
		return job.Type != libvirt.DOMAIN_BLOCK_JOB_TYPE_UNKNOWN && job.Cur == job.End
	})
}

// AwaitBlockJob returns once a disk's job has all or is over, with the error of whoever asks
// meanwhile.
func AwaitBlockJob(d *libvirt.Domain, dev string) error {
	for {
		job, err := d.GetBlockJobInfo(dev, 0)
		if err != nil || job.Type == libvirt.DOMAIN_BLOCK_JOB_TYPE_UNKNOWN || job.Cur == job.End {
			return err
		}
		<-time.After(jobPoll)
	}
}

// PivotBlockJob has a disk go on with the image of a job that has all. The emulator may know that
// a moment before libvirt does, which refuses to pivot until then.
func PivotBlockJob(d *libvirt.Domain, dev string) (err error) {
	for range 100 {
		if err = d.BlockJobAbort(dev, libvirt.DOMAIN_BLOCK_JOB_ABORT_PIVOT); Code(err) != libvirt.ERR_BLOCK_COPY_ACTIVE {
			return err
		}
		<-time.After(jobPoll)
	}
	return err
}

// jobPoll is how long who waits for a job waits before it asks again.
const jobPoll = 10 * time.Millisecond

// EndBlockJob ends the job that works on a disk.
func (d *Domain) EndBlockJob(dev string, flags libvirt.DomainBlockJobAbortFlags) {
	d.t.Do("end block job", func() error { return d.Raw.BlockJobAbort(dev, flags) })
}

// CopyDisk begins to copy a disk to a new place, with so many bytes a second; 0 is as
// many as there are.
func (d *Domain) CopyDisk(dev string, to device, bandwidth uint64) {
	xml := d.t.Marshal(to)
	d.t.Do("copy disk", func() error {
		// Libvirt before blockdev takes no other for a domain that persists.
		return d.Raw.BlockCopy(dev, xml, &libvirt.DomainBlockCopyParameters{BandwidthSet: bandwidth > 0, Bandwidth: bandwidth}, libvirt.DOMAIN_BLOCK_COPY_TRANSIENT_JOB)
	})
}

// Heard are events of a kind that came, in their order.
type Heard[E any] struct {
	t    *T
	mu   sync.Mutex
	came []E
}

// take runs on libvirt's event loop.
func (w *Heard[E]) take(e E) { w.mu.Lock(); defer w.mu.Unlock(); w.came = append(w.came, e) }

// All are the events that came so far.
func (w *Heard[E]) All() []E { w.mu.Lock(); defer w.mu.Unlock(); return slices.Clone(w.came) }

// Wait waits for an event.
func (w *Heard[E]) Wait(what string, is func(E) bool) {
	defer func() {
		if all := w.All(); !slices.ContainsFunc(all, is) {
			w.t.Note("no event that %s in %v", what, all)
		}
	}()
	w.t.Until(eventLimit, "an event tells that "+what, func() bool { return slices.ContainsFunc(w.All(), is) })
}

// watch collects events of the domain until the check is over.
func watch[E any](d *Domain, register func(*libvirt.Connect, func(E)) (int, error)) *Heard[E] {
	conn, told := d.t.Connection().Raw, &Heard[E]{t: d.t}
	id := Get(d.t, "register for events", func() (int, error) { return register(conn, told.take) })
	d.t.Cleanup(func() { d.t.Do("deregister from events", func() error { return conn.DomainEventDeregister(id) }) })
	return told
}

// WatchBlockJobs collects what libvirt tells of jobs of the domain's disks.
func (d *Domain) WatchBlockJobs() *Heard[libvirt.DomainEventBlockJob] {
	return watch(d, func(conn *libvirt.Connect, take func(libvirt.DomainEventBlockJob)) (int, error) {
		return conn.DomainEventBlockJob2Register(d.Raw, func(_ *libvirt.Connect, _ *libvirt.Domain, e *libvirt.DomainEventBlockJob) { take(*e) })
	})
}

// WatchThresholds collects what libvirt tells of thresholds that writes went past.
func (d *Domain) WatchThresholds() *Heard[libvirt.DomainEventBlockThreshold] {
	return watch(d, func(conn *libvirt.Connect, take func(libvirt.DomainEventBlockThreshold)) (int, error) {
		return conn.DomainEventBlockThresholdRegister(d.Raw, func(_ *libvirt.Connect, _ *libvirt.Domain, e *libvirt.DomainEventBlockThreshold) { take(*e) })
	})
}
