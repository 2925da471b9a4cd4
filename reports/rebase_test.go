package reports

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/virtmatrix/virtmatrix/internal/journal"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// side is a run of one cell in which O-SAVE ended so; "" is a run that was not asked it.
func side(v matrix.Verdict, change func(*journal.Record)) *Matrix {
	checks := []string{"O-CONN", "O-SAVE"}
	if v == "" {
		checks = checks[:1]
	}
	c := ask(stack(matrix.KVM, matrix.Native, "bookworm", "6.1", "7.2", "9.0"), checks...)
	if v == matrix.Unsupported {
		c.Checks[1].Unsupported = "needs two hosts"
	}
	p := plan(c)
	records := []journal.Record{record(p, c.ID, "O-CONN", matrix.Pass)}
	if v != "" && v != matrix.Missing && v != matrix.Unsupported {
		r := record(p, c.ID, "O-SAVE", v)
		if v == matrix.Blocked {
			r.Layer = matrix.LayerManagement
		}
		if v != matrix.Pass {
			r.Reason = "cannot save: internal error: no space"
		}
		if change != nil {
			change(&r)
		}
		records = append(records, r)
	}
	return Judge(p, records, nil)
}

// moved is what became of O-SAVE between two runs.
func moved(t *testing.T, old, new *Matrix) Moved {
	t.Helper()
	r := Compare(old, new, "old", "new", nil)
	total := 0
	for move, n := range r.Counts {
		if !slices.Contains(Moves, move) {
			t.Errorf("unknown move %q", move)
		}
		total += n
	}
	if m := r.of(new.Cells[0].ID, "O-SAVE"); m != nil {
		return *m
	}
	return Moved{Move: Same}
}

func TestEachPairOfVerdictsIsOneMove(t *testing.T) {
	const none = matrix.Verdict("")
	rows := map[matrix.Verdict][]Move{
		// was       PASS FAIL KNOWN FIXED BLOCKED INFRA MISSING UNSUPPORTED not asked
		matrix.Pass:        {Same, Regressed, Regressed, Same, Regressed, Unanswered, Unanswered, Unanswered, Unanswered},
		matrix.Fail:        {Mended, StillBroken, StillBroken, Mended, Regressed, Unanswered, Unanswered, Unanswered, Unanswered},
		matrix.Known:       {Mended, StillBroken, StillBroken, Mended, Regressed, Unanswered, Unanswered, Unanswered, Unanswered},
		matrix.Fixed:       {Same, Regressed, Regressed, Same, Regressed, Unanswered, Unanswered, Unanswered, Unanswered},
		matrix.Blocked:     {Mended, Regressed, Regressed, Mended, StillBroken, Unanswered, Unanswered, Unanswered, Unanswered},
		matrix.Infra:       {Unanswered, Unanswered, Unanswered, Unanswered, Unanswered, Unanswered, Unanswered, Unanswered, Unanswered},
		matrix.Missing:     {Unanswered, Unanswered, Unanswered, Unanswered, Unanswered, Unanswered, Unanswered, Unanswered, Unanswered},
		matrix.Unsupported: {New, NeverPassed, NeverPassed, New, NeverPassed, Unanswered, Unanswered, Same, Same},
		none:               {New, NeverPassed, NeverPassed, New, NeverPassed, Unanswered, Unanswered, Same, Same},
	}
	verdicts := []matrix.Verdict{matrix.Pass, matrix.Fail, matrix.Known, matrix.Fixed, matrix.Blocked, matrix.Infra, matrix.Missing, matrix.Unsupported, none}
	for was, moves := range rows {
		for i, is := range verdicts {
			if got := moved(t, side(was, nil), side(is, nil)); got.Move != moves[i] {
				t.Errorf("%q, now %q: %s, want %s (%s)", was, is, got.Move, moves[i], got.Why)
			}
		}
	}
}

func TestWhatRanElsewhereIsNotCompared(t *testing.T) {
	for name, change := range map[string]func(*journal.Record){
		"another accelerator": func(r *journal.Record) { r.Accelerators = map[string]string{"L1": "kvm", "L2": "kvm"} },
		"another epoch":       func(r *journal.Record) { r.Epoch = 7 },
	} {
		for _, v := range []matrix.Verdict{matrix.Pass, matrix.Fail} {
			got := moved(t, side(matrix.Pass, change), side(v, nil))
			if got.Move != Unanswered || !strings.Contains(got.Why, name) {
				t.Errorf("%s: %s, %q", name, got.Move, got.Why)
			}
		}
	}
	// An answer of another tier is no answer of the plan, so only a record can tell.
	was, is := side(matrix.Pass, nil).Results[1].Record, *side(matrix.Pass, nil).Results[1].Record
	is.Tier = matrix.Container
	if why := apart(was, &is); !strings.Contains(why, "another tier: nested, and now container") {
		t.Errorf("%q", why)
	}
}

func TestAFailureInAnotherWayRegressed(t *testing.T) {
	other := func(r *journal.Record) { r.Reason = "cannot save: internal error: permission denied" }
	if got := moved(t, side(matrix.Fail, nil), side(matrix.Fail, other)); got.Move != Regressed || !strings.HasPrefix(got.Why, "it failed before in another way; now: cannot save") {
		t.Errorf("%s, %q", got.Move, got.Why)
	}
	layer := func(r *journal.Record) { r.Layer = matrix.LayerL2 }
	if got := moved(t, side(matrix.Fail, nil), side(matrix.Fail, layer)); got.Move != Regressed {
		t.Errorf("another layer: %s", got.Move)
	}
}

