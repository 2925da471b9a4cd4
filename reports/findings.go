package reports

import (
	"fmt"
	"slices"
	"strings"

	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/reports/cause"
)

// Finding is failures that have one cause, and what the matrix says about it.
type Finding struct {
	Verdict matrix.Verdict `json:"verdict"`
	Layer   matrix.Layer   `json:"layer,omitempty"`
	Checks  []string       `json:"checks"`
	Cells   []string       `json:"cells"`
	Known   []string       `json:"known,omitempty"`
	Reason  string         `json:"reason,omitempty"`
	// Cause is an inference from the cells that were asked: the smallest conditions that
	// the red ones have and the green ones lack, with what is against it. AsWell are
	// others that fit equally, and Decide are the cheapest cells that would tell them apart.
	Cause  string   `json:"cause,omitempty"`
	AsWell []string `json:"as_well,omitempty"`
	Decide []Ask    `json:"decide,omitempty"`
	// Relied is who relies on what its checks assert.
	Relied []matrix.Reliance `json:"relied,omitempty"`
}

// Find gathers the failures of a matrix into findings. What runs that localised them found is
// evidence as well, and no more.
func (m *Matrix) Find(localised ...*Matrix) {
	m.Findings = nil
	all := m.with(localised)
	for _, p := range problems(m) {
		if p.verdict != matrix.Fail && p.verdict != matrix.Known {
			continue
		}
		f := Finding{Verdict: p.verdict, Layer: p.layer, Checks: p.checks(), Cells: p.cells(), Known: p.results[0].Known, Reason: p.reason, Relied: p.relied()}
		p.localise(all, &f)
		m.Findings = append(m.Findings, f)
	}
}

// distinct counts the findings that are not known.
func (m *Matrix) distinct() (n int) {
	for i := range m.Findings {
		if m.Findings[i].Verdict == matrix.Fail {
			n++
		}
	}
	return n
}

// finding is what was found about a problem; the zero Finding before Find.
func (m *Matrix) finding(p *problem) (f Finding) {
	for i := range m.Findings {
		if m.Findings[i].is(p) {
			return m.Findings[i]
		}
	}
	return Finding{}
}

func (f *Finding) is(p *problem) bool {
	return f.Verdict == p.verdict && f.Reason == p.reason && slices.Equal(f.Checks, p.checks()) && slices.Equal(f.Cells, p.cells())
}

// Inference is the cause in words, a line for each part of it.
func (f *Finding) Inference() string {
	if f.Cause == "" {
		return ""
	}
	lines := []string{f.Cause}
	if len(f.AsWell) > 0 {
		lines = append(lines, "fits as well: "+some(f.AsWell, 3))
	}
	if len(f.Decide) > 0 {
		var asks []string
		for _, a := range f.Decide {
			asks = append(asks, a.String())
		}
		lines = append(lines, "would tell: "+strings.Join(asks, ", "))
	}
	return oneline(strings.Join(lines, "; "), shownText)
}

// localise infers what the cells of a problem have in common. Only cells that were asked
// count, each once. A check that compares versions says itself which they are.
func (p *problem) localise(m *Matrix, f *Finding) {
	if p.results[0].Against != "" {
		return
	}
	l, said := p.locate(m)
	if l == nil {
		if said != "" {
			f.Cause = "cannot be told: " + said
		}
		return
	}
	conditions := cause.Find(l.axes, l.cells)
	if len(conditions) == 0 {
		f.Cause = fmt.Sprintf("cannot be told: no few conditions tell %d red cells from %s", len(l.red), said)
		return
	}
	first := conditions[0]
	f.Cause = fmt.Sprintf("seems to be %s: %d of %d red cells have it, and %d of %s", first.Words(l.axes), first.Red, len(l.red), first.Green, said)
	for _, c := range conditions[1:] {
		f.AsWell = append(f.AsWell, c.Words(l.axes))
	}
	f.Decide = l.asks(cause.Decide(l.axes, l.cells, l.cost, l.otherwise))
}

