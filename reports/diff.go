package reports

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/capture"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// Comparison is what differs between two images, to be read by whoever moves from the
// one to the other.
type Comparison struct {
	// Old and New are what was asked to be compared.
	Old   string         `json:"old"`
	New   string         `json:"new"`
	Diffs []capture.Diff `json:"diffs"`
}

// DiffFormats are the formats of a comparison.
var DiffFormats = map[string]func(io.Writer, Comparison) error{
	"md": diffMarkdown, "html": diffPage, "json": func(w io.Writer, c Comparison) error {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(c)
	},
}

// DiffFormatNamed returns how to write a comparison; the error for an unknown name gives
// the nearest.
func DiffFormatNamed(name string) (func(io.Writer, Comparison) error, error) {
	if render, ok := DiffFormats[name]; ok {
		return render, nil
	}
	return nil, matrix.Unknown("format", name, []string{"md", "html", "json"})
}

// section is a list of a document: the lines of each kind under a heading.
type section struct {
	Title, Lead string
	Kinds       []kindLines
	// Folded is what is read only by who wants to know everything.
	Folded bool
}

// kindLines are the differences of a kind, and how many more there are.
type kindLines struct {
	Title, Means string
	Lines        []diffLine
	More         int
}

// diffLine is one difference in words. Name is to be shown as it is written.
type diffLine struct{ Noun, Name, Words, Source string }

// counted is a row of the table that a document begins with.
type counted struct {
	Kind, Title                string
	Old, New, Findings, Source int
	Counts                     []int
}

// linesBeforeFold is how many differences are told before the fold, of all kinds
// together: a minute's reading.
const linesBeforeFold = 80

// document is a comparison as it is read.
type document struct {
	Title string
	// Subjects are the exact packages that were compared.
	Subjects []string
	Style    template.CSS
	Changes  []capture.ChangeOf
	Rows     []counted
	Sections []section
	// Same are the kinds in which nothing differs.
	Same []string
}

func newDocument(c Comparison) document {
	d := document{Title: fmt.Sprintf("%s → %s: what moves", c.Old, c.New), Changes: capture.Changes()}
	var different int
	for _, diff := range c.Diffs {
		if s := oneline(diff.Old+" → "+diff.New, 200); !slices.Contains(d.Subjects, s) {
			d.Subjects = append(d.Subjects, s)
		}
		k, _ := capture.KindNamed(diff.Kind) // one that we do not know has no title
		row := counted{Kind: diff.Kind, Title: cmp.Or(k.Title, diff.Kind), Old: diff.OldFacts, New: diff.NewFacts, Counts: make([]int, len(d.Changes))}
		for _, g := range diff.Groups {
			row.Counts[slices.Index(d.Changes, g.Change)]++
		}
		for _, g := range diff.Findings() {
			if row.Findings++; g.Source != nil {
				row.Source++
			}
		}
		d.Rows = append(d.Rows, row)
		if len(diff.Groups) == 0 {
			d.Same = append(d.Same, row.Title)
		} else {
			different++
		}
	}
	few := max(3, linesBeforeFold/max(1, different)/2)
	finding := func(g capture.Group) bool { return g.Breaks && g.Packaging == "" }
	surprise := func(g capture.Group) bool { return finding(g) && g.Source == nil }
	d.Sections = []section{
		newSection(c, "Not announced", "What relied on these is hit, and upstream has announced none of them that we know of.", few, surprise),
		newSection(c, "Announced by upstream", "", few, func(g capture.Group) bool { return finding(g) && g.Source != nil }),
		newSection(c, "Packaging", "The image lacks a package that the other has; nothing was removed upstream.", 2, func(g capture.Group) bool { return g.Packaging != "" }),
		newSection(c, "Newly deprecated", "They work, and upstream means to remove them.", 3, func(g capture.Group) bool { return g.Change == capture.Deprecated && !finding(g) }),
	}
	everything := newSection(c, "Everything that differs", "", 1<<20, func(capture.Group) bool { return true })
	everything.Folded = true
	d.Sections = append(d.Sections, everything)
	d.Sections = slices.DeleteFunc(d.Sections, func(s section) bool { return len(s.Kinds) == 0 })
	return d
}

