package reports

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/virtmatrix/virtmatrix/matrix"
)

// terminalWidth is what the terminal format fits into, in columns.
const terminalWidth = 100

// terminal renders for people at a prompt and for logs of pipelines.
type terminal struct{ colour bool }

func (t terminal) render(w io.Writer, m *Matrix) error {
	var b bytes.Buffer
	t.columns(&b, m)
	t.grid(&b, m)
	t.rebase(&b, m.Rebase)
	for _, p := range problems(m) {
		t.problem(&b, m, p)
	}
	t.packages(&b, m)
	t.totals(&b, m)
	t.decision(&b, m)
	_, err := w.Write(b.Bytes())
	return err
}

// The colours, as SGR parameters.
const (
	bold  = "1"
	faint = "2"
)

var verdictColours = map[matrix.Verdict]string{
	matrix.Pass: "32", matrix.Fail: "1;31", matrix.Known: "35", matrix.Fixed: "36",
	matrix.Unsupported: faint, matrix.Blocked: "31", matrix.Infra: "33", matrix.Missing: "1;33",
}

func (t terminal) paint(sgr, s string) string {
	if !t.colour || sgr == "" {
		return s
	}
	return "\x1b[" + sgr + "m" + s + "\x1b[0m"
}

// columns prints the legend: which number is which cell, and how it did.
func (t terminal) columns(b *bytes.Buffer, m *Matrix) {
	byCell := map[string][]Result{}
	width := 4
	for _, r := range m.Results {
		byCell[r.Cell] = append(byCell[r.Cell], r)
	}
	for _, c := range m.Cells {
		width = max(width, utf8.RuneCountInString(c.ID))
	}
	width = min(width, 60)
	for i, c := range m.Cells {
		totals := count(byCell[c.ID])
		var parts []string
		for _, v := range matrix.Verdicts {
			if n := totals[v]; n > 0 {
				parts = append(parts, t.paint(verdictColours[v], fmt.Sprintf("%d%s", n, glyphs[v])))
			}
		}
		if words := sources(byCell[c.ID]); words != "" {
			parts = append(parts, t.paint(faint, "("+words+")"))
		}
		fmt.Fprintf(b, "%3d  %s  %s  %s\n", i+1, pad(oneline(c.ID, 200), width),
			t.paint(faint, pad(string(c.Composition), 7)), strings.Join(parts, " "))
	}
	if len(m.Cells) > 0 {
		b.WriteByte('\n')
	}
}

// layout is how wide the grid's parts are, in columns.
type layout struct {
	label, column int
	// gap is set when every tenth column is followed by a space.
	gap bool
	// block is how many cells fit beside the labels.
	block int
}

func newLayout(g *grid, cells int) layout {
	l := layout{label: 8, column: 3}
	for _, a := range g.areas {
		for _, c := range a.checks {
			l.label = min(max(l.label, utf8.RuneCountInString(c)), 24)
		}
	}
	room := terminalWidth - l.label - 3
	l.block = room / l.column
	if cells > l.block {
		l.column, l.block, l.gap = 1, room, cells+cells/10 <= room
	}
	return l
}

// dense says whether there is no space between the columns.
func (l layout) dense() bool { return l.column == 1 }

// after returns the gap that follows the column with this number.
func (l layout) after(number int) string {
	if l.gap && number%10 == 0 {
		return " "
	}
	return ""
}

// grid prints the checks as rows and the cells as numbered columns, in as many
// blocks as the width asks for.
func (t terminal) grid(b *bytes.Buffer, m *Matrix) {
	g := newGrid(m)
	if len(g.areas) == 0 {
		return
	}
	l := newLayout(g, len(m.Cells))
	first := 0
	for cells := range slices.Chunk(m.Cells, l.block) {
		numbers(b, l, first, len(cells))
		for _, a := range g.areas {
			fmt.Fprintln(b, t.paint(bold, a.name))
			for _, check := range a.checks {
				t.row(b, g, l, check, cells, first)
			}
		}
		b.WriteByte('\n')
		first += len(cells)
	}
	t.legend(b, l)
}

// numbers prints the column numbers; narrow columns have them upright.
func numbers(b *bytes.Buffer, l layout, first, n int) {
	margin := strings.Repeat(" ", l.label+3)
	if !l.dense() {
		b.WriteString(margin)
		for i := range n {
			fmt.Fprintf(b, "%*d", l.column, first+i+1)
		}
		b.WriteByte('\n')
		return
	}
	for _, unit := range []int{100, 10, 1} {
		if first+n < unit {
			continue
		}
		b.WriteString(margin)
		for number := first + 1; number <= first+n; number++ {
			digit := " "
			if unit == 1 || number >= unit && number%10 == 0 {
				digit = fmt.Sprint(number / unit % 10)
			}
			b.WriteString(digit + l.after(number))
		}
		b.WriteByte('\n')
	}
}

