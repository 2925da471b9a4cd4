package reports

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/virtmatrix/virtmatrix/internal/journal"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// stalling is a run of cells, "LINUX LIBVIRT", in which each check passed: of the first
// so many of a cell the first attempt stalled.
type stalling []struct {
	stack           string
	checks, stalled int
}

func (s stalling) judge(change func(*journal.Record)) *Matrix {
	var cells []matrix.Cell
	for _, c := range s {
		linux, libvirt, _ := strings.Cut(c.stack, " ")
		cell := stack(matrix.KVM, matrix.Bundled, "bookworm", linux, "10.0", libvirt)
		for i := range c.checks {
			cell = ask(cell, fmt.Sprintf("O-N%d", i))
		}
		cells = append(cells, cell)
	}
	p := plan(cells...)
	var records []journal.Record
	for i, c := range p.Cells {
		for j, check := range c.Checks {
			r := record(p, c.ID, check.ID, matrix.Pass)
			if j < s[i].stalled {
				r.Attempts, r.Stalls = 2, 1
			}
			if change != nil {
				change(&r)
			}
			records = append(records, r)
		}
	}
	return Judge(p, records, nil)
}

var (
	// bad stalls in 4 of 9 attempts with linux 7.3, and in 1 of 60 of the others.
	bad  = stalling{{"7.3 9.0", 3, 2}, {"7.3 11.3", 2, 2}, {"6.1 9.0", 30, 0}, {"6.12 11.3", 29, 1}}
	even = stalling{{"7.3 9.0", 20, 3}, {"7.3 11.3", 20, 3}, {"6.1 9.0", 20, 4}, {"6.12 11.3", 20, 3}}
	// alone has one linux, which nothing can be compared with.
	alone = stalling{{"7.3 9.0", 12, 4}, {"7.3 11.3", 12, 4}}
)

func TestAVersionThatStallsMoreOftenThanOthersHolds(t *testing.T) {
	for name, c := range map[string]struct {
		run  stalling
		want []string
		fact string
	}{
		"no stalls":     {stalling{{"7.3 9.0", 20, 0}, {"6.1 9.0", 20, 0}}, nil, ""},
		"evenly spread": {even, nil, "13 of 93 attempts on emulated hosts stalled"},
		"one bad version": {bad, []string{"linux 7.3: 4 of 9 attempts stalled; others 1 of 60 (chance 0.003)"},
			"5 of 69 attempts on emulated hosts stalled"},
		"two stalls are too few":           {stalling{{"7.3 9.0", 2, 2}, {"6.1 9.0", 200, 0}}, nil, "2 of 204 "},
		"a version that every cell has":    {alone, nil, "8 of 32 "},
		"versions that only come together": {stalling{{"7.3 11.3", 10, 5}, {"6.1 9.0", 60, 0}}, []string{"linux 7.3 or libvirt 11.3: 5 of 15 "}, "5 of 75 "},
		"two bad versions": {stalling{{"7.3 9.0", 20, 10}, {"6.1 11.3", 20, 8}, {"6.1 9.0", 40, 0}, {"6.12 9.0", 40, 0}},
			[]string{"linux 7.3: 10 of 30 ", "libvirt 11.3: 8 of 28 attempts stalled; others 0 of 80 "}, "18 of 138 "},
	} {
		t.Run(name, func(t *testing.T) {
			m := c.run.judge(nil)
			d := Gate(m, DefaultPolicy(), noon)
			if (d.Code == Hold) != (len(c.want) > 0) || d.Code == NoAnswer {
				t.Errorf("got %s %q", d.Code, d.Reasons)
			}
			for i, want := range c.want {
				if !strings.HasPrefix(d.Reasons[i], want) {
					t.Errorf("got %q, want %q", d.Reasons, c.want)
				}
			}
			if facts := strings.Join(m.facts(), "\n"); !strings.Contains(facts, c.fact) || c.fact == "" && strings.Contains(facts, "stalled") {
				t.Errorf("%q is not in the facts:\n%s", c.fact, facts)
			}
		})
	}
}

func TestOnlyForgivenAttemptsOnEmulatedHostsAreTrials(t *testing.T) {
	for name, change := range map[string]func(*journal.Record){
		"hosts under KVM":         func(r *journal.Record) { r.Accelerators = map[string]string{"L1": "kvm", "L2": "kvm"} },
		"containers":              func(r *journal.Record) { r.Accelerators = map[string]string{"L2": "tcg"} },
		"stalls that came twice":  func(r *journal.Record) { r.Verdict = matrix.Fail },
		"boots that failed twice": func(r *journal.Record) { r.Verdict = matrix.Blocked },
	} {
		if got := sum(bad.judge(change).trials()); got != (Trials{}) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestAStallIsCountedOnce(t *testing.T) {
	one := func(r *journal.Record) {
		r.Cached = &journal.Cached{Run: "earlier", Key: strings.TrimLeft(r.Check, "O-") + r.Cell[:strings.Index(r.Cell, "_libvirt")]}
	}
	m := stalling{{"7.3 9.0", 8, 4}, {"7.3 11.3", 8, 4}, {"6.1 9.0", 60, 0}}.judge(one)
	if got := sum(m.trials()); got != (Trials{72, 4}) {
		t.Errorf("one kept answer in two cells: %+v", got)
	}
	if d := Gate(m, DefaultPolicy(), noon); d.Code != Hold {
		t.Errorf("kept stalls do not hold: %q", d.Reasons)
	}
	p := sharing()
	stalled := record(p, p.Cells[1].ID, "O-CLI", matrix.Pass)
	stalled.Attempts, stalled.Stalls = 2, 1
	if got := sum(Judge(p, []journal.Record{stalled}, nil).trials()); got != (Trials{2, 1}) {
		t.Errorf("asked once for three cells: %+v", got)
	}
}

func TestStallsOfAnAnswerThatWasSoughtAgainCount(t *testing.T) {
	p, cell := one()
	first, last := record(p, cell, "O-CONN", matrix.Infra), record(p, cell, "O-CONN", matrix.Pass)
	first.Attempts, first.Stalls = 2, 1
	if got := sum(Judge(p, []journal.Record{first, last}, nil).trials()); got != (Trials{3, 1}) {
		t.Errorf("got %+v", got)
	}
}

func TestTooManyStallsAreNoAnswer(t *testing.T) {
	seven := 7
	p := Policy{BlockOn: Verdicts{matrix.Fail}, MaxStalls: &seven}
	if d := Gate(alone.judge(nil), p, noon); d.Code != NoAnswer || !strings.HasPrefix(d.Reasons[0], "8 of 32 attempts stalled and no version explains it (the policy allows 7)") {
		t.Errorf("got %s %q", d.Code, d.Reasons)
	}
	seven = 1
	if d := Gate(bad.judge(nil), p, noon); d.Code != Hold {
		t.Errorf("what a version explains is no illness: %s %q", d.Code, d.Reasons)
	}
}

// The lady of Fisher's book told 4 of 8 cups of tea; and 3 of 9 beside 0 of 60.
func TestFishersExactTest(t *testing.T) {
	for _, c := range []struct {
		a, b Trials
		want float64
	}{
		{Trials{4, 4}, Trials{4, 0}, 1. / 70}, {Trials{4, 3}, Trials{4, 1}, 17. / 70}, {Trials{4, 0}, Trials{4, 4}, 1},
		{Trials{9, 3}, Trials{60, 0}, 84. / 52394}, {Trials{5, 0}, Trials{5, 0}, 1},
	} {
		if got := fisher(c.a, c.b); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%v beside %v: %g, want %g", c.a, c.b, got, c.want)
		}
	}
}
