package reports

import (
	"strings"
	"testing"

	"github.com/virtmatrix/virtmatrix/internal/journal"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// judged is a matrix of two cells. The first answers O-CONN, O-START and O-SAVE
// with the given verdicts ("" for no record), the second passes O-CONN.
func judged(verdicts ...matrix.Verdict) *Matrix {
	checks := []string{"O-CONN", "O-START", "O-SAVE"}
	a := ask(stack(matrix.KVM, matrix.Native, "bookworm", "6.1", "7.2", "9.0"), checks[:len(verdicts)]...)
	b := ask(stack(matrix.KVM, matrix.Native, "trixie", "6.12", "10.0", "11.3"), "O-CONN")
	p := plan(a, b)
	records := []journal.Record{record(p, b.ID, "O-CONN", matrix.Pass)}
	for i, v := range verdicts {
		if v != "" {
			records = append(records, record(p, a.ID, checks[i], v))
		}
	}
	return Judge(p, records, nil)
}

func TestGateByVerdict(t *testing.T) {
	const P, F, B, I, M = matrix.Pass, matrix.Fail, matrix.Blocked, matrix.Infra, matrix.Verdict("")
	tests := []struct {
		name     string
		verdicts []matrix.Verdict
		want     Code
		first    string
	}{
		{"all pass", []matrix.Verdict{P, P, P}, Ship, "4 checks of 2 cells passed"},
		{"a failure holds", []matrix.Verdict{P, F, P}, Hold, "1 FAIL: O-START on kvm_linux-6.1"},
		{"blocked holds", []matrix.Verdict{P, B, P}, Hold, "1 BLOCKED: O-START"},
		{"known is listed", []matrix.Verdict{P, matrix.Known, P}, Ship, "3 checks of 2 cells passed"},
		{"fixed holds", []matrix.Verdict{P, matrix.Fixed, P}, Hold, "1 FIXED: O-START"},
		{"infra is no answer", []matrix.Verdict{P, I, P}, NoAnswer, "1 INFRA: O-START"},
		{"missing is no answer", []matrix.Verdict{P, M, P}, NoAnswer, "1 MISSING: O-START"},
		{"a failure outweighs infra", []matrix.Verdict{P, I, F}, Hold, "1 FAIL: O-SAVE"},
		{"a failure outweighs missing", []matrix.Verdict{F, M, M}, Hold, "1 FAIL: O-CONN"},
		{"a cell without any result cannot be judged", []matrix.Verdict{M, M, M}, NoAnswer, "1 cell without any result: kvm_linux-6.1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := Gate(judged(test.verdicts...), DefaultPolicy(), noon)
			if d.Code != test.want || !strings.HasPrefix(d.Reasons[0], test.first) {
				t.Errorf("got %d %q, want %d %q", d.Code, d.Reasons, test.want, test.first)
			}
		})
	}
}

func TestUnsupportedIsNoReasonToHold(t *testing.T) {
	p, cell := one()
	m := Judge(p, []journal.Record{record(p, cell, "O-CONN", matrix.Pass), record(p, cell, "O-SAVE", matrix.Pass)}, nil)
	d := Gate(m, DefaultPolicy(), noon)
	if d.Code != Ship || d.Reasons[0] != "2 checks of 1 cell passed, 1 do not apply" {
		t.Errorf("got %d %q", d.Code, d.Reasons)
	}
}

func TestACellToWhichNothingAppliesIsNotSilent(t *testing.T) {
	one := ask(stack(matrix.KVM, matrix.Native, "bookworm", "6.1", "7.2", "9.0"), "O-CONN")
	other := ask(stack(matrix.KVM, matrix.Native, "bullseye", "5.10", "5.2", "7.0"), "O-MIG-P2P")
	other.Checks[0].Unsupported = "needs two hosts"
	p := plan(one, other)
	d := Gate(Judge(p, []journal.Record{record(p, one.ID, "O-CONN", matrix.Pass)}, nil), DefaultPolicy(), noon)
	if d.Code != Ship {
		t.Errorf("got %d %q", d.Code, d.Reasons)
	}
}

