package reports

import (
	"slices"
	"strings"

	"github.com/virtmatrix/virtmatrix/matrix"
)

// area is a group of checks that belong together, with its rows of the grid.
type area struct {
	name   string
	checks []string
}

// knownAreas are the groups by the first part of a check's ID, from the bottom
// of a stack to the top.
var knownAreas = []struct{ prefix, name string }{
	{"IK", "INBOUND kernel"},
	{"IQ", "INBOUND qemu"},
	{"IX", "INBOUND Xen"},
	{"O", "OUTBOUND libvirt"},
	{"", "other"},
}

// grid is a matrix seen as rows of checks and columns of cells.
type grid struct {
	areas   []area
	results map[question]*Result
}

func newGrid(m *Matrix) *grid {
	g := &grid{results: map[question]*Result{}}
	for _, k := range knownAreas {
		g.areas = append(g.areas, area{name: k.name})
	}
	for i := range m.Results {
		r := &m.Results[i]
		g.results[question{r.Cell, r.Check}] = r
		g.row(r.Check)
	}
	g.areas = slices.DeleteFunc(g.areas, func(a area) bool { return len(a.checks) == 0 })
	return g
}

// row adds a check to its area.
func (g *grid) row(check string) {
	prefix, _, _ := strings.Cut(check, "-")
	i := len(knownAreas) - 1
	for at, k := range knownAreas {
		if k.prefix == prefix {
			i = at
		}
	}
	if a := &g.areas[i]; !slices.Contains(a.checks, check) {
		a.checks = append(a.checks, check)
	}
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
	results   []*Result
}

// urgency is the order in which problems are explained.
var urgency = []matrix.Verdict{matrix.Fail, matrix.Fixed, matrix.Infra, matrix.Missing, matrix.Blocked, matrix.Known}

// problems groups everything that is neither PASS nor UNSUPPORTED, the most
// urgent first. A check that fails in the same words on many cells is one
// problem, and so are the many checks of one cell that never got to run.
func problems(m *Matrix) []*problem {
	type key struct {
		verdict                matrix.Verdict
		where, reason, reason2 string
	}
	groups := map[key]*problem{}
	var list []*problem
	for i := range m.Results {
		r := &m.Results[i]
		if !slices.Contains(urgency, r.Verdict) {
			continue
		}
		k := key{r.Verdict, "cell " + r.Cell, r.Reason, ""}
		if r.Verdict == matrix.Fail || r.Verdict == matrix.Known || r.Verdict == matrix.Fixed {
			k.where, k.reason2 = "check "+r.Check, string(r.Layer())
		}
		var blockedBy string
		if r.Record != nil && r.Verdict == matrix.Blocked {
			blockedBy = r.Record.BlockedBy
			k.reason2 = blockedBy
		}
		p := groups[k]
		if p == nil {
			p = &problem{verdict: r.Verdict, layer: r.Layer(), blockedBy: blockedBy, reason: r.Reason}
			groups[k], list = p, append(list, p)
		}
		p.results = append(p.results, r)
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

// words says why in a text that is never empty.
func (p *problem) words() string {
	if p.reason != "" {
		return p.reason
	}
	return "the record gives no reason"
}
