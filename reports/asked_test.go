package reports

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/virtmatrix/virtmatrix/internal/journal"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// sharing is a plan of the three cells of covering, in which the first answers IQ-QMP
// for the second, and the second O-CLI for both others.
func sharing() *matrix.Plan {
	p := coveringPlan("IQ-QMP", "O-CLI", "O-SAVE")
	p.Cells[1].Checks[0].AskedIn = p.Cells[0].ID
	p.Cells[0].Checks[1].AskedIn, p.Cells[2].Checks[1].AskedIn = p.Cells[1].ID, p.Cells[1].ID
	return p
}

// answer gives all that a plan asks the same verdict, but for those that are given
// by cell and check.
func answer(p *matrix.Plan, all matrix.Verdict, others map[question]matrix.Verdict) *Matrix {
	var records []journal.Record
	for _, c := range p.Cells {
		for _, check := range c.Checks {
			v, ok := others[question{c.ID, check.ID}]
			if !ok {
				v = all
			}
			if check.Asked() && v != matrix.Missing {
				records = append(records, record(p, c.ID, check.ID, v))
			}
		}
	}
	return Judge(p, records, nil)
}

func TestAnAnswerIsShownInEachCellAndCountsOnce(t *testing.T) {
	p := sharing()
	first, second, third := p.Cells[0].ID, p.Cells[1].ID, p.Cells[2].ID
	for verdict, want := range map[matrix.Verdict]struct {
		code   Code
		reason string
	}{
		matrix.Pass:    {Ship, "6 checks of 3 cells passed"},
		matrix.Fail:    {Hold, "1 FAIL: O-CLI on " + second},
		matrix.Infra:   {NoAnswer, "1 INFRA: O-CLI on " + second},
		matrix.Missing: {NoAnswer, "1 MISSING: O-CLI on " + second},
	} {
		m := answer(p, matrix.Pass, map[question]matrix.Verdict{{second, "O-CLI"}: verdict})
		for _, cell := range []string{first, third} {
			if r := m.Result(cell, "O-CLI"); r.Verdict != verdict || r.AskedIn != second || r.Record != nil {
				t.Errorf("%s: %s shows %+v", verdict, cell, r)
			}
		}
		if m.Result(second, "IQ-QMP").Verdict != matrix.Pass || m.Totals[verdict] != map[bool]int{true: 6, false: 1}[verdict == matrix.Pass] {
			t.Errorf("%s: totals %v", verdict, m.Totals)
		}
		d := Gate(m, DefaultPolicy(), noon)
		if d.Code != want.code || d.Reasons[0] != want.reason {
			t.Errorf("%s: %s %q, want %s %q", verdict, d.Code, d.Reasons, want.code, want.reason)
		}
		if err := m.check(); err != nil {
			t.Errorf("%s: %v", verdict, err)
		}
		list := problems(m)
		if verdict != matrix.Pass && (len(list) != 1 || !slices.Equal(list[0].cells(), []string{second}) || !slices.Equal(list[0].sharing, []string{first, third})) {
			t.Errorf("%s: problems %+v", verdict, list)
		}
	}
}

func TestReportsNameTheCellThatAnswered(t *testing.T) {
	p := sharing()
	first, second := p.Cells[0].ID, p.Cells[1].ID
	m := answer(p, matrix.Pass, map[question]matrix.Verdict{{second, "O-CLI"}: matrix.Fail})
	shown := "FAIL, asked in " + second
	if text := Explain(m, nil, first, "O-CLI"); !strings.Contains(text, shown) || !strings.Contains(text, "-cell "+second+" -check O-CLI") || strings.Contains(text, "FAIL on "+p.Cells[2].ID) {
		t.Errorf("why says:\n%s", text)
	}
	if c := junitResult(m.Result(first, "O-CLI"), nil); c.Failure != nil || c.Skipped == nil || c.Skipped.Message != shown {
		t.Errorf("JUnit says %+v", c)
	}
	text := render(t, "terminal", m, Options{})
	for _, want := range []string{"also of  " + first + ", " + p.Cells[2].ID, "(1 asked in other cells)"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in:\n%s", want, text)
		}
	}
	if page := render(t, "html", m, Options{}); !strings.Contains(page, "on "+first+", asked in "+second) {
		t.Error("the page does not name the cell that answered")
	}
}