func TestAnEmptyRunIsNeverGreen(t *testing.T) {
	p, _ := one()
	excused := ask(stack(matrix.KVM, matrix.Native, "bookworm", "6.1", "7.2", "9.0"), "O-MIG-P2P")
	excused.Checks[0].Unsupported = "needs two hosts"
	tests := []struct {
		name  string
		m     *Matrix
		first string
	}{
		{"no cells", Judge(plan(), nil, nil), "the plan has no cells"},
		{"the zero matrix", &Matrix{}, "the plan has no cells"},
		{"no records", Judge(p, nil, nil), "no check was executed"},
		{"a cell without checks", Judge(plan(stack(matrix.KVM, matrix.Native, "bookworm", "6.1", "7.2", "9.0")), nil, nil), "no check was executed"},
		{"nothing applies", Judge(plan(excused), nil, nil), "no check was executed"},
		{"nothing but infra", judgedAlone(matrix.Infra), "no check was executed"},
		{"nothing but blocked", judgedAlone(matrix.Blocked), "no check was executed"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			// No policy makes an empty run green.
			d := Gate(test.m, Policy{}, noon)
			if d.Code != NoAnswer || !strings.HasPrefix(d.Reasons[0], test.first) {
				t.Errorf("got %d %q", d.Code, d.Reasons)
			}
		})
	}
}

func judgedAlone(v matrix.Verdict) *Matrix {
	c := ask(stack(matrix.KVM, matrix.Native, "bookworm", "6.1", "7.2", "9.0"), "O-CONN")
	p := plan(c)
	return Judge(p, []journal.Record{record(p, c.ID, "O-CONN", v)}, nil)
}

func TestStoredTotalsDoNotFoolTheGate(t *testing.T) {
	m := judged(matrix.Fail, matrix.Pass)
	m.Totals = map[matrix.Verdict]int{matrix.Pass: 3}
	if d := Gate(m, DefaultPolicy(), noon); d.Code != Hold {
		t.Errorf("got %d %q", d.Code, d.Reasons)
	}
}

func TestBlockedIsAttributedToTheStepThatBlockedIt(t *testing.T) {
	tests := []struct {
		name    string
		root    matrix.Verdict
		layer   matrix.Layer
		step    string
		want    Code
		contain string
	}{
		{"behind a failure", matrix.Fail, "", "O-CONN", Hold, "2 BLOCKED: O-START and O-SAVE on kvm_"},
		{"behind infra", matrix.Infra, "", "O-CONN", NoAnswer, "2 BLOCKED by what gave no answer itself"},
		{"behind a check without a record", "", "", "O-CONN", NoAnswer, "2 BLOCKED by what gave no answer itself"},
		{"by the harness", matrix.Pass, matrix.LayerHarness, "", NoAnswer, "2 BLOCKED by what gave no answer itself"},
		{"by nobody", matrix.Pass, "", "", Hold, "2 BLOCKED: O-START and O-SAVE on kvm_"},
		{"by itself", matrix.Pass, "", "O-START", Hold, "2 BLOCKED: O-START and O-SAVE on kvm_"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := judged(test.root, matrix.Blocked, matrix.Blocked)
			cell := m.Cells[0].ID
			start, save := m.Result(cell, "O-START"), m.Result(cell, "O-SAVE")
			start.Record.BlockedBy, start.Record.Layer = test.step, test.layer
			save.Record.BlockedBy = "O-START" // a chain
			d := Gate(m, DefaultPolicy(), noon)
			if d.Code != test.want || !strings.Contains(strings.Join(d.Reasons, "\n"), test.contain) {
				t.Errorf("got %d %q, want %d %q", d.Code, d.Reasons, test.want, test.contain)
			}
		})
	}
}

func TestPassesAtASecondTryAreCountedAndListed(t *testing.T) {
	m := judged(matrix.Pass, matrix.Pass, matrix.Pass)
	cell := m.Cells[0].ID
	m.Result(cell, "O-START").Record.Attempts = 2
	m.Result(cell, "O-SAVE").Earlier = []matrix.Verdict{matrix.Fail}
	zero, two := 0, 2
	for _, test := range []struct {
		max  *int
		want Code
	}{{nil, Ship}, {&two, Ship}, {&zero, Hold}} {
		p := DefaultPolicy()
		p.MaxRetried = test.max
		d := Gate(m, p, noon)
		if d.Code != test.want || len(d.Retried) != 2 || d.Retried[0] != "O-START on "+cell {
			t.Errorf("got %d, retried %q", d.Code, d.Retried)
		}
		if all := strings.Join(d.Reasons, "\n"); !strings.Contains(all, "2 passed only at a second try") {
			t.Errorf("reasons: %q", d.Reasons)
		}
	}
}

