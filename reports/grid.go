package reports

import (
	"fmt"
	"slices"
	"strings"

	"github.com/virtmatrix/virtmatrix/matrix"
)

// area is a family of checks, with its rows of the grid.
type area struct {
	family, name string
	checks       []string
}

// grid is a matrix seen as rows of checks and columns of cells.
type grid struct {
	areas   []area
	results map[question]*Result
}

func newGrid(m *Matrix) *grid {
	g := &grid{results: m.index()}
	for i := range m.Results {
		g.row(&m.Results[i])
	}
	// From the bottom of a stack to the top: the names of the families are so.
	slices.SortFunc(g.areas, func(a, b area) int { return strings.Compare(a.family, b.family) })
	return g
}

// row adds a check to its area.
func (g *grid) row(r *Result) {
	i := slices.IndexFunc(g.areas, func(a area) bool { return a.family == r.Family })
	if i < 0 {
		i, g.areas = len(g.areas), append(g.areas, area{family: r.Family, name: heading(r.Family)})
	}
	if a := &g.areas[i]; !slices.Contains(a.checks, r.Check) {
		a.checks = append(a.checks, r.Check)
	}
}

// heading is what a family is called over its rows: "INBOUND kernel".
func heading(family string) string {
	side, name, _ := strings.Cut(family, "/")
	if side == "" {
		return "other"
	}
	return strings.ToUpper(side) + " " + name
}

// at returns the result of a check on a cell, or nil when it is not planned.
func (g *grid) at(cell, check string) *Result { return g.results[question{cell, check}] }

// glyphs are what a verdict looks like in one character.
var glyphs = map[matrix.Verdict]string{
	matrix.Pass:        "✓",
	matrix.Fail:        "✗",
	matrix.Known:       "k",
	matrix.Fixed:       "+",
	matrix.Unsupported: "-",
	matrix.Blocked:     "b",
	matrix.Infra:       "!",
	matrix.Missing:     "?",
}

// problem is one thing to explain: results that went wrong in the same way.
type problem struct {
	verdict   matrix.Verdict
	layer     matrix.Layer
	blockedBy string
	reason    string
	// ruling is what is known of them.
	ruling  string
	results []*Result
	// sharing are the cells that show these results as theirs.
	sharing []string
}

// urgency is the order in which problems are explained.
var urgency = []matrix.Verdict{matrix.Fail, matrix.Fixed, matrix.Infra, matrix.Missing, matrix.Blocked, matrix.Known}

// problems groups every answer that is neither PASS nor UNSUPPORTED, the most
// urgent first, and each once. What fails in the same words on many cells, or in the product's
// same words in many checks, is one problem, and so are the many checks of one cell that never
// got to run.
func problems(m *Matrix) []*problem {
	type key struct {
		verdict                        matrix.Verdict
		where, reason, reason2, ruling string
	}
	groups := map[key]*problem{}
	var list []*problem
	of := map[question]*problem{}
	for i := range m.Results {
		r := &m.Results[i]
		if !slices.Contains(urgency, r.Verdict) || r.AskedIn != "" {
			continue
		}
		k := key{r.Verdict, "cell " + r.Cell, r.Reason, "", r.Ruling}
		if r.Verdict == matrix.Fail || r.Verdict == matrix.Known || r.Verdict == matrix.Fixed {
			k.where, k.reason2 = "check "+r.Check, string(r.Layer())
			var own bool
			if k.reason, own = signature(r.Reason, r.Cell); own {
				k.where = "the product"
			}
		}
		var blockedBy string
		if r.Record != nil && r.Verdict == matrix.Blocked {
			blockedBy = r.Record.BlockedBy
			k.reason2 = blockedBy
		}
		p := groups[k]
		if p == nil {
			p = &problem{verdict: r.Verdict, layer: r.Layer(), blockedBy: blockedBy, reason: r.Reason, ruling: r.Ruling}
			groups[k], list = p, append(list, p)
		}
		p.results = append(p.results, r)
		of[question{r.Cell, r.Check}] = p
	}
	for i := range m.Results {
		r := &m.Results[i]
		if p := of[question{r.AskedIn, r.Check}]; p != nil && !slices.Contains(p.sharing, r.Cell) {
			p.sharing = append(p.sharing, r.Cell)
		}
	}
	slices.SortStableFunc(list, func(a, b *problem) int {
		return slices.Index(urgency, a.verdict) - slices.Index(urgency, b.verdict)
	})
	return list
}

// checks and cells are what a problem is about, each once.
func (p *problem) checks() []string {
	var names []string
	for _, r := range p.results {
		if !slices.Contains(names, r.Check) {
			names = append(names, r.Check)
		}
	}
	return names
}

func (p *problem) cells() []string {
	var names []string
	for _, r := range p.results {
		if !slices.Contains(names, r.Cell) {
			names = append(names, r.Cell)
		}
	}
	return names
}

// shownReason is how many lines of a reason a report shows; why shows all.
const shownReason = 20

// words says why in a text that is never empty.
func (p *problem) words() string {
	lines := strings.Split(strings.TrimRight(p.reason, "\n"), "\n")
	if more := len(lines) - shownReason; more > 1 {
		return strings.Join(lines[:shownReason], "\n") + fmt.Sprintf("\n… (%d more lines; virtmatrix why shows all)", more)
	}
	if p.reason != "" {
		return p.reason
	}
	return "the record gives no reason"
}
