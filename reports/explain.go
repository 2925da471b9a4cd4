package reports

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/journal"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// meanings say what a verdict asks of the reader.
var meanings = map[matrix.Verdict]string{
	matrix.Pass:        "the check ran and held",
	matrix.Fail:        "the product did not behave",
	matrix.Known:       "failed, and a known-issue rule matches version and text",
	matrix.Fixed:       "a known-issue rule applies, but the check passed: remove the rule",
	matrix.Unsupported: "does not apply to this cell",
	matrix.Blocked:     "an earlier step that it needs failed",
	matrix.Infra:       "our fault or the machine's: no answer about the product",
	matrix.Missing:     "planned, but there is no result",
}

// Explain tells everything known about one result in words; evidence is the run's folder,
// nil for none. For a cell or a check that is not in the matrix it names the nearest one
// that is.
func Explain(m *Matrix, evidence fs.FS, cell, check string) string {
	c := m.Cell(cell)
	if c == nil {
		return matrix.Unknown("cell", cell, m.cellIDs()).Error() + "\n"
	}
	r := m.Result(cell, check)
	if r == nil {
		return fmt.Sprintf("on %s: %v\n", cell, matrix.Unknown("check", check, m.checksOf(cell)))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s on %s\n", oneline(r.Check, 200), oneline(r.Cell, 200))
	fmt.Fprintf(&b, "  %s: %s\n", r.shown(), meanings[r.Verdict])
	e, own := explainer{&b}, m.own(r)
	e.line("moved", m.Rebase.of(cell, check).String())
	e.failure(m, own)
	if own.Reason != "" {
		e.line("logs", strings.Join(tellingOf(evidence, own), "\n"))
	}
	e.stack(m, c, r)
	if own.Record != nil {
		e.run(own)
		e.guest(own.Record)
	}
	e.elsewhere(m, r)
	if own.Record != nil {
		e.line("evidence", evidencePath(own.Record))
		e.line("repeat", oneline(own.Record.Repeat, 1000))
	}
	return b.String()
}

func (m *Matrix) checksOf(cell string) []string {
	var ids []string
	for i := range m.Results {
		if m.Results[i].Cell == cell {
			ids = append(ids, m.Results[i].Check)
		}
	}
	return ids
}

// explainer writes labelled lines and leaves out what is not known.
type explainer struct{ b *strings.Builder }

func (e explainer) line(label, text string) {
	if text == "" {
		return
	}
	for i, l := range strings.Split(text, "\n") {
		if i > 0 {
			label = ""
		}
		fmt.Fprintf(e.b, "  %-13s %s\n", label, l)
	}
}

func (e explainer) failure(m *Matrix, r *Result) {
	e.line("layer", oneline(string(r.Layer()), 40))
	e.line("reason", visible(r.Reason, storedText))
	e.line("cause", m.causeOf(r))
	e.line("known", visible(r.Ruling, storedText))
	if r.Rate.Asked > 0 {
		e.line("history", r.Rate.String()+" earlier runs with these packages")
	}
	e.line("seen", r.Trail.String())
	if r.Record == nil || r.Record.BlockedBy == "" {
		return
	}
	by := oneline(r.Record.BlockedBy, 200)
	if step := m.Result(r.Cell, r.Record.BlockedBy); step != nil {
		by += fmt.Sprintf(" (%s: %s)", step.Verdict, oneline(step.Reason, 400))
	}
	e.line("blocked by", by)
}

// causeOf is the cause that the matrix tells of a failure, in words; empty when it tells none.
func (m *Matrix) causeOf(r *Result) string {
	for _, p := range problems(m) {
		if slices.Contains(p.results, r) {
			f := m.finding(p)
			return f.Inference()
		}
	}
	return ""
}

func (e explainer) stack(m *Matrix, c *Cell, r *Result) {
	var stack []string
	for _, s := range c.Stack {
		text := fmt.Sprintf("%s %s from %s", s.Component, s.Version, s.Release)
		if s.Package != "" {
			text += " (" + s.Package + ")"
		}
		stack = append(stack, oneline(text, 200))
	}
	e.line("stack", strings.Join(stack, "\n"))
	e.line("composition", string(c.Composition))
	e.line("tier", describeTier(r.Tier))
	var settings []string
	for _, s := range c.Settings {
		settings = append(settings, s.Axis+" "+s.Value)
	}
	e.line("settings", oneline(strings.Join(settings, ", "), 400))
	e.line("planned", oneline(strings.Join(c.Why, "; "), 400))
	e.line("baseline", oneline(c.Baseline, 200))
	for _, i := range m.images(c, r) {
		e.line("image", oneline(fmt.Sprintf("%s from %s: %s, set %.12s", i.Role, i.Release, number(i.Count, "package"), i.Key), 200))
		for _, o := range i.From {
			e.line("", "of "+o)
		}
		for _, p := range i.Leading {
			e.line("", oneline(p.Name+" "+p.Version, 200))
		}
	}
}

func (e explainer) run(r *Result) {
	rec := r.Record
	if c := rec.Cached; c != nil {
		e.line("answer", fmt.Sprintf("%s, where it took %s; virtmatrix %s; key %.12s", origin(c), duration(c.Seconds), oneline(c.Harness, 80), c.Key))
	} else {
		e.line("ran", fmt.Sprintf("%s, %s of it waiting for guests, from %s", duration(rec.Seconds), duration(rec.GuestSeconds),
			rec.Started.UTC().Format("2006-01-02 15:04:05 UTC")))
	}
	attempts := number(rec.Attempts, "attempt")
	if len(r.Earlier) > 0 {
		attempts += fmt.Sprintf(", after %s (%s)", number(len(r.Earlier), "earlier answer"), strings.Join(words(r.Earlier), ", "))
	}
	e.line("attempts", attempts)
	e.line("accelerators", layers(rec))
	e.line("L0 emulator", oneline(rec.Emulator, 200))
	e.line("quirks", visible(strings.Join(rec.Quirks, "\n"), storedText))
	e.line("harness", oneline(fmt.Sprintf("%s, plan %.12s", rec.Harness, rec.Plan), 200))
}

func (e explainer) guest(rec *journal.Record) {
	e.line("L2 said", visible(strings.Join(rec.Said, "\n"), storedText))
	e.line("notes", visible(strings.Join(rec.Notes, "\n"), storedText))
}

// elsewhere says how the same check did on the other cells, which is often the
// shortest way to what broke it.
func (e explainer) elsewhere(m *Matrix, r *Result) {
	others := map[matrix.Verdict][]string{}
	for i := range m.Results {
		if o := &m.Results[i]; o.Check == r.Check && o.Cell != r.Cell && o.AskedIn == "" {
			others[o.Verdict] = append(others[o.Verdict], o.Cell)
		}
	}
	label := "elsewhere"
	for _, v := range matrix.Verdicts {
		if cells := others[v]; len(cells) > 0 {
			e.line(label, fmt.Sprintf("%s on %s", v, some(cells, 4)))
			label = ""
		}
	}
}
