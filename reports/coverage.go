package reports

import (
	"fmt"

	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/matrix/cover"
)

// answered is what of a planned coverage has an answer.
type answered struct {
	*matrix.Coverage
	// count of the valid combinations are in a cell that gave answers.
	count int
	// lost were planned, and every cell that has them gave none.
	lost []cover.Tuple
}

// coverage counts what the cells that answered cover. It works from the rules
// in the matrix and trusts no stored count. The error is about those rules.
func (m *Matrix) coverage() ([]answered, error) {
	var planned, sure []matrix.Cell
	for _, c := range m.Cells {
		cell := matrix.Cell{ID: c.ID, Kind: c.Kind, Tier: c.Tier, Composition: c.Composition, Stack: c.Stack, Settings: c.Settings}
		planned = append(planned, cell)
		if m.answers(c.ID) {
			sure = append(sure, cell)
		}
	}
	var out []answered
	for i := range m.Coverage {
		a := answered{Coverage: &m.Coverage[i]}
		covered, missing, err := a.Recount(sure)
		if err != nil {
			return nil, err
		}
		a.count = covered
		if len(missing) > 0 && len(sure) < len(planned) {
			_, never, err := a.Recount(planned)
			if err != nil {
				return nil, err
			}
			a.lost = without(missing, never)
		}
		out = append(out, a)
	}
	return out, nil
}

// without returns the tuples of a that are not in b.
func without(a, b []cover.Tuple) []cover.Tuple {
	in := map[string]bool{}
	for _, t := range b {
		in[t.String()] = true
	}
	var out []cover.Tuple
	for _, t := range a {
		if !in[t.String()] {
			out = append(out, t)
		}
	}
	return out
}

// answers says whether a cell answered about the product in all its checks.
func (m *Matrix) answers(cell string) bool {
	for i := range m.Results {
		r := &m.Results[i]
		if r.Cell == cell && (r.Verdict == matrix.Infra || r.Verdict == matrix.Missing || r.Verdict == matrix.Blocked && !blames(m, r)) {
			return false
		}
	}
	return true
}

// Tuples names a number of a coverage's combinations: "12 pairs", and what all of
// them have.
func Tuples(n int, c *matrix.Coverage) string {
	noun := fmt.Sprintf("combination of %d value", c.Strength)
	switch c.Strength {
	case 1:
		noun = "value"
	case 2:
		noun = "pair"
	case 3:
		noun = "triple"
	}
	if len(c.With) > 0 {
		return number(n, noun) + " with " + c.With.String()
	}
	return number(n, noun)
}

// String says what was covered in a line: "kvm: 310 of 312 pairs answered, ...".
func (a answered) String() string {
	s := fmt.Sprintf("%s: %d of %s answered", a.Cells(), a.count, Tuples(a.Valid, a.Coverage))
	if n := len(a.lost); n > 0 {
		s += fmt.Sprintf(", %d lost with cells that gave no answer", n)
	}
	if n := a.Valid - a.count - len(a.lost); n > 0 {
		s += fmt.Sprintf(", %d left out by the plan", n)
	}
	if n := len(a.Excluded); n > 0 {
		s += fmt.Sprintf("; %d more cannot be", n)
	}
	return s
}

// coverageFacts are the lines that say what was covered.
func (m *Matrix) coverageFacts() []string {
	all, err := m.coverage()
	if err != nil {
		return []string{oneline(err.Error(), shownText)}
	}
	var facts []string
	for _, a := range all {
		facts = append(facts, oneline("coverage of "+a.String(), shownText))
	}
	return facts
}

// uncovered reports combinations that have no answer: those that a cell should
// have given, and those that the plan left out.
func (g *sifted) uncovered(m *Matrix) {
	all, err := m.coverage()
	if err != nil {
		g.unanswered = append(g.unanswered, oneline(err.Error(), shownText))
		return
	}
	for _, a := range all {
		if n := len(a.lost); n > 0 {
			g.unanswered = append(g.unanswered, fmt.Sprintf("without an answer: %s of %s cells, %s", Tuples(n, a.Coverage), a.Cells(), someTuples(a.lost)))
		}
		if n := a.Valid - a.count - len(a.lost); n > 0 {
			g.remarks = append(g.remarks, fmt.Sprintf("the plan leaves out %s of %s cells", Tuples(n, a.Coverage), a.Cells()))
		}
	}
}

func someTuples(list []cover.Tuple) string {
	words := make([]string, len(list))
	for i, t := range list {
		words[i] = "{" + t.String() + "}"
	}
	return oneline(some(words, 3), shownText)
}
