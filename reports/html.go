package reports

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/virtmatrix/virtmatrix/matrix"
)

//go:embed page
var pageFiles embed.FS

var pageTemplate = template.Must(template.ParseFS(pageFiles, "page/page.tmpl"))

// page renders one HTML file that needs nothing else: no requests leave it,
// and its own policy forbids every script but the one inside.
type page struct{ evidence fs.FS }

func (p page) render(w io.Writer, m *Matrix) error {
	style, err := pageFiles.ReadFile("page/page.css")
	if err != nil {
		return fmt.Errorf("cannot render page: %w", err)
	}
	script, err := pageFiles.ReadFile("page/page.js")
	if err != nil {
		return fmt.Errorf("cannot render page: %w", err)
	}
	data := newPageData(m)
	data.Style, data.Script = template.CSS(style), template.JS(script)
	sum := sha256.Sum256(script)
	data.Policy = fmt.Sprintf("default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-%s'; base-uri 'none'; form-action 'none'",
		base64.StdEncoding.EncodeToString(sum[:]))
	if data.Detail = p.details(m); data.Lazy {
		if data.Packed, err = packed(data.Detail); err != nil {
			return fmt.Errorf("cannot render page: %w", err)
		}
	}
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, data); err != nil {
		return fmt.Errorf("cannot render page: %w", err)
	}
	_, err = w.Write(b.Bytes())
	return err
}

// packed is what the script knows where that is megabytes, most of them alike: gzip, in base64.
func packed(d pageDetail) (template.HTML, error) {
	var b bytes.Buffer
	text := base64.NewEncoder(base64.StdEncoding, &b)
	z := gzip.NewWriter(text)
	if err := errors.Join(json.NewEncoder(z).Encode(d), z.Close(), text.Close()); err != nil {
		return "", err
	}
	return template.HTML(b.String()), nil
}

// pageData is what the template shows without a script.
type pageData struct {
	Policy   string
	Style    template.CSS
	Script   template.JS
	Profile  string
	Size     string
	Decision *pageDecision
	Facts    []string
	Totals   []pageTotal
	Density  string
	// Lazy has the script make the tiles of the rows that are seen, of Columns cells.
	Lazy     bool
	Columns  int
	Header   []pageHeader
	Areas    []pageArea
	Problems []pageProblem
	Rebase   *pageRebase
	Packages []PackageDiff
	// Detail is what the script shows about one result.
	Detail pageDetail
	// Packed is Detail in a lazy page.
	Packed template.HTML
}

type pageDecision struct {
	Class, Word string
	Code        Code
	Reasons     []string
}

type pageTotal struct {
	Verdict matrix.Verdict
	Glyph   string
	Count   int
	Note    string
}

// pageHeader is one row of the column heads; equal neighbours share a head.
type pageHeader struct {
	Label string
	Heads []pageHead
}

type pageHead struct {
	Span int
	// Name is the component, where a row has several.
	Name, Value string
}

type pageArea struct {
	Name string
	Span int
	Rows []pageRow
}

type pageRow struct {
	Check string
	Tiles []pageTile
}

type pageTile struct {
	// Index of the result in Detail, or -1 where nothing is planned.
	Index              int
	Verdict            matrix.Verdict
	Retried            bool
	Glyph, Text, Label string
}

type pageProblem struct {
	Verdict       matrix.Verdict
	Glyph, Checks string
	Layer, By     string
	Reason        string
	Ruling, Cause string
	Consumers     string
	// Seen says since when, and Trail draws it.
	Seen     string
	Trail    []pagePoint
	Evidence string
	Repeat   string
	Where    []pageLink
	More     int
}

type pageLink struct {
	Index int
	Text  string
}

func newPageData(m *Matrix) pageData {
	d := pageData{
		Profile: oneline(m.Run.Profile, 80), Size: number(len(m.Cells), "cell") + ", " + number(len(m.Results), "result"),
		Facts: m.facts(), Packages: m.PackageDiffs(), Header: pageHeaders(m.Cells), Density: density(len(m.Cells)),
	}
	if words := sources(m.Results); words != "" {
		d.Size += ", " + words
	}
	if m.Decision != nil {
		d.Decision = &pageDecision{
			Class: [...]string{"ship", "hold", "unknown"}[m.Decision.Code], Word: m.Decision.Code.String(), Code: m.Decision.Code,
		}
		for _, r := range m.Decision.Reasons {
			d.Decision.Reasons = append(d.Decision.Reasons, visible(r, shownText))
		}
	}
	totals, retried := count(m.Results), 0
	index := map[*Result]int{}
	for i := range m.Results {
		index[&m.Results[i]] = i
		if m.Results[i].Retried() {
			retried++
		}
	}
	for _, v := range matrix.Verdicts {
		if n := totals[v]; n > 0 {
			t := pageTotal{Verdict: v, Glyph: glyphs[v], Count: n}
			if v == matrix.Pass && retried > 0 {
				t.Note = fmt.Sprintf("%d at 2nd try", retried)
			}
			d.Totals = append(d.Totals, t)
		}
	}
	d.Lazy, d.Columns = len(m.Results) > lazily, len(m.Cells)
	d.Areas = pageAreas(m, index, d.Lazy)
	d.Rebase = newPageRebase(m, index)
	for _, p := range problems(m) {
		shown, finding := newPageProblem(p, index), m.finding(p)
		shown.Cause, shown.Consumers = finding.Inference(), finding.consumers()
		shown.Seen, shown.Trail = oneline(p.trail().Words(), shownText), pageTrail(p.trail())
		d.Problems = append(d.Problems, shown)
	}
	return d
}

