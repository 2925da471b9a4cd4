package reports

import (
	"bytes"
	"strings"
	"testing"

	"github.com/virtmatrix/virtmatrix/internal/journal"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/matrix/cover"
)

// contained puts a cell into a container.
func contained(c matrix.Cell) matrix.Cell {
	c.Tier = matrix.Container
	c.ID = matrix.CellID(c.Kind, c.Tier, c.Stack, c.Settings)
	for i := range c.Checks {
		c.Checks[i].Tier = c.Tier
	}
	return c
}

// twoTiers is a run of one stack on both tiers, all of it passed.
func twoTiers() (*matrix.Plan, []journal.Record) {
	native := func() matrix.Cell {
		return ask(stack(matrix.KVM, matrix.Native, "bookworm", "6.1", "7.2", "9.0"), "O-CONN", "O-START")
	}
	p := plan(contained(native()), native())
	var records []journal.Record
	for _, c := range p.Cells {
		for _, k := range c.Checks {
			r := record(p, c.ID, k.ID, matrix.Pass)
			r.Tier = c.Tier
			records = append(records, r)
		}
	}
	return p, records
}

func rendered(t *testing.T, format string, m *Matrix) string {
	t.Helper()
	f, err := FormatNamed(format, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := f.Render(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestReportsShowWhichTierAnswered(t *testing.T) {
	p, records := twoTiers()
	m := Judge(p, records, nil)
	for format, want := range map[string][]string{
		"terminal": {"libvirt-9.0_tier-container", "answers by tier: 2 container, 2 nested"},
		"md":       {`libvirt-9.0\_tier-container`, "answers by tier: 2 container, 2 nested"},
		"junit":    {`<property name="tier" value="container">`, `<property name="tier" value="nested">`},
		"html": {
			`<span>tier</span></th><th colspan="1" scope="colgroup" title=" container">`, "answers by tier: 2 container, 2 nested",
			`"tier":"container: a container on L0's kernel; the cell's linux is that of its guests"`,
			`{"name":"L2","what":"linux 6.1.1-1 from bookworm"}`, `{"name":"L1 kernel","what":"that of L0, whose container this is"}`,
		},
		"json": {`"tier": "container"`},
	} {
		text := rendered(t, format, m)
		text = strings.Join(strings.Fields(strings.ReplaceAll(text, "&#39;", "'")), " ")
		for _, w := range want {
			if !strings.Contains(text, w) {
				t.Errorf("%s does not show %q", format, w)
			}
		}
	}
	explained := Explain(m, nil, p.Cells[0].ID, "O-START")
	if want := "tier          container: a container on L0's kernel; the cell's linux is that of its guests"; !strings.Contains(explained, want) {
		t.Errorf("no %q in\n%s", want, explained)
	}
}

func TestARunOfMachinesHasNoWordsAboutTiers(t *testing.T) {
	if text := rendered(t, "terminal", sample()); strings.Contains(text, "tier") {
		t.Errorf("the report speaks of tiers:\n%s", text)
	}
}

func TestAnAnswerOfAnotherTierIsStray(t *testing.T) {
	p, records := twoTiers()
	records[0].Tier = matrix.Nested
	m := Judge(p, records, nil)
	if len(m.Stray) != 1 || m.Stray[0].Problem != `it was answered on the tier "nested", and the plan asks for container` {
		t.Errorf("got %+v", m.Stray)
	}
	if d := Gate(m, DefaultPolicy(), noon); d.Code != NoAnswer {
		t.Errorf("the gate says %s", d.Code)
	}
}

// What a container has seen is no answer about the kernel of a machine: not in the
// plan's count, and not in the gate's.
func TestAContainerAnswersNothingOfANestedCover(t *testing.T) {
	p, records := twoTiers()
	p.Coverage = []matrix.Coverage{{
		Kind: matrix.KVM, Tier: matrix.Nested, Strength: 2, Valid: 1, Covered: 1,
		Axes: []matrix.CoveredAxis{{Name: "linux", Values: []string{"6.1"}}, {Name: "qemu", Values: []string{"7.2"}}},
	}}
	for _, c := range []struct {
		about   string
		records []journal.Record
		want    string
	}{
		{"both answered", records, "kvm: 1 of 1 pair in cells, 2 of 2 answered, counted by check"},
		{"the container answered", records[:2], "kvm: 1 of 1 pair in cells, 0 of 2 answered, counted by check"},
	} {
		m := Judge(p, c.records, nil)
		counted, err := m.coverage()
		if err != nil {
			t.Fatal(err)
		}
		if got := counted[0].String(); got != c.want {
			t.Errorf("%s: %s, want %s", c.about, got, c.want)
		}
		lost := cover.Tuple{{Axis: "linux", Level: "6.1"}, {Axis: "qemu", Level: "7.2"}}
		told := strings.Contains(strings.Join(Gate(m, DefaultPolicy(), noon).Reasons, "\n"), "without an answer, counted by check: 2 pairs of kvm cells, O-CONN {"+lost.String()+"}, ")
		if want := len(c.records) == 2; told != want {
			t.Errorf("%s: the gate tells of the lost pair: %v", c.about, told)
		}
	}
}