func TestDamagedJournal(t *testing.T) {
	torn := journal.DamagedLine{File: "journal-1.ndjson", Line: 7, Torn: true, Problem: "cut"}
	broken := journal.DamagedLine{File: "journal-2.ndjson", Line: 3, Problem: "garbage"}
	tests := []struct {
		name     string
		damage   journal.Damage
		verdicts []matrix.Verdict
		want     Code
		contain  string
	}{
		{"a torn line was never an answer", journal.Damage{torn}, []matrix.Verdict{matrix.Pass}, Ship, "journal-1.ndjson:7"},
		{"a broken line makes all doubtful", journal.Damage{torn, broken}, []matrix.Verdict{matrix.Pass}, NoAnswer, "journal-2.ndjson:3: garbage"},
		{"a failure, too", journal.Damage{broken}, []matrix.Verdict{matrix.Fail}, NoAnswer, "journal-2.ndjson:3: garbage"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := judged(test.verdicts...)
			m.Damage = test.damage
			d := Gate(m, DefaultPolicy(), noon)
			if d.Code != test.want || !strings.Contains(strings.Join(d.Reasons, "\n"), test.contain) {
				t.Errorf("got %d %q, want %d %q", d.Code, d.Reasons, test.want, test.contain)
			}
		})
	}
}

func TestPolicyDecidesWhatHolds(t *testing.T) {
	m := judged(matrix.Pass, matrix.Fixed, matrix.Known)
	lenient := Policy{BlockOn: Verdicts{matrix.Fail}}
	d := Gate(m, lenient, noon)
	if d.Code != Ship || !strings.Contains(strings.Join(d.Reasons, "\n"), "1 FIXED (tolerated): O-START") {
		t.Errorf("lenient: %d %q", d.Code, d.Reasons)
	}
	strict := Policy{BlockOn: Verdicts{matrix.Fail, matrix.Known}}
	if d := Gate(m, strict, noon); d.Code != Hold || !strings.HasPrefix(d.Reasons[0], "1 KNOWN: O-SAVE") {
		t.Errorf("strict: %d %q", d.Code, d.Reasons)
	}
}

func TestFailuresHoldEvenWithoutAPolicy(t *testing.T) {
	if d := Gate(judged(matrix.Fail), Policy{}, noon); d.Code != Hold {
		t.Errorf("got %d %q", d.Code, d.Reasons)
	}
}

func TestReasonsNameFewPlacesAndCountMany(t *testing.T) {
	results := func(pairs ...string) []*Result {
		var rs []*Result
		for i := 0; i < len(pairs); i += 2 {
			rs = append(rs, &Result{Check: pairs[i], Cell: pairs[i+1]})
		}
		return rs
	}
	tests := []struct{ got, want string }{
		{places(results("O-SAVE", "a")), "O-SAVE on a"},
		{places(results("O-SAVE", "a", "O-SAVE", "b")), "O-SAVE on a and b"},
		{places(results("O-SAVE", "a", "O-SAVE", "b", "O-SAVE", "c")), "O-SAVE on 3 cells"},
		{places(results("O-SAVE", "a", "O-CONN", "a", "O-ERR", "a")), "3 checks on a"},
	}
	for _, test := range tests {
		if test.got != test.want {
			t.Errorf("got %q, want %q", test.got, test.want)
		}
	}
}

func TestACellThatAnotherIsComparedWithHasItsResult(t *testing.T) {
	p, cell := one()
	p.Cells = append(p.Cells, matrix.Cell{ID: "kvm_linux-5.10", Kind: matrix.KVM, Tier: matrix.Nested, Checks: []matrix.PlannedCheck{
		{ID: "S-QMP", Tier: matrix.Nested, Unsupported: "the plan has no qemu that is older"},
	}})
	for i := range p.Cells[0].Checks {
		p.Cells[0].Checks[i].Against = "kvm_linux-5.10"
	}
	if err := p.Seal(); err != nil {
		t.Fatal(err)
	}
	m := Judge(p, []journal.Record{record(p, cell, "O-CONN", matrix.Pass), record(p, cell, "O-SAVE", matrix.Pass)}, nil)
	if d := Gate(m, DefaultPolicy(), noon); d.Code != Ship {
		t.Errorf("got %d %q", d.Code, d.Reasons)
	}
}

func TestTheBaselineOfADeliveryNeedsNoAnswerOfItsOwn(t *testing.T) {
	for family, want := range map[string]Code{"static/delivery": Ship, "static/guests": NoAnswer} {
		const id = "D-UPGRADE"
		p, cell := one()
		twin := *p.Cell(cell)
		twin.ID, twin.Checks = cell+"-candidate", []matrix.PlannedCheck{{ID: id, Family: family, Tier: matrix.Nested, Hosts: matrix.Hosts{None: true}}}
		twin.Baseline = cell
		p.Cells[0].Checks = nil
		p.Cells = append(p.Cells, twin)
		m := Judge(p, []journal.Record{record(p, twin.ID, id, matrix.Pass)}, nil)
		if d := Gate(m, DefaultPolicy(), noon); d.Code != want {
			t.Errorf("%s: got %d %q, want %d", family, d.Code, d.Reasons, want)
		}
	}
}
