package steps

import (
	"math/rand/v2"
	"syscall"
	"time"

	"github.com/onsi/gomega"
	"libvirt.org/go/libvirt"
)

// KillLimit bounds, at scale 1, how long after the emulator's death a call may take to
// return, and the domain to be off. libvirt waits half a minute for a job to end.
const KillLimit = 40 * time.Second

// KillDuring makes a call, kills the domain's emulator some time after it began, and
// returns the call's error. The call must return, the domain be off.
func (d *Domain) KillDuring(op string, after time.Duration, call func() error) error {
	j := d.t.Begin(op+" whose emulator is killed", call)
	d.t.pass(after)
	d.Kill()
	err := j.Try(KillLimit)
	d.t.Until(KillLimit, "the domain whose emulator was killed is off", func() bool { return !d.Active() })
	return err
}

// KillDaemonDuring makes a call, kills libvirt's daemon some time after it began, starts it
// anew, and returns the call's error.
func (t *T) KillDaemonDuring(op string, after time.Duration, call func() error) error {
	j := t.Begin(op+" whose daemon is killed", call)
	t.pass(after)
	t.RestartLibvirt(syscall.SIGKILL)
	return j.End(KillLimit)
}

// pass lets time pass, unless the attempt ends.
func (t *T) pass(d time.Duration) {
	select {
	case <-time.After(d):
	case <-t.ctx.Done():
	}
}

// Kill ends the domain's emulator with SIGKILL, if it runs.
func (d *Domain) Kill() { d.t.Run("kill -9 $(" + emulatorOf(d.Name) + ")") }

// Moments are how often something is killed in the middle of one job: at random in parts of
// the job that are equally long.
const Moments = 10

// InPart has something killed in the i-th of n equal parts of the time that a job took, and
// notes when that was and what the job's call came to.
func (t *T) InPart(i, n int, took time.Duration, kill func(after time.Duration) error) {
	after := time.Duration(float64(took) * (float64(i) + rand.Float64()) / float64(n))
	err := kill(after)
	t.Note("killed %s after it began, of %s: %s", after.Round(time.Millisecond), took.Round(time.Millisecond), Outcome(err))
}

// Outcome tells what a call came to.
func Outcome(err error) string {
	if err == nil {
		return "the call succeeded"
	}
	return Text(err)
}

// Settled is the domain under the next daemon, once that has its emulator back or has given it
// up: what takes part in the domain's jobs has to wait for that.
func (d *Domain) Settled() *Domain {
	d = d.Again()
	err := d.t.Try("ask for the memory", func() error {
		_, err := d.Raw.MemoryStats(1, 0)
		return err
	})
	d.t.Note("asked for the domain's memory: %s", Outcome(err))
	return d
}

// ExpectKept asserts that the next daemon has the guest as running. A domain that it cannot
// load is off to it, and could be started a second time.
func (d *Domain) ExpectKept() {
	t, state := d.t, d.State()
	if state != libvirt.DOMAIN_RUNNING && t.HasProcess(d.Name) {
		t.Fail(t.Layer, "the domain's state is %d under the next daemon, while its emulator runs: %s", state, t.DaemonSays("virDomain"))
	}
	t.Expect(state).To(gomega.Equal(libvirt.DOMAIN_RUNNING), "state of the guest whose daemon was killed")
}
