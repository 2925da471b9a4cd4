package steps

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/internal/layout"
)

// jobLimit bounds a job of an emulator with a small guest, at scale 1: 128 MiB of
// memory, of which it used half, or a disk of 16 MiB.
const jobLimit = 2 * time.Minute

// Swallowed is a QMP command that emulators never get, and that is taken as done.
type Swallowed struct {
	Command string
	// Times counts how often it was given.
	Times int
}

// SwallowQMP has a command never reach an emulator, as a control.
func (t *T) SwallowQMP(command string) *Swallowed {
	t.swallowed = &Swallowed{Command: command}
	return t.swallowed
}

// StartGuest starts the smallest guest on the cell's emulator itself, with more arguments
// than it needs, and returns both once it has spoken.
func (t *T) StartGuest(more ...string) (*QEMU, *Guest) { return t.StartGuestAs(t.Settings(), more...) }

// StartGuestAs is StartGuest with other settings than the cell's.
func (t *T) StartGuestAs(s domain.Settings, more ...string) (*QEMU, *Guest) {
	who := t.NewGuest()
	q := t.StartQEMU(append(domain.Arguments(who, s), more...)...)
	q.Do("cont", nil, nil)
	return q, q.Guest(who)
}

// StartIncoming starts an emulator with the arguments of another one, which may be of
// another host, that waits for its guest to come from a URI.
func (t *T) StartIncoming(of *QEMU, uri string) *QEMU {
	return t.StartQEMU(append(slices.Clone(of.args), "-incoming", uri)...)
}

// State is what the emulator says of its guest.
func (q *QEMU) State() string {
	var info struct {
		Status string `json:"status"`
	}
	q.Do("query-status", nil, &info)
	return info.Status
}

// Migrate sends the guest to a URI, and returns when the emulator has given it away.
func (q *QEMU) Migrate(uri string) {
	q.Do("migrate", map[string]any{"uri": uri}, nil)
	q.WaitMigrated()
}

// MigrateTo sends the guest to another emulator, which waits for it at a URI.
func (q *QEMU) MigrateTo(next *QEMU, uri string) {
	q.Do("migrate", map[string]any{"uri": uri}, nil)
	why := q.EndMigration()
	if why == "" {
		return
	}
	if next.over(emulatorLimit) {
		why += "; the emulator that it was for ended with " + next.lastWords()
	}
	q.t.Fail(q.t.Layer, "the guest does not go over: %s", why)
}

// WaitMigrated waits until the emulator has given its guest away.
func (q *QEMU) WaitMigrated() { q.t.Expect(q.EndMigration()).To(gomega.BeEmpty()) }

// Enable turns a capability of migrations on.
func (q *QEMU) Enable(capability string) {
	q.Do("migrate-set-capabilities", map[string]any{"capabilities": []any{map[string]any{"capability": capability, "state": true}}}, nil)
}

// MigrationState is the state of a migration, "" when there is none.
func (q *QEMU) MigrationState() string { state, _ := q.migration(); return state }

func (q *QEMU) migration() (state, why string) {
	var info struct {
		Status string `json:"status"`
		Error  string `json:"error-desc"`
	}
	q.Do("query-migrate", nil, &info)
	return info.Status, info.Error
}

// EndMigration waits until a migration is over. It returns why the guest stayed, "" when
// the emulator has given it away.
func (q *QEMU) EndMigration() (why string) {
	state := ""
	q.t.Until(jobLimit, "the migration is over", func() bool {
		state, why = q.migration()
		return slices.Contains([]string{"", "completed", "failed", "cancelled"}, state)
	})
	if state != "completed" {
		return fmt.Sprintf("the migration is %q: %s", state, why)
	}
	q.t.Expect(q.State()).To(gomega.Equal("postmigrate"), "the state of the emulator that gave its guest away")
	return ""
}

// filtered is the note of a process that its filter of system calls ended (SIGSYS).
const filtered = host.CrashedBy + " 31"

// TryFatal does what the emulator may end at. It returns how it ended, "" when it goes on:
// then it may have been a child of its own that the filter ended (qemu 5.2).
func (q *QEMU) TryFatal(op string, steps func()) (end string) {
	err := caught(steps)
	if err == nil {
		q.t.excuseCrashes(filtered)
		return ""
	}
	if !q.over(emulatorLimit) {
		q.t.must(err, op)
	}
	q.t.excuseCrashes("")
	return q.lastWords()
}