// changed is a run of a change in which O-SAVE ended so before and after.
func changed(was, is matrix.Verdict) *Matrix {
	old := ask(stack(matrix.KVM, matrix.Native, "bookworm", "6.1", "7.2", "9.0"), "O-CONN", "O-SAVE")
	new := ask(stack(matrix.KVM, matrix.Bundled, "bookworm", "6.1", "7.2", "11.3"), "O-CONN", "O-SAVE")
	new.Baseline = old.ID
	new.Checks[0].AskedIn = old.ID
	p := plan(new, old)
	p.Change = &matrix.Change{Axis: "libvirt", From: "9.0", To: "11.3"}
	records := []journal.Record{record(p, old.ID, "O-CONN", matrix.Pass)}
	for cell, v := range map[string]matrix.Verdict{old.ID: was, new.ID: is} {
		r := record(p, cell, "O-SAVE", v)
		r.Reason = map[bool]string{true: "cannot save: no space"}[v == matrix.Fail]
		records = append(records, r)
	}
	m := Judge(p, records, nil)
	m.Rebase = Rebased(m)
	return m
}

func TestAChangeIsHeldAgainstItsBaselineInTheSameRun(t *testing.T) {
	tolerant := DefaultPolicy()
	tolerant.TolerateStillBroken = true
	for _, tc := range []struct {
		was, is          matrix.Verdict
		move             Move
		strict, tolerant Code
	}{
		{matrix.Pass, matrix.Pass, Same, Ship, Ship},
		{matrix.Pass, matrix.Fail, Regressed, Hold, Hold},
		{matrix.Fail, matrix.Fail, StillBroken, Hold, Ship},
		{matrix.Fail, matrix.Pass, Mended, Hold, Ship},
		{matrix.Infra, matrix.Fail, Unanswered, Hold, Hold},
		{matrix.Fail, matrix.Infra, Unanswered, Hold, NoAnswer},
	} {
		m := changed(tc.was, tc.is)
		if m.Rebase.Counts[tc.move] == 0 || m.Rebase.Counts[Same] == 0 {
			t.Errorf("%s, now %s: %v, want %s, and O-CONN, which is asked once, the same", tc.was, tc.is, m.Rebase.Counts, tc.move)
		}
		if d := Gate(m, DefaultPolicy(), noon); d.Code != tc.strict {
			t.Errorf("%s, now %s: %s %q, want %s", tc.was, tc.is, d.Code, d.Reasons, tc.strict)
		}
		if d := Gate(m, tolerant, noon); d.Code != tc.tolerant {
			t.Errorf("%s, now %s, tolerated: %s %q, want %s", tc.was, tc.is, d.Code, d.Reasons, tc.tolerant)
		}
	}
}

func TestTwoRunsOfAChangeAreHeldCellByCell(t *testing.T) {
	old := side(matrix.Pass, nil)
	c := ask(stack(matrix.KVM, matrix.Native, "trixie", "6.1", "7.2", "11.3"), "O-CONN", "O-SAVE")
	p := plan(c)
	save := record(p, c.ID, "O-SAVE", matrix.Fail)
	new := Judge(p, []journal.Record{record(p, c.ID, "O-CONN", matrix.Pass), save}, nil)
	r := Compare(old, new, "old", "new", &matrix.Change{Axis: "libvirt", From: "9.0", To: "11.3"})
	if r.Counts[Regressed] != 1 || r.Counts[Same] != 1 || r.Moved[0].Baseline != old.Cells[0].ID || r.Code() != Hold {
		t.Errorf("%+v", r)
	}
	if want := "libvirt 9.0.1-1 -> 11.3.1-1"; !slices.Contains(r.Packages, want) {
		t.Errorf("%q lacks %q", r.Packages, want)
	}
	if r := Compare(old, new, "old", "new", nil); r.Counts[NeverPassed] != 1 || r.Counts[New] != 1 {
		t.Errorf("cells of other names: %+v", r.Counts)
	}
}

func TestWhatIsNewInACellIsOneRow(t *testing.T) {
	r := &Rebase{Moved: []Moved{{Move: Regressed, Check: "O-A", Cell: "c"}, {Move: Unanswered, Check: "O-B", Cell: "c", Is: matrix.Infra},
		{Move: New, Check: "O-C", Cell: "c", Is: matrix.Pass}, {Move: New, Check: "O-D", Cell: "c", Is: matrix.Pass}, {Move: New, Check: "O-E", Cell: "d", Is: matrix.Pass}}}
	var got []string
	for _, m := range r.rows() {
		got = append(got, m.Check+" "+m.Why)
	}
	if want := []string{"O-A ", "O-B ", "2 checks O-C, O-D", "O-E "}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestRegressionsComeFirst(t *testing.T) {
	m := changed(matrix.Pass, matrix.Fail)
	for _, f := range wordy(Options{}) {
		text := render(t, f.Name, m, Options{})
		if !strings.Contains(text, string(Regressed)) {
			t.Errorf("%s does not tell what regressed", f.Name)
		}
	}
	text := render(t, "terminal", m, Options{})
	if at, problem := strings.Index(text, "REGRESSED"), strings.Index(text, "✗ FAIL  O-SAVE"); at < 0 || at > problem {
		t.Errorf("what regressed is not before what went wrong:\n%s", text)
	}
	if got := Explain(m, nil, m.Cells[0].ID, "O-SAVE"); !strings.Contains(got, fmt.Sprintf("moved         REGRESSED: PASS in %s, now FAIL", m.Cells[1].ID)) {
		t.Errorf("why does not tell what regressed:\n%s", got)
	}
}
