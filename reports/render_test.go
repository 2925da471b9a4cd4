package reports

import (
	"bytes"
	"encoding/xml"
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/virtmatrix/virtmatrix/internal/journal"
	"github.com/virtmatrix/virtmatrix/matrix"
)

var update = flag.Bool("update", false, "write the golden files anew")

func render(t *testing.T, format string, m *Matrix, o Options) string {
	t.Helper()
	f, err := FormatNamed(format, o)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := f.Render(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// plainPage takes the style and the script out of a page: they have their own
// files, and a change of them is no change of what the page says.
func plainPage(s string) string {
	s = regexp.MustCompile(`(?s)<style>.*?</style>`).ReplaceAllString(s, "<style></style>")
	s = regexp.MustCompile(`(?s)<script>.*?</script>`).ReplaceAllString(s, "<script></script>")
	return regexp.MustCompile(`sha256-[^&]*`).ReplaceAllString(s, "sha256-")
}

func TestGoldenFiles(t *testing.T) {
	for _, f := range Formats(Options{Evidence: sampleEvidence()}) {
		t.Run(f.Name, func(t *testing.T) {
			got := render(t, f.Name, sample(), Options{Evidence: sampleEvidence()})
			if f.Name == "html" {
				got = plainPage(got)
			}
			golden(t, f.File, got)
		})
	}
	t.Run("colour", func(t *testing.T) {
		golden(t, "colour.txt", render(t, "terminal", sample(), Options{Colour: true}))
	})
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s differs (-want +got; go test -update writes it anew):\n%s", path, diff)
	}
}

// attack is what a guest may print to lie in a report or to break it.
const attack = "\x1b]0;owned\x07\x1b[2J\x1b[31mred\x00\x7f\u009b1m" + // terminal
	"]]><script>alert(1)</script><img src=x onerror=alert(1)>" + // markup
	"</textarea></pre><!-- ' \" ` | a | b |\n```\n# heading @everyone [x](http://evil.example) &amp;" + // Markdown
	"\r\xff\xfe\xc3(\u202egnp.exe\u200b" + // not UTF-8, directions, invisible
	"{{.Policy}} ${x} %s%n\u2028</script>"

func hostile() *Matrix {
	c := ask(stack(matrix.KVM, matrix.Native, "bookworm", "6.1", "7.2", "9.0"), "O-CONN", "O-SAVE", "O-START", "O-STAT")
	p := plan(c)
	var records []journal.Record
	for i, v := range []matrix.Verdict{matrix.Fail, matrix.Pass, matrix.Blocked, matrix.Infra} {
		r := record(p, c.ID, c.Checks[i].ID, v)
		r.Reason, r.Repeat, r.Evidence, r.Emulator, r.Harness = attack, attack, attack, attack, attack
		r.BlockedBy, r.Layer = attack, matrix.Layer(attack)
		r.Said, r.Notes, r.Quirks = []string{attack}, []string{attack}, []string{attack}
		r.Accelerators = map[string]string{attack: attack}
		records = append(records, r)
	}
	records[0].Evidence = "evidence/x"
	stray := record(p, attack, attack, matrix.Pass)
	m := Judge(p, append(records, stray), journal.Damage{{File: attack, Line: 1, Problem: attack}})
	d := Gate(m, DefaultPolicy(), noon)
	m.Decision = &d
	return m
}

// wordy are the formats that tell of what went wrong: a badge has the decision alone.
func wordy(o Options) []Format {
	return slices.DeleteFunc(Formats(o), func(f Format) bool { return f.Name == "badge" })
}

func hostileEvidence() fstest.MapFS {
	return fstest.MapFS{"evidence/x/console.log": {Data: []byte(attack)}}
}

func TestNothingAGuestPrintedReachesAReaderRaw(t *testing.T) {
	for _, f := range wordy(Options{Evidence: hostileEvidence()}) {
		t.Run(f.Name, func(t *testing.T) {
			wantInert(t, render(t, f.Name, hostile(), Options{Evidence: hostileEvidence()}))
		})
	}
	t.Run("explain", func(t *testing.T) {
		m := hostile()
		wantInert(t, Explain(m, nil, m.Cells[0].ID, "O-CONN"))
	})
}

// wantInert fails when a text holds a rune that acts instead of showing itself.
func wantInert(t *testing.T, s string) {
	t.Helper()
	if !utf8.ValidString(s) {
		t.Error("not UTF-8")
	}
	for i, r := range s {
		if r != '\n' && r != '\t' && !printable(r) {
			t.Fatalf("raw %U in %q", r, s[max(0, i-40):min(len(s), i+40)])
		}
	}
	if !strings.Contains(s, `x1b`) && !strings.Contains(s, `u001b`) {
		t.Error("the escape character left no trace")
	}
}

func TestHostileTextStaysTextInHTML(t *testing.T) {
	page := plainPage(render(t, "html", hostile(), Options{Evidence: hostileEvidence()}))
	for _, tag := range []string{"<script>alert", "<img", "<!--", "</textarea", "{{.Policy}}</"} {
		if strings.Contains(page, tag) {
			t.Errorf("the page holds %q", tag)
		}
	}
	if n := strings.Count(page, "<script"); n != 2 {
		t.Errorf("%d scripts, want the data and our own", n)
	}
	if n := strings.Count(page, "</script"); n != 2 {
		t.Errorf("%d ends of scripts, want 2", n)
	}
}

func TestPageNeedsNothingFromOutside(t *testing.T) {
	page := render(t, "html", sample(), Options{Evidence: sampleEvidence()})
	if found := regexp.MustCompile(`(?i)https?:|\ssrc=|<link|@import|url\(`).FindString(page); found != "" {
		t.Errorf("the page holds %q", found)
	}
	for _, want := range []string{"default-src &#39;none&#39;", "console.log", "virtmatrix l2", "not shown, it is binary"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

func TestHostileTextStaysTextInJUnit(t *testing.T) {
	out := render(t, "junit", hostile(), Options{})
	if strings.Contains(out, "]]>") || strings.Contains(out, "<script") {
		t.Error("raw markup")
	}
	dec := xml.NewDecoder(strings.NewReader(out))
	elements := map[string]int{}
	for {
		tok, err := dec.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if start, ok := tok.(xml.StartElement); ok {
			elements[start.Name.Local]++
		}
	}
	if elements["testcase"] != 5 || elements["script"] != 0 || elements["img"] != 0 {
		t.Errorf("elements: %v", elements)
	}
}

func TestHostileTextStaysTextInMarkdown(t *testing.T) {
	fence, columns := "", 0
	for line := range strings.SplitSeq(render(t, "md", hostile(), Options{}), "\n") {
		if ticks := regexp.MustCompile("^`{3,}$").FindString(line); ticks != "" && (fence == "" || len(ticks) >= len(fence)) {
			if fence == "" {
				fence = ticks
			} else {
				fence = ""
			}
			continue
		}
		if fence != "" {
			continue
		}
		if strings.ContainsAny(line, "<>@") || strings.Contains(line, "://") || regexp.MustCompile("(^|[^\\\\])`").MatchString(line) {
			t.Errorf("raw markup: %q", line)
		}
		if strings.HasPrefix(line, "|") {
			n := strings.Count(strings.ReplaceAll(line, `\|`, ""), "|")
			if columns == 0 {
				columns = n
			}
			if n != columns {
				t.Errorf("%d bars instead of %d: %q", n, columns, line)
			}
		}
	}
	if fence != "" {
		t.Error("a fence stays open")
	}
	if columns == 0 {
		t.Error("there is no table")
	}
}

func TestTenMegabytesOfReasonStayReadable(t *testing.T) {
	m := sample()
	for i := range m.Results {
		if r := &m.Results[i]; r.Verdict == matrix.Fail {
			r.Reason = strings.Repeat("\x1b[31m<b>&", 10<<20/9)
		}
	}
	for _, f := range Formats(Options{}) {
		if f.Name == "json" {
			continue // It stores what Judge kept, and Judge keeps less.
		}
		if n := len(render(t, f.Name, m, Options{})); n > 4<<20 {
			t.Errorf("%s has %d bytes", f.Name, n)
		}
	}
}

func TestTerminalFitsItsWidth(t *testing.T) {
	for _, cells := range []int{1, 4, 20, 27, 28, 64, 100, 250} {
		var all []matrix.Cell
		for i := range cells {
			c := ask(stack(matrix.KVM, matrix.Native, "bookworm", "6.12", "10.0", strings.Repeat("1", 1+i%4)), "O-NET-ISO/RT/OPEN/BR", "IK-BOOT")
			c.ID += string(rune('a'+i%26)) + string(rune('a'+i/26))
			all = append(all, c)
		}
		m := Judge(plan(all...), nil, nil)
		d := Gate(m, DefaultPolicy(), noon)
		m.Decision = &d
		for line := range strings.SplitSeq(render(t, "terminal", m, Options{}), "\n") {
			if n := utf8.RuneCountInString(line); n > terminalWidth {
				t.Errorf("%d cells: %d columns: %q", cells, n, line)
			}
		}
	}
}

func TestColourIsUsedOnlyWhenAsked(t *testing.T) {
	if strings.Contains(render(t, "terminal", sample(), Options{}), "\x1b") {
		t.Error("colour without a TTY")
	}
	coloured := render(t, "terminal", sample(), Options{Colour: true})
	plain := regexp.MustCompile("\x1b\\[[0-9;]*m").ReplaceAllString(coloured, "")
	if plain != render(t, "terminal", sample(), Options{}) {
		t.Error("colour changes the text")
	}
}

func TestEmptyMatrixRendersAndIsRedInJUnit(t *testing.T) {
	m := Judge(plan(), nil, nil)
	for _, f := range Formats(Options{}) {
		if out := render(t, f.Name, m, Options{}); out == "" {
			t.Errorf("%s is empty", f.Name)
		}
	}
	if out := render(t, "junit", m, Options{}); !strings.Contains(out, "<error") {
		t.Error("JUnit of an ungated run is green")
	}
	d := Gate(m, DefaultPolicy(), noon)
	m.Decision = &d
	if out := render(t, "junit", m, Options{}); !strings.Contains(out, "<error") {
		t.Error("JUnit of an empty run is green")
	}
}

func TestJUnitByVerdict(t *testing.T) {
	tests := map[matrix.Verdict]string{
		matrix.Pass: "", matrix.Fail: "failure", matrix.Fixed: "failure", matrix.Known: "skipped",
		matrix.Unsupported: "skipped", matrix.Blocked: "error", matrix.Infra: "error", matrix.Missing: "error",
	}
	for _, v := range matrix.Verdicts {
		c := junitResult(&Result{Cell: "a", Check: "O-CONN", Verdict: v, Reason: "because"}, nil)
		got := ""
		for name, o := range map[string]*junitOutcome{"failure": c.Failure, "error": c.Error, "skipped": c.Skipped} {
			if o != nil {
				got += name
				if !strings.Contains(o.Message, "because") {
					t.Errorf("%s lacks its reason: %q", v, o.Message)
				}
			}
		}
		if got != tests[v] {
			t.Errorf("%s is %q, want %q", v, got, tests[v])
		}
	}
}

func TestUnknownFormatNamesTheNearest(t *testing.T) {
	_, err := FormatNamed("htm", Options{})
	if err == nil || !strings.Contains(err.Error(), `did you mean "html"?`) {
		t.Errorf("got %v", err)
	}
}