// WaitIncoming waits until what the emulator was started for has come.
func (q *QEMU) WaitIncoming() {
	q.t.Until(jobLimit, "the emulator has the guest that came", func() bool { return q.State() != "inmigrate" })
}

// TakeOver waits until the guest of another emulator has come, has it run and returns it.
func (q *QEMU) TakeOver(g *Guest) *Guest {
	q.WaitIncoming()
	q.Do("cont", nil, nil)
	q.t.Expect(q.State()).To(gomega.Equal("running"), "the state of the emulator that took the guest over")
	return q.Guest(domain.Guest{Name: g.Name, Token: g.Token})
}

// TryTakeOver is TakeOver of a guest that may not be understood: then the emulator has
// ended, and why is what it said.
func (q *QEMU) TryTakeOver(g *Guest) (here *Guest, why string) {
	why = q.TryFatal("take over a guest", func() { here = q.TakeOver(g) })
	return here, why
}

// HMP gives a command of the monitor for people, which says nothing when it is done.
func (q *QEMU) HMP(line string) {
	var said string
	q.Do("human-monitor-command", map[string]any{"command-line": line}, &said)
	q.t.Expect(strings.TrimSpace(said)).To(gomega.BeEmpty(), "what the emulator says to %q", line)
}

// job is the ID of the one job that an emulator works on for a check.
const job = "virtmatrix-job"

// Job runs a command as a job to its end.
func (q *QEMU) Job(command string, args map[string]any) {
	q.BeginJob(command, args)
	q.EndJob()
}

// BeginJob begins a job, and returns when it is over or goes on only until it is told to
// end. Those of snapshots stay until they are dismissed, others must be told so.
func (q *QEMU) BeginJob(command string, args map[string]any) {
	args = maps.Clone(args)
	args["job-id"] = job
	if !strings.HasPrefix(command, "snapshot-") {
		args["auto-dismiss"] = false
	}
	q.Do(command, args, nil)
	q.WaitJob("ready", "concluded")
}

// WaitJob waits until the job has one of the states, and returns it.
func (q *QEMU) WaitJob(states ...string) (now string) {
	q.t.Until(jobLimit, "the job is "+strings.Join(states, " or "), func() bool {
		var jobs []struct{ ID, Status, Error string }
		q.Do("query-jobs", nil, &jobs)
		q.t.Expect(jobs).To(gomega.HaveLen(1), "jobs of the emulator")
		q.t.Expect(jobs[0].Error).To(gomega.BeEmpty(), "error of the job")
		now = jobs[0].Status
		return slices.Contains(states, now)
	})
	return now
}

// EndJob has the job end, which must have gone well.
func (q *QEMU) EndJob() {
	if q.WaitJob("ready", "concluded") == "ready" {
		q.Do("job-complete", map[string]any{"id": job}, nil)
		q.WaitJob("concluded")
	}
	q.Do("job-dismiss", map[string]any{"id": job}, nil)
}

// Plug gives the guest a device.
func (q *QEMU) Plug(driver, id string, properties map[string]any) {
	args := map[string]any{"driver": driver, "id": id}
	maps.Copy(args, properties)
	q.Do("device_add", args, nil)
}

// Unplug takes a device from the guest, and returns when the guest has let it go.
func (q *QEMU) Unplug(id string) {
	q.Do("device_del", map[string]any{"id": id}, nil)
	q.t.Until(PlugLimit, "the emulator no longer has device "+id, func() bool { return !q.Has("/machine/peripheral", id) })
}

// Has says whether an object of the emulator has a property, which may be an object.
func (q *QEMU) Has(object, property string) bool {
	var list []struct{ Name string }
	q.Do("qom-list", map[string]any{"path": object}, &list)
	return slices.ContainsFunc(list, func(p struct{ Name string }) bool { return p.Name == property })
}

// Chardev is what a character device is connected to.
func (q *QEMU) Chardev(id string) string {
	var all []struct{ Label, Filename string }
	q.Do("query-chardev", nil, &all)
	for _, c := range all {
		if c.Label == id {
			return c.Filename
		}
	}
	q.t.Fail(q.t.Layer, "the emulator has no character device %s", id)
	return ""
}

// Emulator is where the host has the emulator.
func (t *T) Emulator() string { return t.Program(layout.Emulator) }
