package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/journal"
	"github.com/virtmatrix/virtmatrix/internal/rundir"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/reports"
)

// largeRun stores a run of so many cells and checks, of which the last check fails.
func largeRun(t *testing.T, runs string, cells, checks int) *rundir.Dir {
	t.Helper()
	plan := &matrix.Plan{Version: matrix.PlanVersion, Profile: "large"}
	for c := range cells {
		cell := matrix.Cell{ID: fmt.Sprintf("kvm_linux-6.%d_qemu-10.0_libvirt-11.3_tier-container", c), Kind: matrix.KVM, Tier: matrix.Container}
		for i := range checks {
			cell.Checks = append(cell.Checks, matrix.PlannedCheck{ID: fmt.Sprintf("O-CHECK-%03d", i), Family: "outbound/lifecycle", Tier: matrix.Container})
		}
		plan.Cells = append(plan.Cells, cell)
	}
	if err := plan.Seal(); err != nil {
		t.Fatal(err)
	}
	s := &site{plan: plan}
	var answers []journal.Record
	for i := range plan.Cells {
		for n, p := range plan.Cells[i].Checks {
			r := pass(plan, &plan.Cells[i], p, judgedAt)
			r.Notes = []string{"in a container of Docker 27.5", "a fresh host: it was started in 2.1s"}
			if n == checks-1 {
				r.End(badRestore)
			}
			answers = append(answers, r)
		}
	}
	d, err := s.write(runs, plan, answers)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestAHistoryOfAHundredRunsIsReadAtOnce(t *testing.T) {
	cells, checks, count := 20, 300, 100
	if testing.Short() {
		cells, checks, count = 2, 30, 20
	}
	runs := t.TempDir()
	first := largeRun(t, runs, cells, checks)
	start := time.Now()
	if _, err := tally(first); err != nil {
		t.Fatal(err)
	}
	whole := time.Since(start)
	for n := 1; n < count; n++ {
		to := filepath.Join(runs, fmt.Sprintf("run-%03d", n))
		if err := os.MkdirAll(to, 0o755); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"plan.json", "journal-1.ndjson", tallyName} {
			if err := os.Link(first.Path(name), filepath.Join(to, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	start = time.Now()
	h, err := earlier(runs, 1000, "")
	if err != nil {
		t.Fatal(err)
	}
	took := time.Since(start)
	t.Logf("%d runs x %d checks x %d cells: %d ms by tallies; one journal takes %d ms", count, checks, cells, took.Milliseconds(), whole.Milliseconds())
	if len(h.Rates) != cells*checks || took > 5*time.Second {
		t.Errorf("%d questions in %s", len(h.Rates), took)
	}
	for q, r := range h.Rates {
		if want := (reports.Rate{Passed: count, Asked: count}); r.Asked != want.Asked || (r.Passed == 0) != (q.Check == fmt.Sprintf("O-CHECK-%03d", checks-1)) {
			t.Fatalf("%v: %s", q, r)
		}
	}
}

func size(t *testing.T, path string) int64 {
	t.Helper()
	st, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return st.Size()
}

func TestATallyIsCountedAgainWhenTheJournalGrew(t *testing.T) {
	runs := t.TempDir()
	d := largeRun(t, runs, 1, 3)
	if _, err := tally(d); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"torn": `{"journal":`, "of another journal": `{"version":2,"journal":1,"tally":{}}`,
		"of a newer version": fmt.Sprintf(`{"version":3,"journal":%d,"tally":{}}`, size(t, d.Path("journal-1.ndjson")))} {
		if err := os.WriteFile(d.Path(tallyName), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		h, err := earlier(runs, 10, "")
		if err != nil || len(h.Rates) != 3 {
			t.Errorf("with a tally that is %s: %d questions, %v", name, len(h.Rates), err)
		}
	}
	if h, err := earlier(runs, 10, d.Path()); err != nil || len(h.Rates) != 0 {
		t.Errorf("a run counts for itself: %v, %v", h, err)
	}
}