// lazily is from how many results on a browser takes seconds for all tiles at once.
const lazily = 6000

// density is the class of the grid: few cells have room for words.
func density(cells int) string {
	switch {
	case cells <= 6:
		return "roomy"
	case cells <= 20:
		return "medium"
	}
	return "dense"
}

// pageHeaders makes the column heads: a row for the kind, one for the tier if
// there are two, one for each place in the stack, one for the composition.
func pageHeaders(cells []Cell) []pageHeader {
	depth := 0
	for _, c := range cells {
		depth = max(depth, len(c.Stack))
	}
	rows := []pageHeader{headers("kind", cells, func(c Cell) pageHead { return pageHead{Value: string(c.Kind)} })}
	if len(tiers(cells)) > 1 {
		rows = append(rows, headers("tier", cells, func(c Cell) pageHead { return pageHead{Value: string(c.Tier)} }))
	}
	for i := range depth {
		var names []string
		for _, c := range cells {
			if i < len(c.Stack) && !slices.Contains(names, string(c.Stack[i].Component)) {
				names = append(names, string(c.Stack[i].Component))
			}
		}
		rows = append(rows, headers(strings.Join(names, " / "), cells, func(c Cell) pageHead {
			if i >= len(c.Stack) {
				return pageHead{Value: "–"}
			}
			head := pageHead{Value: c.Stack[i].Version}
			if len(names) > 1 {
				head.Name = string(c.Stack[i].Component)
			}
			return head
		}))
	}
	for _, axis := range variedSettings(cells) {
		rows = append(rows, headers(axis, cells, func(c Cell) pageHead { return pageHead{Value: settingOf(c, axis)} }))
	}
	return append(rows, headers("packages", cells, func(c Cell) pageHead { return pageHead{Value: string(c.Composition)} }))
}

// headers makes one row; neighbours with the same head share it.
func headers(label string, cells []Cell, of func(Cell) pageHead) pageHeader {
	row := pageHeader{Label: label}
	for _, c := range cells {
		head := of(c)
		if n := len(row.Heads); n > 0 && row.Heads[n-1].Name == head.Name && row.Heads[n-1].Value == head.Value {
			row.Heads[n-1].Span++
			continue
		}
		head.Span = 1
		row.Heads = append(row.Heads, head)
	}
	return row
}

func pageAreas(m *Matrix, index map[*Result]int, lazy bool) []pageArea {
	g := newGrid(m)
	var areas []pageArea
	for _, a := range g.areas {
		area := pageArea{Name: a.name, Span: len(m.Cells)}
		for _, check := range a.checks {
			row := pageRow{Check: oneline(check, 80)}
			for i := 0; i < len(m.Cells) && !lazy; i++ {
				row.Tiles = append(row.Tiles, newPageTile(g.at(m.Cells[i].ID, check), index))
			}
			area.Rows = append(area.Rows, row)
		}
		areas = append(areas, area)
	}
	return areas
}

func newPageTile(r *Result, index map[*Result]int) pageTile {
	if r == nil {
		return pageTile{Index: -1}
	}
	t := pageTile{Index: index[r], Verdict: r.Verdict, Retried: r.Retried(), Glyph: glyphs[r.Verdict], Text: string(r.Verdict)}
	t.Label = fmt.Sprintf("%s %s on %s", r.Verdict, oneline(r.Check, 80), oneline(r.Cell, 200))
	switch r.Verdict {
	case matrix.Pass:
		switch {
		case r.AskedIn != "":
			t.Text = "elsewhere"
		case r.Cached() != nil:
			t.Text = "cached"
		default:
			t.Text = duration(r.Record.Seconds)
		}
	case matrix.Unsupported:
		t.Text = "n/a"
	}
	if r.Cached() != nil {
		t.Label += ", from the cache"
	}
	if r.AskedIn != "" {
		t.Label += ", asked in " + oneline(r.AskedIn, 200)
	}
	if t.Retried {
		t.Label += ", at the second try"
	}
	return t
}

func newPageProblem(p *problem, index map[*Result]int) pageProblem {
	out := pageProblem{
		Verdict: p.verdict, Glyph: glyphs[p.verdict], Checks: oneline(some(p.checks(), 4), 400),
		Layer: oneline(string(p.layer), 40), By: oneline(p.blockedBy, 80), Reason: visible(p.words(), shownText), Ruling: visible(p.ruling, shownText),
	}
	if r := p.results[0].Record; r != nil {
		out.Evidence, out.Repeat = evidencePath(r), oneline(r.Repeat, 1000)
	}
	severalChecks := len(p.checks()) > 1
	for i, r := range p.results {
		if i == 8 {
			out.More = len(p.results) - i
			break
		}
		text := oneline(r.Cell, 200)
		if severalChecks {
			text = oneline(r.Check, 80) + " on " + text
		}
		out.Where = append(out.Where, pageLink{index[r], text})
	}
	return out
}
