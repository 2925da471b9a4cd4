package inbound

import (
	"context"
	"time"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/suites/cell"
)

// migrationLimit bounds a migration to a file at scale 1. The guest has 128
// MiB, of which it used half.
const migrationLimit = 2 * time.Minute

// guestSurvivesFile migrates a running guest to a file and starts another
// emulator from it. The guest must not notice more than a pause.
func guestSurvivesFile(ctx context.Context, t *cell.T) {
	who := t.NewGuest()
	args := domain.Arguments(who, t.Settings())
	file := t.Scratch("state")

	first := t.StartQEMU(ctx, args...)
	first.Do(ctx, "cont", nil, nil)
	g := first.Meets(ctx, who)
	g.Keep(ctx, who.Token)
	before := g.Tick(ctx)
	first.Do(ctx, "migrate", map[string]any{"uri": "exec:cat > " + host.Quote(file)}, nil)
	t.Until(ctx, migrationLimit, "the migration is over", func() bool { return migrated(ctx, t, first) })
	t.Expect(runState(ctx, first)).To(Equal("postmigrate"), "the state of the emulator that gave its guest away")
	first.Quit(ctx)
	t.Note("state file: %s bytes", t.Sh(ctx, "stat -c %s "+file))

	second := t.StartQEMU(ctx, append(args, "-incoming", "exec:cat "+host.Quote(file))...)
	t.Until(ctx, migrationLimit, "the second emulator has the guest", func() bool { return runState(ctx, second) != "inmigrate" })
	second.Do(ctx, "cont", nil, nil)
	t.Expect(runState(ctx, second)).To(Equal("running"), "the state of the emulator that took the guest over")
	second.Meets(ctx, who)
	t.Expect(g.Kept(ctx)).To(Equal(who.Token), "the word that the guest keeps")
	g.TickedOn(ctx, before)
	second.Quit(ctx)
}

// migrated says whether a migration is over; one that failed ends the check.
func migrated(ctx context.Context, t *cell.T, q *cell.QEMU) bool {
	var info struct {
		Status string `json:"status"`
		Error  string `json:"error-desc"`
	}
	q.Do(ctx, "query-migrate", nil, &info)
	t.Expect(info.Status).NotTo(BeElementOf("failed", "cancelled"), "the state of the migration: %s", info.Error)
	return info.Status == "completed"
}

func runState(ctx context.Context, q *cell.QEMU) string {
	var info struct {
		Status string `json:"status"`
	}
	q.Do(ctx, "query-status", nil, &info)
	return info.Status
}
