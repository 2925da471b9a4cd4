package reports

import (
	"bytes"
	"strings"
	"testing"

	"github.com/virtmatrix/virtmatrix/internal/journal"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/matrix/cover"
)

// covering is a run of three of the four cells of two axes. One pair cannot be,
// so the cells cover all that can. The verdicts are those of the cells' check.
func covering(verdicts ...matrix.Verdict) *Matrix {
	p := coveringPlan("O-CONN")
	var records []journal.Record
	for i, v := range verdicts {
		if v != "" {
			records = append(records, record(p, p.Cells[i].ID, "O-CONN", v))
		}
	}
	return Judge(p, records, nil)
}

func coveringPlan(checks ...string) *matrix.Plan {
	p := plan(
		ask(stack(matrix.KVM, matrix.Native, "bookworm", "6.1", "7.2", "9.0"), checks...),
		ask(stack(matrix.KVM, matrix.Bundled, "bookworm", "6.1", "10.0", "9.0"), checks...),
		ask(stack(matrix.KVM, matrix.Bundled, "bookworm", "6.12", "10.0", "9.0"), checks...),
	)
	p.Coverage = []matrix.Coverage{{
		Kind: matrix.KVM, Tier: matrix.Nested, Strength: 2, Valid: 3, Covered: 3,
		Axes: []matrix.CoveredAxis{{Name: "linux", Values: []string{"6.1", "6.12"}}, {Name: "qemu", Values: []string{"7.2", "10.0"}}},
		Rules: []matrix.CoverageRule{{
			Tuple: cover.Tuple{{Axis: "linux", Level: "6.12"}, {Axis: "qemu", Level: "7.2"}}, Why: "too new",
		}},
		Excluded: []matrix.ExcludedTuple{{Tuple: cover.Tuple{{Axis: "linux", Level: "6.12"}, {Axis: "qemu", Level: "7.2"}}, Why: "too new"}},
	}}
	return p
}

func TestCombinationsWithoutAnAnswerAreTold(t *testing.T) {
	const lost = "without an answer, counted by check: 1 pair of kvm cells, O-CONN {linux=6.1, qemu=10.0}"
	for name, c := range map[string]struct {
		m    *Matrix
		code Code
		lost bool
		fact string
	}{
		"all answered":       {covering(matrix.Pass, matrix.Pass, matrix.Pass), Ship, false, "coverage of kvm: 3 of 3 pairs in cells, 3 of 3 answered, counted by check; 1 more cannot be"},
		"a failure answers":  {covering(matrix.Pass, matrix.Fail, matrix.Pass), Hold, false, "3 of 3 answered, counted by check"},
		"infra answers not":  {covering(matrix.Pass, matrix.Infra, matrix.Pass), NoAnswer, true, "coverage of kvm: 3 of 3 pairs in cells, 2 of 3 answered, counted by check"},
		"nor does no record": {covering(matrix.Pass, "", matrix.Pass), NoAnswer, true, "2 of 3 answered, counted by check"},
	} {
		d := Gate(c.m, DefaultPolicy(), noon)
		if got := strings.Contains(strings.Join(d.Reasons, "\n"), lost); d.Code != c.code || got != c.lost {
			t.Errorf("%s: %d %q; want %d, and lost pairs: %v", name, d.Code, d.Reasons, c.code, c.lost)
		}
		var b bytes.Buffer
		if err := (terminal{}).render(&b, c.m); err != nil {
			t.Fatal(err)
		}
		if shown := strings.Join(strings.Fields(b.String()), " "); !strings.Contains(shown, c.fact) {
			t.Errorf("%s: %q is not in:\n%s", name, c.fact, b.String())
		}
	}
}

// The plan's own count is no proof: it is counted again from the cells.
func TestAStoredCoverageDoesNotFoolTheGate(t *testing.T) {
	m := covering(matrix.Pass, matrix.Pass, "")
	m.Cells, m.Results = m.Cells[:2], m.Results[:2]
	m.Coverage[0].Covered = 3
	d := Gate(m, DefaultPolicy(), noon)
	if text := strings.Join(d.Reasons, "\n"); !strings.Contains(text, "the plan leaves out 1 pair of kvm cells") {
		t.Errorf("got %q, want the pair that no cell has", text)
	}
	m.Coverage[0].Rules[0].Tuple[0].Axis = "lunix"
	if d := Gate(m, DefaultPolicy(), noon); d.Code != NoAnswer || !strings.Contains(strings.Join(d.Reasons, "\n"), "cannot count coverage") {
		t.Errorf("rules about an unknown axis: %d %q, want no answer", d.Code, d.Reasons)
	}
}

func TestAReportShowsTheSettingsThatVary(t *testing.T) {
	m := covering(matrix.Pass, matrix.Pass, matrix.Pass)
	m.Cells[0].Settings = []matrix.Setting{{Axis: "firmware", Value: "bios", Default: true}, {Axis: "disk", Value: "virtio", Default: true}}
	m.Cells[1].Settings = []matrix.Setting{{Axis: "firmware", Value: "uefi"}, {Axis: "disk", Value: "virtio", Default: true}}
	m.Cells[1].Why, m.Cells[1].Baseline = []string{"first with firmware=uefi"}, m.Cells[0].ID
	var rows []string
	for _, h := range pageHeaders(m.Cells) {
		rows = append(rows, h.Label)
	}
	if got := strings.Join(rows, " "); !strings.Contains(got, "firmware") || strings.Contains(got, "disk") {
		t.Errorf("the page's heads are %q, want firmware, and not disk, which is the default everywhere", got)
	}
	text := Explain(m, nil, m.Cells[1].ID, "O-CONN")
	for _, want := range []string{"firmware uefi, disk virtio", "first with firmware=uefi", "baseline      " + m.Cells[0].ID} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in:\n%s", want, text)
		}
	}
}
