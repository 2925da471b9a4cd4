package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/virtmatrix/virtmatrix/reports"
)

// times prints where the time went and where the files are.
func (r *runner) times(m *reports.Matrix) {
	wall := time.Since(r.began)
	checking, own := r.checkTime(m)
	inside := max(checking-own, 0)
	outside := max(wall-inside, 0)
	fmt.Fprintf(r.stdout, "\ntime: %s in all, of which %s inside guests and %s (%.0f%%) not: planning %s, cache %s, images %s, suites %s\n",
		spell(wall), spell(inside), spell(outside), 100*outside.Seconds()/max(wall.Seconds(), 0.001),
		spell(r.planning), spell(r.cache), spell(r.building), spell(max(r.suite-inside, 0)))
	fmt.Fprintf(r.stdout, "report:   %s\nevidence: %s\nlog:      %s\n",
		short(r.dir.Path("report.html")), short(r.dir.Path("cells")), short(r.dir.Log()))
}

// checkTime returns for how long checks of this command were under way, and
// the part of it that was the harness's own. Those of a run that it went on
// with were another command's. The own work of cells that ran side by side was
// done side by side too.
func (r *runner) checkTime(m *reports.Matrix) (under, own time.Duration) {
	type span struct{ from, to time.Time }
	var spans []span
	for i := range m.Results {
		if rec := m.Results[i].Record; rec != nil && !rec.Started.Before(r.began) {
			spans = append(spans, span{rec.Started, rec.Started.Add(seconds(rec.Seconds))})
			own += seconds(rec.Seconds - rec.GuestSeconds)
		}
	}
	slices.SortFunc(spans, func(a, b span) int { return a.from.Compare(b.from) })
	var end time.Time
	for _, s := range spans {
		if s.from.After(end) {
			end = s.from
		}
		if s.to.After(end) {
			under, end = under+s.to.Sub(end), s.to
		}
	}
	return under, own / time.Duration(r.processes())
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// processes is how many Ginkgo processes run the plan's families.
func (r *runner) processes() int {
	n := r.parallel
	if n == 0 {
		n = r.fits
	}
	return max(1, min(n, r.plan.Units()))
}
