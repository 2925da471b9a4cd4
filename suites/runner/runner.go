// Package runner asks the checks of a plan: it gives each family of a cell its hosts,
// tries each check there, and writes what came of it into the journal.
//
// One path leads from a check to its verdict: Family.Answer runs the check's body with
// a steps.T, the steps turn what goes wrong into faults of the product or of our own
// where it happens, and Answer journals the verdict.
package runner

import (
	"context"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/capture"
	"github.com/virtmatrix/virtmatrix/internal/journal"
	"github.com/virtmatrix/virtmatrix/internal/progress"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// Booter boots fresh hosts of cells.
type Booter interface {
	// Reserve waits until the machine has room for the hosts, all of them at once. tell
	// is told why it waits, in words that follow "waiting".
	Reserve(ctx context.Context, c *matrix.Cell, want matrix.Hosts, tell func(why string)) (Place, error)
	// Start boots or restores hosts; their logs go below logDir.
	Start(ctx context.Context, c *matrix.Cell, want matrix.Hosts, logDir string) ([]steps.Host, error)
	// ForgetAll makes the next hosts ones that boot: no saved state of earlier ones
	// counts any more.
	ForgetAll(c *matrix.Cell, want matrix.Hosts) error
	// Capture returns the facts of a kind that the cell's images hold.
	Capture(ctx context.Context, c *matrix.Cell, kind string) (capture.Set, error)
	// KernelRelease is what uname -r prints under the cell's kernel.
	KernelRelease(c *matrix.Cell) (string, error)
	// Digests are the SHA-256 of the files that the cell's kernel and root are in, by
	// name, and of the commits on its medium, by branch.
	Digests(c *matrix.Cell) (map[string]string, error)
}

// Place is the room that hosts have on the machine.
type Place interface {
	// Uses names the process whose tree takes the room, where that is not below this
	// one.
	Uses(ctx context.Context, pid int) error
	// Release gives the room back, right before the hosts are ended.
	Release()
}

// Run is what the families of one suite process share.
type Run struct {
	// Plan is the frozen plan; Dir the run's folder.
	Plan *matrix.Plan
	Dir  string
	// Boot boots hosts, Journal takes the answers, Events tells people.
	Boot    Booter
	Journal Journal
	Events  progress.Sink
	// Deliver is how the packages of a candidate's cell come to a host.
	Deliver func(context.Context, *matrix.Cell) (steps.Deliveries, error)
	// Accel is L0's accelerator, Emulator the L0 emulator's version, Scale the machine's
	// time factor, Harness our own revision.
	Accel, Emulator, Harness string
	Scale                    float64
	// Engine is what makes containers, in words; empty when there is none.
	Engine string
	// Keep keeps the evidence of passes too.
	Keep bool
	// Selftest applies the control of each check, and wants it to fail.
	Selftest bool
	// left are the hosts of the family before.
	left hosts
}

// Discard ends the hosts that the last family left.
func (r *Run) Discard() { r.left.Discard() }

// Journal takes the answers of a run.
type Journal interface {
	Append(journal.Record) error
}

// limit is a duration scaled to the machine.
func (r *Run) limit(d time.Duration) time.Duration {
	return time.Duration(float64(d) * max(r.Scale, 1))
}
