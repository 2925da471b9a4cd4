package reports

import (
	"slices"
	"strings"
	"testing"

	"github.com/virtmatrix/virtmatrix/internal/journal"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// pairs is a run of all pairs of qemu and libvirt, in which two checks pass but where fails
// says in which words they do not.
func pairs(fails func(qemu, libvirt, check string) string) *Matrix {
	var cells []matrix.Cell
	for _, qemu := range []string{"7.2", "10.0", "11.1"} {
		for _, libvirt := range []string{"7.0", "9.0", "11.3", "12.8"} {
			cells = append(cells, ask(stack(matrix.KVM, matrix.Bundled, "bookworm", "6.1", qemu, libvirt), "O-SAVE", "O-MSAVE"))
		}
	}
	p := plan(cells...)
	var records []journal.Record
	for _, c := range cells {
		for _, check := range c.Checks {
			r := record(p, c.ID, check.ID, matrix.Pass)
			if words := fails(c.Stack[1].Version, c.Stack[2].Version, check.ID); words != "" {
				r.Verdict, r.Layer, r.Reason = matrix.Fail, matrix.LayerManagement, words
			}
			records = append(records, r)
		}
	}
	m := Judge(p, records, nil)
	m.Find()
	d := Gate(m, DefaultPolicy(), noon)
	m.Decision = &d
	return m
}

// Each telling has what differs from run to run.
func byFd(qemu, libvirt, check string) string {
	op := map[string]string{"O-SAVE": "cannot restore domain", "O-MSAVE": "cannot start domain"}[check]
	if qemu == "11.1" && libvirt != "12.8" {
		return op + ": internal error: unable to execute QEMU command 'migrate-incoming': fd: migration to a file is not supported"
	}
	return ""
}

func TestFailuresOfOneCauseAreOneFinding(t *testing.T) {
	m := pairs(byFd)
	if len(m.Findings) != 1 {
		t.Fatalf("%d findings: %+v", len(m.Findings), m.Findings)
	}
	f := m.Findings[0]
	if !slices.Equal(f.Checks, []string{"O-SAVE", "O-MSAVE"}) || len(f.Cells) != 3 {
		t.Errorf("%v on %v", f.Checks, f.Cells)
	}
	if want := "seems to be qemu >= 11.1 and libvirt <= 11.3: 3 of 3 red cells have it, and 0 of 9 green"; f.Cause != want {
		t.Errorf("%q, want %q", f.Cause, want)
	}
	if want := "6 FAIL, 1 finding: "; !strings.HasPrefix(m.Decision.Reasons[0], want) {
		t.Errorf("%q, want %q", m.Decision.Reasons, want)
	}
	for _, format := range wordy(Options{}) {
		if text := render(t, format.Name, m, Options{}); format.Name != "junit" && !strings.Contains(text, "seems to be") {
			t.Errorf("%s does not say the cause", format.Name)
		}
	}
	if text := Explain(m, nil, f.Cells[0], "O-SAVE"); !strings.Contains(text, "cause         seems to be qemu >= 11.1 and libvirt <= 11.3") {
		t.Errorf("why does not say the cause:\n%s", text)
	}
}

func TestAnotherFailureIsAnotherFinding(t *testing.T) {
	m := pairs(func(qemu, libvirt, check string) string {
		if qemu == "7.2" && check == "O-SAVE" {
			return "cannot save domain: permission denied"
		}
		return byFd(qemu, libvirt, check)
	})
	if len(m.Findings) != 2 {
		t.Fatalf("%d findings: %+v", len(m.Findings), m.Findings)
	}
	for _, f := range m.Findings {
		if strings.Contains(f.Reason, "permission") && !strings.HasPrefix(f.Cause, "seems to be qemu <= 7.2: 4 of 4 red cells have it, and 0 of 5 green") {
			t.Errorf("%q", f.Cause)
		}
	}
}

func TestCounterEvidenceAndWhatFitsAsWellAreTold(t *testing.T) {
	m := pairs(func(qemu, libvirt, check string) string {
		if qemu == "11.1" && libvirt == "9.0" && check == "O-MSAVE" || qemu == "11.1" && libvirt == "7.0" {
			return "" // passes now and then
		}
		return byFd(qemu, libvirt, check)
	})
	if f := m.Findings[0]; !strings.Contains(f.Cause, "2 of 2 red cells have it, and 0 of 10 green") {
		t.Errorf("%q", f.Cause)
	}
	all := pairs(func(string, string, string) string { return "cannot start domain: no memory" })
	if f := all.Findings[0]; f.Cause != "cannot be told: all 12 cells that were asked fail so" {
		t.Errorf("%q", f.Cause)
	}
}

// part is a run of some of the cells of pairs, and the answer of one that it lacks.
func part(t *testing.T, cells string) (m *Matrix, more func(Ask) *Matrix) {
	t.Helper()
	m = pairs(byFd)
	keep := strings.Fields(cells)
	short := func(id string) string {
		_, rest, _ := strings.Cut(id, "_qemu-")
		return strings.Replace(rest, "_libvirt-", "/", 1)
	}
	all := *m
	m.Cells = slices.DeleteFunc(slices.Clone(m.Cells), func(c Cell) bool { return !slices.Contains(keep, short(c.ID)) })
	m.Results = slices.DeleteFunc(slices.Clone(m.Results), func(r Result) bool { return !slices.Contains(keep, short(r.Cell)) })
	m.Find()
	return m, func(a Ask) *Matrix {
		return &Matrix{Cells: []Cell{*all.Cell(a.Cell)}, Results: []Result{*all.Result(a.Cell, a.Check)}}
	}
}

func TestTheCellsThatWouldTellAreNamedAndTheirAnswersNarrowTheCause(t *testing.T) {
	m, more := part(t, "7.2/9.0 10.0/12.8 11.1/11.3")
	f := &m.Findings[0]
	if len(f.AsWell) == 0 || len(f.Decide) == 0 || !strings.Contains(f.Inference(), "would tell: ") {
		t.Fatalf("%+v", f)
	}
	var found []*Matrix
	var asked []Ask
	for range 10 {
		next := m.Next(&m.Findings[0], found, asked)
		if len(next) == 0 {
			break
		}
		for _, a := range next {
			found, asked = append(found, more(a)), append(asked, a)
		}
	}
	results := len(m.Results)
	m.Find(found...)
	f = &m.Findings[0]
	if !strings.HasPrefix(f.Cause, "seems to be qemu >= 11.1 and libvirt <= 11.3: ") || len(f.AsWell)+len(f.Decide) > 0 {
		t.Errorf("after %d more cells: %q, as well %q, would tell %v", len(asked), f.Cause, f.AsWell, f.Decide)
	}
	if len(m.Results) != results || len(f.Cells) != 1 {
		t.Errorf("what was asked to localise counts as an answer of the run")
	}
}

func TestACellThatCannotBeIsNotNamedAgain(t *testing.T) {
	m, _ := part(t, "7.2/9.0 10.0/12.8 11.1/11.3")
	var refused []Ask
	for range 50 {
		next := m.Next(&m.Findings[0], nil, refused)
		if len(next) == 0 {
			return
		}
		refused = append(refused, next...)
	}
	t.Errorf("it goes on and on: %v", refused)
}

func TestACellThatFailsInAnotherWayIsNotNamedAgain(t *testing.T) {
	m, more := part(t, "7.2/9.0 10.0/12.8 11.1/11.3")
	ask := m.Findings[0].Decide[0]
	other := more(ask)
	r := *other.Results[0].Record
	other.Results[0].Verdict, other.Results[0].Reason, other.Results[0].Record = matrix.Fail, "cannot save domain: Parameter 'detach' is unexpected", &r
	m.Find(other)
	for _, a := range append(m.Findings[0].Decide, m.Next(&m.Findings[0], []*Matrix{other}, nil)...) {
		if a.Cell == ask.Cell {
			t.Errorf("%s would tell, though it fails otherwise", a.Cell)
		}
	}
}

func TestWhatWasAskedInAnotherWayIsNoEvidence(t *testing.T) {
	m, more := part(t, "7.2/9.0 10.0/12.8 11.1/11.3")
	before := m.Findings[0].Inference()
	other := more(m.Findings[0].Decide[0])
	r := *other.Results[0].Record
	r.Epoch++
	other.Results[0].Record = &r
	if m.Find(other); m.Findings[0].Inference() != before {
		t.Errorf("%q, and was %q", m.Findings[0].Inference(), before)
	}
}

func TestWhatIsTheSameFailure(t *testing.T) {
	same := [][2]string{
		{"cannot restore domain: internal error: fd: no (qemu 1:7.2+dfsg-7)", "cannot restore domain: internal error: fd: no (qemu 1:10.0.13+ds-0+deb13u1)"},
		{"cannot wait: domain 4dea22b3-1d52-d8f3-2516-782e98ab3fa0 is gone after 1.675s", "cannot wait: domain 00000000-1d52-d8f3-2516-782e98ab3fa1 is gone after 12s"},
		{"cannot create volume: file=/run/l2-2e2401-pool.secret.FUT9Y3 at 2026-11-28T12:53:32.662463Z", "cannot create volume: file=/run/l2-0e9be4-pool.secret.Q034Y3 at 2026-11-29T01:01:01.1Z"},
		{"cannot hold X: on CELL-A no", "cannot hold X: on CELL-A no"},
	}
	for _, s := range same {
		a, _ := signature(s[0], "CELL-A")
		if b, _ := signature(s[1], "CELL-A"); a != b {
			t.Errorf("%q and %q are not the same: %q, %q", s[0], s[1], a, b)
		}
	}
	other := [][2]string{
		{"cannot define: error 1: no", "cannot define: error 38: no"},
		{"differs:\nmachine type \"pc-q35-5.0\" removed", "differs:\nmachine type \"pc-q35-2.3\" removed"},
	}
	for _, o := range other {
		a, _ := signature(o[0], "x")
		if b, _ := signature(o[1], "x"); a == b {
			t.Errorf("%q and %q are the same: %q", o[0], o[1], a)
		}
	}
	for _, checks := range []string{"cannot hold O-X: disks that the guest sees\nExpected\n    <int>: 0", "cannot hold O-X: state", "the guest is gone"} {
		if _, own := signature(checks, "x"); own {
			t.Errorf("%q are the check's own words", checks)
		}
	}
}
