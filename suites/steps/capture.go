package steps

import (
	"context"
	"fmt"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/capture"
	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// Captures takes what images hold.
type Captures interface {
	// Capture returns the facts of a kind that the cell's image holds, from the store or
	// taken now.
	Capture(ctx context.Context, cell *matrix.Cell, kind string) (capture.Set, error)
}

// PlantOlder gives the older version something that the newer lacks, as a control.
func (t *T) PlantOlder() { t.planted = true }

// captured returns the facts of a kind that the image of a cell holds.
func (t *T) captured(cell *matrix.Cell, kind string) capture.Set {
	set, err := t.Captures.Capture(t.ctx, cell, kind)
	t.must(err, "capture "+kind)
	return set
}

// shownFindings is how many findings an answer has; all are in its evidence. Known issues
// are held against each line, so an answer that is cut off cannot be known.
const shownFindings = 400

// ExpectNothingGone compares what the cell's version has of a kind with what the older
// one had: nothing that users could rely on may be gone, unless upstream has announced
// it. The whole difference is in the evidence.
func (t *T) ExpectNothingGone(kind string) {
	old, now := t.captured(t.Against, kind), t.captured(t.Cell, kind)
	if len(old.Facts) == 0 || len(now.Facts) == 0 {
		t.must(fault.Infraf("compare "+kind, "%s has %d facts and %s %d", old.Subject, len(old.Facts), now.Subject, len(now.Facts)), "")
	}
	if t.planted {
		old, now = capture.Plant(old, now)
	}
	d := capture.Compare(old, now)
	var all, gone, announced []string
	for _, g := range d.Groups {
		all = append(all, g.String())
	}
	t.KeepText("differences.txt", strings.Join(all, "\n")+"\n")
	for _, g := range d.Findings() {
		if g.Source != nil {
			announced = append(announced, fmt.Sprintf("%s: %s", g, g.Source))
		} else {
			gone = append(gone, g.String())
		}
	}
	if len(announced) > 0 {
		t.Note("announced by upstream: %s", strings.Join(announced, "; "))
	}
	t.Note("%d facts, %d before, %d groups differ", len(now.Facts), len(old.Facts), len(d.Groups))
	if n := len(gone); n > shownFindings {
		gone = append(gone[:shownFindings], fmt.Sprintf("and %d more", n-shownFindings))
	}
	if len(gone) > 0 {
		t.Fail(t.Layer, "%s differs from %s in what nobody announced:\n%s", now.Subject, old.Subject, strings.Join(gone, "\n"))
	}
}
