package reports

import (
	"fmt"
	"slices"

	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/matrix/cover"
)

// answered is what of a planned coverage has an answer. It is counted by check: a
// combination counts for a check when a cell that has it answered that check, or
// shows the answer of another.
type answered struct {
	*matrix.Coverage
	// cells is how many of the valid combinations the planned cells have.
	cells int
	// asked is the sum over the checks of the combinations in the cells that a check
	// applies to, and count how many of these have an answer.
	asked, count int
	// lost are the others: the check, and the combination.
	lost []string
}

// coverage counts what is answered. It works from the rules in the matrix and trusts
// no stored count. The error is about those rules.
func (m *Matrix) coverage() ([]answered, error) {
	var cells []matrix.Cell
	at := map[string]int{}
	for i, c := range m.Cells {
		at[c.ID] = i
		cells = append(cells, *c.planned())
	}
	checks, planned, sure := m.standing(at)
	var out []answered
	for i := range m.Coverage {
		a := answered{Coverage: &m.Coverage[i]}
		counted := recounter{a.Coverage, cells, map[string]recount{}}
		all, err := counted.of(slices.Repeat([]bool{true}, len(cells)))
		if err != nil {
			return nil, err
		}
		a.cells = all.covered
		for _, check := range checks {
			asked, err := counted.of(planned[check])
			if err != nil {
				return nil, err
			}
			got, err := counted.of(sure[check])
			if err != nil {
				return nil, err
			}
			a.asked, a.count = a.asked+asked.covered, a.count+got.covered
			if got.covered < asked.covered {
				for _, t := range without(got.missing, asked.missing) {
					a.lost = append(a.lost, check+" {"+t.String()+"}")
				}
			}
		}
		out = append(out, a)
	}
	return out, nil
}

// standing lists the checks, and for each which cells it applies to and which of
// these have an answer about the product.
func (m *Matrix) standing(at map[string]int) (checks []string, planned, sure map[string][]bool) {
	planned, sure = map[string][]bool{}, map[string][]bool{}
	for i := range m.Results {
		r := &m.Results[i]
		if r.Verdict == matrix.Unsupported {
			continue
		}
		if planned[r.Check] == nil {
			checks = append(checks, r.Check)
			planned[r.Check], sure[r.Check] = make([]bool, len(at)), make([]bool, len(at))
		}
		planned[r.Check][at[r.Cell]], sure[r.Check][at[r.Cell]] = true, m.answers(r)
	}
	return checks, planned, sure
}

// answers says whether a result is an answer about the product.
func (m *Matrix) answers(r *Result) bool {
	return r.Verdict != matrix.Infra && r.Verdict != matrix.Missing && (r.Verdict != matrix.Blocked || productBlocks(m, m.own(r)))
}

// recounter counts what sets of cells cover. Most checks have the same ones.
type recounter struct {
	*matrix.Coverage
	cells []matrix.Cell
	known map[string]recount
}

type recount struct {
	covered int
	missing []cover.Tuple
}

// of counts what the cells of a set cover.
func (r recounter) of(set []bool) (recount, error) {
	key := fmt.Sprint(set)
	if known, ok := r.known[key]; ok {
		return known, nil
	}
	var cells []matrix.Cell
	for i, in := range set {
		if in {
			cells = append(cells, r.cells[i])
		}
	}
	covered, missing, err := r.Recount(cells)
	r.known[key] = recount{covered, missing}
	return r.known[key], err
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

// String says what was covered in a line: "kvm: 312 of 312 pairs in cells, 9100 of 9102
// answered, counted by check, ...".
func (a answered) String() string {
	s := fmt.Sprintf("%s: %d of %s in cells, %d of %d answered, counted by check", a.Cells(), a.cells, Tuples(a.Valid, a.Coverage), a.count, a.asked)
	if n := a.Valid - a.cells; n > 0 {
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
			g.unanswered = append(g.unanswered, fmt.Sprintf("without an answer, counted by check: %s of %s cells, %s",
				Tuples(n, a.Coverage), a.Cells(), oneline(some(a.lost, 3), shownText)))
		}
		if n := a.Valid - a.cells; n > 0 {
			g.remarks = append(g.remarks, fmt.Sprintf("the plan leaves out %s of %s cells", Tuples(n, a.Coverage), a.Cells()))
		}
	}
}