// newSection gathers the groups that are wanted, a few of each kind.
func newSection(c Comparison, title, lead string, few int, want func(capture.Group) bool) section {
	s := section{Title: title, Lead: lead}
	for _, diff := range c.Diffs {
		k, _ := capture.KindNamed(diff.Kind)
		lines := kindLines{Title: cmp.Or(k.Title, diff.Kind), Means: k.Means}
		for _, g := range diff.Groups {
			if !want(g) {
				continue
			}
			if len(lines.Lines) == few {
				lines.More++
				continue
			}
			lines.Lines = append(lines.Lines, newDiffLine(g))
		}
		if len(lines.Lines) > 0 {
			s.Kinds = append(s.Kinds, lines)
		}
	}
	return s
}

// shownPlaces is how many places of a group are named.
const shownPlaces = 3

func newDiffLine(g capture.Group) diffLine {
	l := diffLine{Noun: g.Noun, Name: oneline(g.Name, 200), Words: string(g.Change)}
	if g.Change == capture.Changed {
		l.Words += fmt.Sprintf(" from %s to %s", quote(g.Was), quote(g.Is))
	}
	if len(g.Places) > 1 || g.Places[0] != g.Name {
		where := oneline(strings.Join(g.Places[:min(shownPlaces, len(g.Places))], ", "), 400)
		if more := len(g.Places) - shownPlaces; more > 0 {
			where += fmt.Sprintf(" and %d more", more)
		}
		l.Words += ": " + where
	}
	switch {
	case g.Packaging != "":
		l.Source = oneline(g.Packaging, 200)
	case g.Source != nil:
		l.Source = g.Source.String()
	}
	return l
}

// quote shows a value that may be empty.
func quote(value string) string { return "“" + oneline(value, 120) + "”" }

// mdCode shows a text as it is written. No text ends a code span early.
func mdCode(s string) string { return "`" + strings.ReplaceAll(s, "`", "'") + "`" }

func diffMarkdown(w io.Writer, c Comparison) error {
	d := newDocument(c)
	var b bytes.Buffer
	fmt.Fprintf(&b, "# %s\n\n%s\n\n| | facts | findings | announced |", mdText(d.Title), mdText(strings.Join(d.Subjects, "; ")))
	for _, change := range d.Changes {
		fmt.Fprintf(&b, " %s |", change)
	}
	b.WriteString("\n| --- | ---: |" + strings.Repeat(" ---: |", len(d.Changes)+2) + "\n")
	for _, r := range d.Rows {
		fmt.Fprintf(&b, "| %s | %d → %d | %d | %d |", mdText(r.Kind), r.Old, r.New, r.Findings, r.Source)
		for _, n := range r.Counts {
			fmt.Fprintf(&b, " %d |", n)
		}
		b.WriteByte('\n')
	}
	for _, s := range d.Sections {
		if s.Folded {
			fmt.Fprintf(&b, "\n<details><summary>%s</summary>\n", s.Title)
		} else {
			fmt.Fprintf(&b, "\n## %s\n", s.Title)
		}
		if s.Lead != "" {
			fmt.Fprintf(&b, "\n%s\n", s.Lead)
		}
		for _, k := range s.Kinds {
			fmt.Fprintf(&b, "\n**%s**\n", mdText(k.Title))
			for _, l := range k.Lines {
				fmt.Fprintf(&b, "* %s %s %s", l.Noun, mdCode(l.Name), mdText(l.Words))
				if l.Source != "" {
					fmt.Fprintf(&b, " (%s)", mdText(l.Source))
				}
				b.WriteByte('\n')
			}
			if k.More > 0 {
				fmt.Fprintf(&b, "* %d more below\n", k.More)
			}
		}
		if s.Folded {
			b.WriteString("\n</details>\n")
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}

var diffTemplate = template.Must(template.ParseFS(pageFiles, "page/diff.tmpl"))

// diffPage renders one HTML file that needs nothing else and runs no script.
func diffPage(w io.Writer, c Comparison) error {
	style, err := pageFiles.ReadFile("page/page.css")
	if err != nil {
		return fmt.Errorf("cannot render page: %w", err)
	}
	d := newDocument(c)
	d.Style = template.CSS(style)
	var b bytes.Buffer
	if err := diffTemplate.Execute(&b, d); err != nil {
		return fmt.Errorf("cannot render page: %w", err)
	}
	_, err = w.Write(b.Bytes())
	return err
}