func TestAnAnswerOfACellThatIsNotAskedIsStray(t *testing.T) {
	p := sharing()
	r := record(p, p.Cells[1].ID, "IQ-QMP", matrix.Pass)
	m := Judge(p, []journal.Record{r}, nil)
	if len(m.Stray) != 1 || m.Stray[0].Problem != "the plan asks this of "+p.Cells[0].ID {
		t.Errorf("strays: %+v", m.Stray)
	}
}

func TestAQuestionThatNoCellIsAskedIsMissing(t *testing.T) {
	for name, spoil := range map[string]func(*matrix.Plan){
		"no such cell":               func(p *matrix.Plan) { p.Cells[1].Checks[0].AskedIn = "kvm_other" },
		"a cell that leaves it, too": func(p *matrix.Plan) { p.Cells[0].Checks[0].AskedIn = p.Cells[1].ID },
		"itself":                     func(p *matrix.Plan) { p.Cells[1].Checks[0].AskedIn = p.Cells[1].ID },
		"a cell that it is not for":  func(p *matrix.Plan) { p.Cells[0].Checks[0].Unsupported = "no qemu" },
	} {
		p := sharing()
		spoil(p)
		m := answer(p, matrix.Pass, nil)
		if d := Gate(m, DefaultPolicy(), noon); d.Code != NoAnswer || !strings.Contains(strings.Join(d.Reasons, "\n"), "MISSING: IQ-QMP") {
			t.Errorf("%s: %s %q", name, d.Code, d.Reasons)
		}
	}
}

func TestAStoredMatrixWithABorrowedVerdictIsRefused(t *testing.T) {
	p := sharing()
	m := answer(p, matrix.Pass, map[question]matrix.Verdict{{p.Cells[1].ID, "O-CLI"}: matrix.Fail})
	m.Result(p.Cells[0].ID, "O-CLI").Verdict = matrix.Pass
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := decodeMatrix(text); err == nil || !strings.Contains(err.Error(), "O-CLI of "+p.Cells[0].ID+" is answered in") {
		t.Errorf("got %v", err)
	}
}

func TestCoverageIsCountedByCheck(t *testing.T) {
	p := sharing()
	second := p.Cells[1].ID // with the pair of linux 6.1 and qemu 10.0
	for name, c := range map[string]struct {
		check   string
		verdict matrix.Verdict
		count   int
		lost    string
	}{
		"all answered":                        {"O-SAVE", matrix.Pass, 9, ""},
		"one check without an answer":         {"O-SAVE", matrix.Infra, 8, "O-SAVE {linux=6.1, qemu=10.0}"},
		"one that three cells share":          {"O-CLI", matrix.Infra, 6, "O-CLI {linux=6.1, qemu=10.0}"},
		"a failure is an answer for all":      {"O-CLI", matrix.Fail, 9, ""},
		"what the product blocked is, too":    {"O-SAVE", matrix.Blocked, 9, ""},
		"without a record there is no answer": {"O-SAVE", matrix.Missing, 8, "O-SAVE {linux=6.1, qemu=10.0}"},
	} {
		all, err := answer(p, matrix.Pass, map[question]matrix.Verdict{{second, c.check}: c.verdict}).coverage()
		if err != nil {
			t.Fatal(err)
		}
		if a := all[0]; a.cells != 3 || a.asked != 9 || a.count != c.count || len(a.lost) != 9-c.count || c.lost != "" && !slices.Contains(a.lost, c.lost) {
			t.Errorf("%s: %d of %d answered, lost %q; want %d", name, a.count, a.asked, a.lost, c.count)
		}
	}
}
