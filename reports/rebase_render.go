package reports

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// RebaseFormats show what moved between two runs, alone.
var RebaseFormats = map[string]func(io.Writer, *Rebase, Options) error{
	"terminal": func(w io.Writer, r *Rebase, o Options) error {
		var b bytes.Buffer
		terminal{o.Colour}.rebase(&b, r)
		_, err := w.Write(b.Bytes())
		return err
	},
	"md": func(w io.Writer, r *Rebase, _ Options) error {
		var b bytes.Buffer
		mdRebase(&b, r)
		_, err := w.Write(b.Bytes())
		return err
	},
}

// rows are the moves as they are shown: what is new in a cell, and what is not asked there
// any more, in a row of its own.
func (r *Rebase) rows() (rows []Moved) {
	at, checks := map[Moved]int{}, map[int][]string{}
	for _, m := range r.Moved {
		if m.Move != New && (m.Move != Unanswered || m.Is != "") {
			rows = append(rows, m)
			continue
		}
		key := m
		key.Check = ""
		i, found := at[key]
		if !found {
			i = len(rows)
			at[key], rows = i, append(rows, m)
		}
		checks[i] = append(checks[i], m.Check)
	}
	for i, names := range checks {
		if m := &rows[i]; len(names) > 1 {
			m.Check, m.Why = number(len(names), "check"), strings.TrimPrefix(m.Why+": ", ": ")+some(names, 8)
		}
	}
	return rows
}

var moveColours = map[Move]string{Regressed: "1;31", NeverPassed: "1;31", StillBroken: "31", Unanswered: "33", Mended: "32", New: "32", Same: faint}

// rebase prints what moved, the most urgent first.
func (t terminal) rebase(b *bytes.Buffer, r *Rebase) {
	if r == nil {
		return
	}
	fmt.Fprintf(b, "%s\n", t.paint(bold, "REBASE "+r.head()))
	for _, p := range r.Packages {
		t.indent(b, "", oneline(p, 200))
	}
	fmt.Fprintf(b, "  %s\n", r.summary())
	for _, c := range r.Consumers {
		t.indent(b, pad(oneline(c.Consumer, 40), 14)+" ", c.words())
	}
	b.WriteByte('\n')
	for _, m := range r.rows() {
		fmt.Fprintf(b, "%s %s %s -> %s  %s\n", t.paint(moveColours[m.Move], pad(string(m.Move), 12)), pad(oneline(m.Check, 200), 16),
			pad(m.was(), 7), pad(m.is(), 7), oneline(m.Cell, 200))
		t.indent(b, strings.Repeat(" ", 11), m.why())
	}
	if len(r.Moved) > 0 {
		b.WriteByte('\n')
	}
}

func mdRebase(b *bytes.Buffer, r *Rebase) {
	if r == nil {
		return
	}
	fmt.Fprintf(b, "## Rebase: %s\n\n%s\n\n", mdText(r.head()), mdText(r.summary()))
	for _, p := range r.Packages {
		fmt.Fprintf(b, "* %s\n", mdText(p))
	}
	if len(r.Packages) > 0 {
		b.WriteByte('\n')
	}
	if len(r.Consumers) > 0 {
		b.WriteString("| consumer | of its contract |\n| --- | --- |\n")
		for _, c := range r.Consumers {
			fmt.Fprintf(b, "| %s | %s |\n", mdText(c.Consumer), mdText(c.words()))
		}
		b.WriteByte('\n')
	}
	if len(r.Moved) == 0 {
		return
	}
	b.WriteString("| moved | check | was | is | cell | why |\n| --- | --- | --- | --- | --- | --- |\n")
	for _, m := range r.rows() {
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s |\n", m.Move, mdText(m.Check), m.was(), m.is(), mdText(m.Cell), mdText(m.why()))
	}
	b.WriteByte('\n')
}

// pageRebase is the rebase as the page's template shows it.
type pageRebase struct {
	Head     string
	Packages []string
	// Consumers are shown as "vdsm: 2 of 70 rows broke: ...".
	Consumers []string
	Counts    []pageMove
	Rows      []pageMoved
}

type pageMove struct {
	Move  Move
	Class string
	Count int
}

type pageMoved struct {
	pageMove
	// Index of the result in Detail, or -1.
	Index                     int
	Check, Was, Is, Cell, Why string
}

func newPageRebase(m *Matrix, index map[*Result]int) *pageRebase {
	r := m.Rebase
	if r == nil {
		return nil
	}
	class := func(m Move) string { return strings.ReplaceAll(strings.ToLower(string(m)), " ", "-") }
	out := &pageRebase{Head: r.head()}
	for _, p := range r.Packages {
		out.Packages = append(out.Packages, oneline(p, 200))
	}
	for _, c := range r.Consumers {
		out.Consumers = append(out.Consumers, oneline(c.Consumer, 40)+": "+oneline(c.words(), shownText))
	}
	for _, move := range Moves {
		if n := r.Counts[move]; n > 0 {
			out.Counts = append(out.Counts, pageMove{move, class(move), n})
		}
	}
	results := m.index()
	for _, moved := range r.rows() {
		row := pageMoved{pageMove{Move: moved.Move, Class: class(moved.Move)}, -1,
			oneline(moved.Check, 80), moved.was(), moved.is(), oneline(moved.Cell, 200), moved.why()}
		if of := results[question{moved.Cell, moved.Check}]; of != nil {
			row.Index = index[of]
		}
		out.Rows = append(out.Rows, row)
	}
	return out
}