func (t terminal) row(b *bytes.Buffer, g *grid, l layout, check string, cells []Cell, first int) {
	fmt.Fprintf(b, "  %s ", pad(oneline(check, 200), l.label))
	for i, c := range cells {
		glyph, sgr := " ", ""
		if r := g.at(c.ID, check); r != nil {
			glyph, sgr = l.glyph(r.Verdict), verdictColours[r.Verdict]
			switch {
			case r.Retried():
				glyph, sgr = "2", "1;32"
			case r.AskedIn != "":
				sgr += ";" + faint
			}
		}
		b.WriteString(strings.Repeat(" ", l.column-1) + t.paint(sgr, glyph) + l.after(first+i+1))
	}
	b.WriteByte('\n')
}

// glyph is the character for a verdict. Where nothing but glyphs is left, a
// pass is a dot, so that the rest stands out without colour too.
func (l layout) glyph(v matrix.Verdict) string {
	if v == matrix.Pass && l.dense() {
		return "·"
	}
	return glyphs[v]
}

func (t terminal) legend(b *bytes.Buffer, l layout) {
	var parts []string
	for _, v := range matrix.Verdicts {
		parts = append(parts, t.paint(verdictColours[v], l.glyph(v))+" "+string(v))
		if v == matrix.Pass {
			parts = append(parts, t.paint("1;32", "2")+" PASS at 2nd try")
		}
	}
	fmt.Fprintf(b, "%s\n\n", strings.Join(parts, "  "))
}

// problem explains one thing that went wrong, and where to look.
func (t terminal) problem(b *bytes.Buffer, m *Matrix, p *problem) {
	checks, cells := p.checks(), p.cells()
	head := string(p.verdict) + "  " + some(checks, 4)
	fmt.Fprint(b, t.paint(verdictColours[p.verdict], glyphs[p.verdict]+" "+head))
	if p.layer != "" {
		fmt.Fprintf(b, "  [%s]", oneline(string(p.layer), 40))
	}
	if p.blockedBy != "" {
		fmt.Fprintf(b, "  by %s", oneline(p.blockedBy, 80))
	}
	b.WriteByte('\n')
	t.indent(b, "on       ", some(cells, 3))
	t.indent(b, "also of  ", some(p.sharing, 3))
	t.indent(b, "         ", visible(p.words(), shownText))
	finding := m.finding(p)
	t.indent(b, "cause    ", finding.Inference())
	t.indent(b, "hits     ", finding.consumers())
	t.indent(b, "seen     ", p.trail().String())
	t.indent(b, "known    ", visible(p.ruling, shownText))
	if first := p.results[0].Record; first != nil {
		t.indent(b, "answer   ", origin(first.Cached))
		t.indent(b, "evidence ", evidencePath(first))
		t.verbatim(b, "repeat   ", oneline(first.Repeat, 1000))
	}
	b.WriteByte('\n')
}

func (t terminal) indent(b *bytes.Buffer, label, text string) {
	if text == "" {
		return
	}
	for _, line := range wrap(text, terminalWidth-2-len(label)) {
		fmt.Fprintf(b, "  %s%s\n", t.paint(faint, label), line)
		label = strings.Repeat(" ", len(label))
	}
}

// verbatim prints a command on one line, however long, so that it can be
// copied.
func (t terminal) verbatim(b *bytes.Buffer, label, text string) {
	if text != "" {
		fmt.Fprintf(b, "  %s%s\n", t.paint(faint, label), text)
	}
}

func (t terminal) totals(b *bytes.Buffer, m *Matrix) {
	totals := count(m.Results)
	var parts []string
	for _, v := range matrix.Verdicts {
		if n := totals[v]; n > 0 {
			parts = append(parts, t.paint(verdictColours[v], fmt.Sprintf("%s %d", v, n)))
		}
	}
	if len(parts) == 0 {
		parts = []string{"no results"}
	}
	if words := sources(m.Results); words != "" {
		parts = append(parts, t.paint(faint, "("+words+")"))
	}
	fmt.Fprintln(b, strings.Join(parts, "   "))
	for _, line := range wrap(strings.Join(m.facts(), "; "), terminalWidth) {
		fmt.Fprintln(b, t.paint(faint, line))
	}
}

func (t terminal) decision(b *bytes.Buffer, m *Matrix) {
	if m.Decision == nil {
		return
	}
	sgr := map[Code]string{Ship: "1;32", Hold: "1;31", NoAnswer: "1;33"}[m.Decision.Code]
	fmt.Fprintf(b, "\n%s (exit %d)\n", t.paint(sgr, m.Decision.Code.String()), m.Decision.Code)
	for _, reason := range m.Decision.Reasons {
		t.indent(b, "- ", visible(reason, shownText))
	}
}
