package reports

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/journal"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// one is a plan of one cell that asks O-CONN and O-SAVE, and not O-MIG-P2P.
func one() (*matrix.Plan, string) {
	c := ask(stack(matrix.KVM, matrix.Native, "bookworm", "6.1", "7.2", "9.0"), "O-CONN", "O-SAVE", "O-MIG-P2P")
	c.Checks[2].Unsupported = "needs two hosts"
	return plan(c), c.ID
}

func TestJudgeGivesEachPlannedCheckItsVerdict(t *testing.T) {
	p, cell := one()
	tests := []struct {
		name    string
		answers []matrix.Verdict // to O-SAVE, in order
		want    matrix.Verdict
		earlier []matrix.Verdict
	}{
		{"no record", nil, matrix.Missing, nil},
		{"passed", []matrix.Verdict{matrix.Pass}, matrix.Pass, nil},
		{"failed", []matrix.Verdict{matrix.Fail}, matrix.Fail, nil},
		{"blocked", []matrix.Verdict{matrix.Blocked}, matrix.Blocked, nil},
		{"infra", []matrix.Verdict{matrix.Infra}, matrix.Infra, nil},
		{"the last of several wins", []matrix.Verdict{matrix.Infra, matrix.Fail, matrix.Pass}, matrix.Pass, []matrix.Verdict{matrix.Infra, matrix.Fail}},
		{"a later failure wins too", []matrix.Verdict{matrix.Pass, matrix.Fail}, matrix.Fail, []matrix.Verdict{matrix.Pass}},
		{"a suite cannot excuse itself", []matrix.Verdict{matrix.Unsupported}, matrix.Missing, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			records := []journal.Record{record(p, cell, "O-CONN", matrix.Pass)}
			for _, v := range test.answers {
				records = append(records, record(p, cell, "O-SAVE", v))
			}
			m := Judge(p, records, nil)
			r := m.Result(cell, "O-SAVE")
			if r.Verdict != test.want || !slices.Equal(r.Earlier, test.earlier) {
				t.Errorf("got %s after %v, want %s after %v", r.Verdict, r.Earlier, test.want, test.earlier)
			}
			if (r.Record != nil) != (len(test.answers) > 0) {
				t.Errorf("record: %v", r.Record)
			}
			if r.Verdict == matrix.Missing && r.Reason == "" {
				t.Error("MISSING without a reason")
			}
			if len(m.Results) != 3 || len(m.Stray) != 0 {
				t.Errorf("%d results, strays %v", len(m.Results), m.Stray)
			}
			if u := m.Result(cell, "O-MIG-P2P"); u.Verdict != matrix.Unsupported || u.Reason != "needs two hosts" {
				t.Errorf("unsupported: %+v", u)
			}
		})
	}
}

func TestJudgeListsRecordsThatThePlanDidNotAskForAsStray(t *testing.T) {
	p, cell := one()
	otherPlan := record(p, cell, "O-SAVE", matrix.Pass)
	otherPlan.Plan = "another"
	tests := []struct {
		name string
		r    journal.Record
		want string
	}{
		{"another plan", otherPlan, `it answers the plan "another"`},
		{"unknown cell", record(p, "kvm_other", "O-SAVE", matrix.Pass), "no such cell"},
		{"unplanned check", record(p, cell, "O-EVIL", matrix.Pass), "does not ask this"},
		{"ran although it does not apply", record(p, cell, "O-MIG-P2P", matrix.Pass), "needs two hosts"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := Judge(p, []journal.Record{record(p, cell, "O-CONN", matrix.Pass), record(p, cell, "O-SAVE", matrix.Pass), test.r}, nil)
			if len(m.Stray) != 1 || !strings.Contains(m.Stray[0].Problem, test.want) {
				t.Fatalf("strays: %+v, want one with %q", m.Stray, test.want)
			}
			d := Gate(m, DefaultPolicy(), noon)
			if d.Code != NoAnswer || !strings.Contains(d.Reasons[0], test.want) {
				t.Errorf("gate: %v %q", d.Code, d.Reasons)
			}
		})
	}
}

func TestUnsupportedCheckMayBeJournaledAsSuch(t *testing.T) {
	p, cell := one()
	m := Judge(p, []journal.Record{record(p, cell, "O-MIG-P2P", matrix.Unsupported)}, nil)
	if r := m.Result(cell, "O-MIG-P2P"); r.Verdict != matrix.Unsupported || len(m.Stray) != 0 {
		t.Errorf("%+v, strays %v", r, m.Stray)
	}
}

func TestJudgeSumsUpTheRun(t *testing.T) {
	p, cell := one()
	first := record(p, cell, "O-CONN", matrix.Pass)
	second := record(p, cell, "O-SAVE", matrix.Pass)
	second.Started = noon.Add(time.Minute)
	second.Harness = "v0.2.0"
	second.Accelerators = map[string]string{"L2": "tcg"}
	run := Judge(p, []journal.Record{second, first}, nil).Run
	if !run.Started.Equal(noon) || run.WallSeconds != 72.5 || run.GuestSeconds != 20 {
		t.Errorf("started %v, wall %v, guest %v", run.Started, run.WallSeconds, run.GuestSeconds)
	}
	if !slices.Equal(run.Harness, []string{"v0.1.0-3-gabcdef0", "v0.2.0"}) {
		t.Errorf("harness: %v", run.Harness)
	}
	if !slices.Equal(run.Accelerators["L2"], []string{"kvm", "tcg"}) {
		t.Errorf("accelerators: %v", run.Accelerators)
	}
	if run.Profile != "smoke" || run.Plan != p.Hash {
		t.Errorf("run: %+v", run)
	}
}

func TestJudgeLimitsWhatAGuestMayStore(t *testing.T) {
	p, cell := one()
	r := record(p, cell, "O-SAVE", matrix.Fail)
	r.Reason = strings.Repeat("x", 10<<20)
	r.Said = slices.Repeat([]string{strings.Repeat("y", 1<<20)}, 300)
	kept := Judge(p, []journal.Record{r}, nil).Result(cell, "O-SAVE")
	if n := len(kept.Reason); n > storedText+64 {
		t.Errorf("reason has %d bytes", n)
	}
	if n := len(kept.Record.Said); n != storedLines+1 || len(kept.Record.Said[0]) > storedLine+64 {
		t.Errorf("said has %d lines of %d bytes", n, len(kept.Record.Said[0]))
	}
	if !strings.HasSuffix(kept.Reason, "more bytes)") || !strings.HasSuffix(kept.Record.Said[storedLines], "more lines)") {
		t.Error("what was cut is not named")
	}
}
