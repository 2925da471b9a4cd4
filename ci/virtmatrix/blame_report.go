package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/reports/blame"
)

// report tells what is blamed, on what answers, and how to see it again: for people, or as
// Markdown that is pasted into a bug report.
func (b *blaming) report(w io.Writer, r blame.Result, md bool) error {
	var text bytes.Buffer
	t := bugText{Writer: &text, md: md}
	t.heading("%s: %s", b.red.Check, b.verdict(r))
	t.say("%s", b.means(r))
	if about := b.asserts(); about != "" {
		t.say("The check asserts: %s", about)
	}
	t.say("It fails on %s with:", b.is.ID)
	reason := slices.Collect(strings.Lines(b.red.Reason))
	for _, line := range reason[:min(len(reason), 10)] {
		t.line("%s", printable(strings.TrimRight(line, "\n")))
	}
	t.say("Answers:")
	for _, a := range r.Asked {
		t.line("%s: %s", blame.Words(b.parts, a.Stack), blame.Tell(a.Answers))
	}
	if len(r.Blamed) > 0 {
		t.say("Packages:")
		for _, blamed := range r.Blamed {
			b.packages(t, blamed)
		}
	}
	t.say("To see it again:")
	t.line("virtmatrix blame %s %s %s -from %s", filepath.Base(b.dir.Path()), b.is.ID, b.red.Check, strings.ReplaceAll(b.wasName, b.is.ID+" in ", ""))
	t.line("%s", printable(cmp.Or(b.red.Record.Repeat, "virtmatrix repro "+b.is.ID+" "+b.red.Check)))
	t.say("Runs about it: %s", short(b.dir.Path(b.in)))
	_, err := w.Write(text.Bytes())
	return err
}

// verdict names what is blamed, in a line.
func (b *blaming) verdict(r blame.Result) string {
	if r.Outcome == blame.Untold || len(r.Blamed) == 0 {
		return string(r.Outcome)
	}
	return b.summary(r.Blamed)
}

// means says what the outcome stands for.
func (b *blaming) means(r blame.Result) string {
	n := b.summary(r.Blamed)
	switch r.Outcome {
	case blame.Single:
		return fmt.Sprintf("%s breaks it: reverted alone it passes, moved alone it fails.", n)
	case blame.Interaction:
		return fmt.Sprintf("%s break it together: with any of them reverted it passes, and no other part is needed.", n)
	case blame.Either:
		return fmt.Sprintf("%s each break it alone: it passes only with all of them reverted.", n)
	case blame.Together:
		return fmt.Sprintf("%s break it. They cannot be moved apart, so which of them does is not told.", n)
	case blame.Flaky:
		return fmt.Sprintf("It does not always answer the same, so nobody is blamed: %s.", r.Why)
	case blame.Gone:
		return fmt.Sprintf("What was seen does not happen again, so nobody is blamed: %s.", r.Why)
	}
	return fmt.Sprintf("Nobody is blamed: %s.", r.Why)
}

func (b *blaming) asserts() string {
	for _, c := range b.is.Checks {
		if c.ID == b.red.Check {
			return c.Asserts
		}
	}
	return ""
}

// packages tells the two package sets of a part that is blamed.
func (b *blaming) packages(t bugText, blamed blame.Blamed) {
	was, is := b.side(blamed.Part, blamed.Was), b.side(blamed.Part, blamed.Now)
	part := b.parts[blamed.Part]
	for _, side := range []struct {
		word string
		plannedCell
		value int
	}{{"passes", was, blamed.Was}, {"fails", is, blamed.Now}} {
		text := fmt.Sprintf("%s with %s %s", side.word, part.Name, part.Values[side.value])
		if choice, ok := side.Choice(matrix.Component(part.Name)); ok {
			text += fmt.Sprintf(" (%s from %s)", choice.Package, choice.Release)
		}
		var images []string
		for _, i := range side.Images {
			images = append(images, fmt.Sprintf("%s of %s set %.12s", i.Role, i.Release, i.Packages))
		}
		t.line("%s: %s", text, strings.Join(images, ", "))
	}
	if was.sets == nil || is.sets == nil {
		return
	}
	sets := map[string]matrix.PackageSet{}
	for _, s := range []map[string]matrix.PackageSet{was.sets, is.sets} {
		for key, set := range s {
			sets[key] = set
		}
	}
	if d := matrix.Differing(sets, was.Images, is.Images); len(d) > 0 {
		var first []string
		for _, one := range d[:min(len(d), 3)] {
			first = append(first, one.String())
		}
		t.line("%s differ between these two, such as %s", number(len(d), "package"), strings.Join(first, ", "))
	}
}

// side is the cell with a value of a part, and all others as they are; where that was not
// asked, with all others as they were.
func (b *blaming) side(part, value int) plannedCell {
	now, before := make(blame.Stack, len(b.parts)), make(blame.Stack, len(b.parts))
	for p := range b.parts {
		now[p] = len(b.parts[p].Values) - 1
	}
	now[part], before[part] = value, value
	if c, ok := b.composed[fmt.Sprint(now)]; ok {
		return c
	}
	return b.composed[fmt.Sprint(before)]
}

// bugText writes paragraphs and lists as text or Markdown.
type bugText struct {
	io.Writer
	md bool
}

func (t bugText) heading(format string, args ...any) {
	if t.md {
		format = "## " + format
	}
	fmt.Fprintf(t, format+"\n", args...)
}

func (t bugText) say(format string, args ...any) {
	if t.md {
		format += "\n"
	}
	fmt.Fprintf(t, "\n"+format+"\n", args...)
}

// line is one of a list; in Markdown it is shown as it is written.
func (t bugText) line(format string, args ...any) {
	if t.md {
		format = "    " + format
	} else {
		format = "  " + format
	}
	fmt.Fprintf(t, format+"\n", args...)
}
