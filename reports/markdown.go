package reports

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/virtmatrix/virtmatrix/matrix"
)

var emoji = map[matrix.Verdict]string{
	matrix.Pass: "✅", matrix.Fail: "❌", matrix.Known: "🟣", matrix.Fixed: "🔵",
	matrix.Unsupported: "➖", matrix.Blocked: "⛔", matrix.Infra: "⚠️", matrix.Missing: "❓",
}

// renderMarkdown renders for a pull request or a wiki.
func renderMarkdown(w io.Writer, m *Matrix) error {
	var b bytes.Buffer
	b.WriteString("# virtmatrix")
	if m.Decision != nil {
		fmt.Fprintf(&b, ": %s", m.Decision.Code)
	}
	b.WriteString("\n\n")
	if m.Decision != nil {
		for _, reason := range m.Decision.Reasons {
			fmt.Fprintf(&b, "* %s\n", mdText(reason))
		}
		b.WriteByte('\n')
	}
	mdTotals(&b, m)
	mdGrid(&b, m)
	mdRebase(&b, m.Rebase)
	mdProblems(&b, m)
	mdPackages(&b, m)
	fmt.Fprintf(&b, "%s\n", mdText(strings.Join(m.facts(), "; ")))
	_, err := w.Write(b.Bytes())
	return err
}

func mdTotals(b *bytes.Buffer, m *Matrix) {
	totals := count(m.Results)
	var parts []string
	for _, v := range matrix.Verdicts {
		if n := totals[v]; n > 0 {
			parts = append(parts, fmt.Sprintf("%s %s %d", emoji[v], v, n))
		}
	}
	if len(parts) == 0 {
		parts = []string{"no results"}
	}
	if words := sources(m.Results); words != "" {
		parts = append(parts, words)
	}
	fmt.Fprintf(b, "%s\n\n", strings.Join(parts, " · "))
}

func mdGrid(b *bytes.Buffer, m *Matrix) {
	g := newGrid(m)
	if len(g.areas) == 0 {
		return
	}
	for i, c := range m.Cells {
		words := string(c.Composition)
		if more := sources(m.of(c.ID)); more != "" {
			words += ", " + more
		}
		fmt.Fprintf(b, "%d. %s (%s)\n", i+1, mdText(c.ID), mdText(words))
	}
	b.WriteString("\n| check |")
	for i := range m.Cells {
		fmt.Fprintf(b, " %d |", i+1)
	}
	b.WriteString("\n| --- |" + strings.Repeat(" :-: |", len(m.Cells)) + "\n")
	for _, a := range g.areas {
		fmt.Fprintf(b, "| **%s** |%s\n", mdText(a.name), strings.Repeat(" |", len(m.Cells)))
		for _, check := range a.checks {
			fmt.Fprintf(b, "| %s |", mdText(check))
			for _, c := range m.Cells {
				mark := ""
				if r := g.at(c.ID, check); r != nil {
					mark = emoji[r.Verdict]
					if r.Retried() {
						mark += "²"
					}
				}
				fmt.Fprintf(b, " %s |", mark)
			}
			b.WriteByte('\n')
		}
	}
	b.WriteByte('\n')
}

func mdProblems(b *bytes.Buffer, m *Matrix) {
	for _, p := range problems(m) {
		fmt.Fprintf(b, "## %s %s: %s\n\n", emoji[p.verdict], p.verdict, mdText(some(p.checks(), 4)))
		fmt.Fprintf(b, "On %s.", mdText(some(p.cells(), 4)))
		if len(p.sharing) > 0 {
			fmt.Fprintf(b, " The answer is also that of %s.", mdText(some(p.sharing, 4)))
		}
		if p.layer != "" {
			fmt.Fprintf(b, " Layer: %s.", mdText(string(p.layer)))
		}
		if p.blockedBy != "" {
			fmt.Fprintf(b, " Blocked by %s.", mdText(p.blockedBy))
		}
		b.WriteString("\n\n")
		mdBlock(b, visible(p.words(), shownText))
		finding := m.finding(p)
		if finding.Cause != "" {
			fmt.Fprintf(b, "Cause (inferred): %s\n\n", mdText(finding.Inference()))
		}
		if who := finding.consumers(); who != "" {
			fmt.Fprintf(b, "Hits: %s\n\n", mdText(who))
		}
		if seen := p.trail().String(); seen != "" {
			fmt.Fprintf(b, "Seen: %s\n\n", mdText(seen))
		}
		for line := range strings.SplitSeq(p.ruling, "\n") {
			if line != "" {
				fmt.Fprintf(b, "Known: %s\n\n", mdText(line))
			}
		}
		if r := p.results[0].Record; r != nil {
			if text := origin(r.Cached); text != "" {
				fmt.Fprintf(b, "Answer %s.\n\n", mdText(text))
			}
			if path := evidencePath(r); path != "" {
				fmt.Fprintf(b, "Evidence: %s\n\n", mdText(path))
			}
			if r.Repeat != "" {
				b.WriteString("Repeat it:\n\n")
				mdBlock(b, oneline(r.Repeat, 1000))
			}
		}
	}
}

// mdText escapes a text for a line or a table: every character that Markdown
// or a code forge could take for markup, a mention or a link.
func mdText(s string) string {
	var b strings.Builder
	for _, r := range oneline(s, shownText) {
		switch {
		case r == '<':
			b.WriteString("&lt;")
		case r == '>':
			b.WriteString("&gt;")
		case r == '&':
			b.WriteString("&amp;")
		case r == '@':
			b.WriteString("&#64;")
		case strings.ContainsRune("\\`*_{}[]#|~!", r):
			b.WriteString("\\" + string(r))
		case r == ':':
			// A colon before slashes would make a link.
			b.WriteString(":")
		default:
			b.WriteRune(r)
		}
	}
	return strings.ReplaceAll(b.String(), "://", "&#58;//")
}

// mdBlock writes a text as a fenced block whose fence the text cannot close.
func mdBlock(b *bytes.Buffer, s string) {
	fence := "```"
	for strings.Contains(s, fence) {
		fence += "`"
	}
	fmt.Fprintf(b, "%s\n%s\n%s\n\n", fence, s, fence)
}
