package qemu

import (
	"time"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// migrationLimit bounds a migration to a file at scale 1. The guest has 128
// MiB, of which it used half.
const migrationLimit = 2 * time.Minute

// A running guest is migrated to a file, and another emulator is started from it. The
// guest must not notice more than a pause.
var _ = check.Register("IQ-MIG-FILE", check.Spec{
	Asserts:  "A guest migrated to a file and back goes on where it was",
	Requires: []matrix.Requirement{matrix.KVMStack},
	Depends:  check.On(matrix.Linux, matrix.QEMU, "machine", "accel"),
	Control:  sabotage.Guest(l2.ForgetWord),
}, func(t *steps.T) {
	who := t.NewGuest()
	args := domain.Arguments(who, t.Settings())
	file := t.Scratch("state")

	first := t.StartQEMU(args...)
	first.Do("cont", nil, nil)
	g := first.Guest(who)
	before := g.Mark()
	first.Do("migrate", map[string]any{"uri": "exec:cat > " + host.Quote(file)}, nil)
	t.Until(migrationLimit, "the migration is over", func() bool { return migrated(t, first) })
	t.Expect(runState(first)).To(Equal("postmigrate"), "the state of the emulator that gave its guest away")
	first.Quit()
	t.Note("state file: %s bytes", t.Sh("stat -c %s "+file))

	second := t.StartQEMU(append(args, "-incoming", "exec:cat "+host.Quote(file))...)
	t.Until(migrationLimit, "the second emulator has the guest", func() bool { return runState(second) != "inmigrate" })
	second.Do("cont", nil, nil)
	t.Expect(runState(second)).To(Equal("running"), "the state of the emulator that took the guest over")
	second.Guest(who).ExpectGoesOn(before)
	second.Quit()
})

// migrated says whether a migration is over; one that failed ends the check.
func migrated(t *steps.T, q *steps.QEMU) bool {
	var info struct {
		Status string `json:"status"`
		Error  string `json:"error-desc"`
	}
	q.Do("query-migrate", nil, &info)
	t.Expect(info.Status).NotTo(BeElementOf("failed", "cancelled"), "the state of the migration: %s", info.Error)
	return info.Status == "completed"
}

func runState(q *steps.QEMU) string {
	var info struct {
		Status string `json:"status"`
	}
	q.Do("query-status", nil, &info)
	return info.Status
}
