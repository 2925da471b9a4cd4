package cell

import (
	"context"
	"fmt"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/console"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// Console is everything that L1's console printed since its boot.
func (t *T) Console(ctx context.Context) string {
	text, err := t.Host(ctx).Console().Since(0)
	t.must(err, "read L1's console")
	return string(text)
}

// Clean asserts that what L1's kernel printed, on its console or into its log,
// holds no trouble but what allow.yaml lets through.
func (t *T) Clean(text string) {
	allowed, err := Allowances()
	t.must(err, "read L1's log")
	if found := console.Scan([]byte(text), allowed); len(found) > 0 {
		t.must(t.trouble("L1", found, matrix.LayerKernel), "read L1's log")
	}
}

// Limit is a duration at scale 1 in this machine's time.
func (t *T) Limit(d time.Duration) time.Duration { return t.cell.limit(d) }

// TookTooLong ends the attempt because something did. When the machine starved
// the host meanwhile, that is our fault and not the product's.
func (t *T) TookTooLong(format string, args ...any) { t.late(t.sched, fmt.Sprintf(format, args...)) }