// evidence sorts the cells that were asked the checks of a problem: those that fail so,
// whether or not it is known there, those that pass, and those that fail otherwise.
func (p *problem) evidence(m *Matrix) (red, green, other []*Cell) {
	of, sort, checks := map[string][]*Cell{}, map[string]string{}, p.checks()
	for i := range m.Results {
		switch r := &m.Results[i]; {
		case r.AskedIn != "" || sort[r.Cell] == "red" || !slices.Contains(checks, r.Check):
		case r.Verdict == matrix.Pass || r.Verdict == matrix.Fixed:
			if sort[r.Cell] == "" {
				sort[r.Cell] = "green"
			}
		case r.Verdict == matrix.Fail || r.Verdict == matrix.Known:
			sort[r.Cell] = "other"
			if r.SameFailure(p.results[0]) {
				sort[r.Cell] = "red"
			}
		}
	}
	for i := range m.Cells {
		c := &m.Cells[i]
		of[sort[c.ID]] = append(of[sort[c.ID]], c)
	}
	return of["red"], of["green"], of["other"]
}

// space are the axes that some cells differ on and the answers may depend on.
type space struct {
	axes []cause.Axis
	of   []func(*Cell) string
}

// Ranks of axes that explain equally much. The layer of a failure is evidence; how packages
// are put together should never matter.
const (
	rankLayer = iota
	rankComponent
	rankSetting
	rankHow
)

func (p *problem) space(m *Matrix, cells []*Cell) (s space) {
	depends, all := map[string]bool{}, false
	for _, r := range p.results {
		all = all || r.depends == nil
		for _, axis := range r.depends {
			depends[axis] = true
		}
	}
	add := func(name string, ordered bool, rank int, of func(*Cell) string) {
		axis := cause.Axis{Name: name, Ordered: ordered, Rank: rank, Follows: rank == rankHow}
		for _, c := range cells {
			if v := of(c); v != "" && !slices.Contains(axis.Values, v) {
				axis.Values = append(axis.Values, v)
				if ordered && matrix.Below(v) != v {
					axis.Alone = append(axis.Alone, v)
				}
			}
		}
		if ordered {
			slices.SortFunc(axis.Values, matrix.Compare)
		}
		s.axes, s.of = append(s.axes, axis), append(s.of, of)
	}
	seen := map[string]bool{}
	for i := range m.Cells {
		for _, choice := range m.Cells[i].Stack {
			name := string(choice.Component)
			if seen[name] || !all && !depends[name] {
				continue
			}
			seen[name] = true
			rank := rankComponent
			if m.Cells[i].layerOf(choice.Component) == p.layer {
				rank = rankLayer
			}
			add(name, true, rank, func(c *Cell) string { return c.version(choice.Component) })
		}
		for _, setting := range m.Cells[i].Settings {
			// Defaults follow from the rest of a cell and explain nothing by themselves.
			if !setting.Default && !seen[setting.Axis] && (all || depends[setting.Axis]) {
				seen[setting.Axis] = true
				add(setting.Axis, false, rankSetting, func(c *Cell) string { return c.setting(setting.Axis) })
			}
		}
	}
	add("kind", false, rankHow, func(c *Cell) string { return string(c.Kind) })
	add(matrix.TierAxis, false, rankHow, func(c *Cell) string { return string(c.Tier) })
	if all || depends[matrix.CompositionAxis] {
		add(matrix.CompositionAxis, false, rankHow, func(c *Cell) string { return string(c.Composition) })
	}
	return s
}

func (s space) values(c *Cell) []int {
	values := make([]int, len(s.axes))
	for i, axis := range s.axes {
		values[i] = slices.Index(axis.Values, s.of[i](c))
	}
	return values
}

// version and setting are a cell's value on an axis; empty where it has none, or only
// the default of a setting.
func (c *Cell) version(comp matrix.Component) string {
	choice, _ := c.planned().Choice(comp)
	return choice.Version
}

func (c *Cell) setting(axis string) string {
	value, _ := c.planned().Value(axis)
	return value
}
