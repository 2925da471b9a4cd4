package reports

import (
	"strings"
	"testing"

	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/journal"
	"github.com/virtmatrix/virtmatrix/matrix"
)

func TestATrailSaysSinceWhenAFailureIsSeen(t *testing.T) {
	for answers, want := range map[string]string{
		"":      "",
		"ppp":   "✓✓✓✗  new: last passed in run-2",
		"ppf":   "✓✓✗✗  first seen in run-2, last passed in run-1",
		"fpffp": "✗✓✗✗✓✗  new: last passed in run-4",
		"ff":    "✗✗✗  failed in 2 runs before as well, first in run-0",
	} {
		var trail Trail
		for i, a := range answers {
			trail = append(trail, Point{"run-" + string(rune('0'+i)), a == 'p'})
		}
		if got := trail.String(); got != want {
			t.Errorf("%s: %q, want %q", answers, got, want)
		}
	}
	long := make(Trail, 100)
	if got := strings.Count(long.Draw(), "✗"); got != drawn+1 {
		t.Errorf("of 100 answers %d are drawn", got)
	}
}

func TestOnlyFailuresHaveATrailAndItPassesOverOtherPackages(t *testing.T) {
	p, cell := one()
	answered := func(ended error) *Matrix {
		r := record(p, cell, "O-SAVE", matrix.Pass)
		r.End(ended)
		return Judge(p, []journal.Record{record(p, cell, "O-CONN", matrix.Pass), r}, nil)
	}
	h := NewHistory()
	h.Add("20261101-first", answered(nil).Tally())
	moved := answered(fault.Productf(matrix.LayerHypervisor, "save", "refused")).Tally()
	for key, cell := range moved {
		delete(moved, key)
		moved[key+" of other packages"] = cell
	}
	h.Add("20261102-second", moved)
	m := answered(fault.Productf(matrix.LayerHypervisor, "save", "refused"))
	m.Remember(h, "20261103-third")
	save, conn := m.Result(cell, "O-SAVE"), m.Result(cell, "O-CONN")
	if got := save.Trail.Words(); got != "first seen in 20261102-second, last passed in 20261101-first" || save.Rate.Asked != 1 {
		t.Errorf("the failure: %q, %s", got, save.Rate)
	}
	if conn.Trail != nil || conn.Rate != (Rate{2, 2}) && conn.Rate != (Rate{1, 1}) {
		t.Errorf("the pass has %v, %s", conn.Trail, conn.Rate)
	}
	for name, text := range map[string]string{"terminal": render(t, "terminal", m, Options{}), "md": render(t, "md", m, Options{}), "html": render(t, "html", m, Options{})} {
		if !strings.Contains(text, "first seen in 20261102-second") {
			t.Errorf("%s does not say since when", name)
		}
	}
}
