package steps

import (
	"context"
	"fmt"
	"time"

	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/matrix"
	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"
)

// AnswerLimit bounds a call that only reads while a long job runs, at scale 1.
const AnswerLimit = 3 * time.Second

// Job is a call that takes long.
type Job struct {
	t     *T
	op    string
	began time.Time
	over  chan struct{}
	err   error
}

// Begin makes a call and does not wait for it.
func (t *T) Begin(op string, call func() error) *Job {
	j := &Job{t: t, op: op, began: time.Now(), over: make(chan struct{})}
	calls := &t.s.calls
	calls.Add(1)
	go func() {
		defer calls.Done()
		defer close(j.over)
		j.err = call()
	}()
	return j
}

// Over says whether the call has returned.
func (j *Job) Over() bool {
	select {
	case <-j.over:
		return true
	default:
		return false
	}
}

// Try waits for the call and returns libvirt's error.
func (j *Job) Try(limit time.Duration) error {
	return j.t.tryWithin(limit, j.op, func() error { <-j.over; return j.err })
}

// End waits for the call and returns its error as it is: who ends daemons knows what to
// make of a connection that broke.
func (j *Job) End(limit time.Duration) error {
	return j.t.await(patience{op: j.op, limit: limit, layer: matrix.LayerManagement, who: "libvirt"},
		func(context.Context) error { <-j.over; return j.err })
}

// progress is the question for a job's.
const progress = "job's progress"

// Question is a call that only reads.
type Question struct {
	what string
	ask  func() error
}

// NewQuestion is one of a check's own.
func NewQuestion(what string, ask func() error) Question { return Question{what, ask} }

// PlainQuestions are calls that only read, and look at nothing but what the daemon knows, on a
// connection of their own.
func (d *Domain) PlainQuestions() []Question {
	c := d.t.NewConnection()
	own := c.Lookup(d.Name).Raw
	return []Question{
		{"domain's XML", func() error { _, err := own.GetXMLDesc(0); return err }},
		{"domain's state", func() error { _, _, err := own.GetState(); return err }},
		{"domain's info", func() error { _, err := own.GetInfo(); return err }},
		{"list of domains", func() error { all, err := c.Raw.ListAllDomains(0); freeDomains(all); return err }},
	}
}

// Questions are these and a domain's statistics, and its job's. While the emulator itself
// answers nothing, its statistics are asked for as one who must not wait does, and a job's
// progress, which libvirt waits for (qemuDomainGetJobStatsInternal), is not.
func (d *Domain) Questions(emulatorAnswers bool) []Question {
	c := d.t.NewConnection()
	own := c.Lookup(d.Name).Raw
	var stats libvirt.ConnectGetAllDomainStatsFlags
	if !emulatorAnswers {
		stats = libvirt.CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT
	}
	questions := append(d.PlainQuestions(), Question{"statistics", func() error {
		all, err := c.Raw.GetAllDomainStats([]*libvirt.Domain{own}, 0, stats)
		for _, s := range all {
			_ = s.Domain.Free()
		}
		return err
	}})
	if emulatorAnswers {
		questions = append(questions, Question{progress, func() error { _, err := own.GetJobStats(0); return err }})
	}
	return questions
}

func freeDomains(all []libvirt.Domain) {
	for i := range all {
		_ = all[i].Free()
	}
}

// AnswersUntil asserts that the questions, and virsh, are answered in time again and
// again until the job is over, which must take longer than an answer may.
func (d *Domain) AnswersUntil(over func() bool, questions []Question) {
	began, slowest, what := time.Now(), time.Duration(0), ""
	for !over() {
		for _, q := range questions {
			asked := time.Now()
			d.t.doWithin(AnswerLimit, "ask for the "+q.what+" while a job runs", q.ask)
			if took := time.Since(asked); took > slowest {
				slowest, what = took, q.what
			}
		}
		if res := d.t.RunWithin(AnswerLimit, "virsh -r -c "+d.t.URI()+" domblklist "+d.Name); !res.OK() {
			d.t.Fail(d.t.Layer, "virsh does not list the disks while a job runs: %s", res.Text())
		}
	}
	if took := time.Since(began); took < d.t.Limit(AnswerLimit) {
		d.t.must(fault.Infraf("keep a job running", "it was over in %s, and tells nothing of answers within %s", took, d.t.Limit(AnswerLimit)), "")
	}
	d.t.Note("the slowest answer of %s was the %s, after %s", time.Since(began).Round(time.Second), what, slowest.Round(time.Millisecond))
}

// Slow is a rate at scale 1 in this machine's time.
func (t *T) Slow(rate uint64) uint64 {
	return uint64(float64(rate) * float64(time.Second) / float64(t.Limit(time.Second)))
}

// SlowDisk is a disk with internal snapshots to which no more than so many bytes a
// second at scale 1 are written, whoever writes.
func (t *T) SlowDisk(name string, bytesPerSecond uint64) domain.Option {
	image, pid := t.QCOW2(name, ""), t.Scratch(name+".pid")
	socket, _ := t.NBDSocket(name+"-nbd", "")
	// An export does not grow.
	t.Sh(fmt.Sprintf("truncate -s 512M %s && %s --fork --persistent --shared=4 --socket=%s --pid-file=%s "+
		"--object throttle-group,id=slow,x-bps-write=%d --image-opts driver=throttle,throttle-group=slow,file.driver=file,file.filename=%s && chmod 777 %s",
		image, t.Program("qemu-nbd"), socket, pid, t.Slow(bytesPerSecond), image, socket))
	t.Cleanup(func() { t.Sh("kill $(cat " + pid + ")") })
	return func(d *libvirtxml.Domain) {
		d.Devices.Disks = append(d.Devices.Disks, *domain.NewDisk("", "qcow2", domain.NBD("", socket, 0)))
	}
}

// Dirty has the guest fill so much of its memory with noise, in MiB, and keep changing
// it.
func (g *Guest) Dirty(mib int) {
	guestSays(g, "change its memory", func(c *l2.Client, ctx context.Context) (struct{}, error) {
		return struct{}{}, c.Dirty(ctx, mib)
	})
}
