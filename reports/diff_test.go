package reports

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/virtmatrix/virtmatrix/internal/capture"
)

// compared are two versions of which the new one lacks devices, one of them by its
// package, and has a name that means something in Markdown and HTML.
func compared(devices int) Comparison {
	var old []capture.Fact
	for i := range devices {
		old = append(old, capture.Fact{Path: fmt.Sprintf("gone-%d", i)})
	}
	old = append(old, capture.Fact{Path: "qxl"}, capture.Fact{Path: "vga"}, capture.Fact{Path: "`|<b>@all"})
	new := capture.NewSet("devices", "new", []capture.Fact{{Path: "vga", Deprecated: true}, {Path: "fresh"}})
	new.Absent = map[string]string{"qxl": "module hw-display-qxl is not installed"}
	return Comparison{Old: "qemu=1", New: "qemu=2", Diffs: []capture.Diff{
		capture.Compare(capture.NewSet("devices", "old", old), new),
		capture.Compare(capture.NewSet("qmp", "old", nil), capture.NewSet("qmp", "new", nil)),
	}}
}

func renderedDiff(t *testing.T, format string, c Comparison) string {
	t.Helper()
	render, err := DiffFormatNamed(format)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := render(&b, c); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestAComparisonIsReadInAMinute(t *testing.T) {
	text := renderedDiff(t, "md", compared(1000))
	before, fold, ok := strings.Cut(text, "<details>")
	if n := strings.Count(before, "\n"); !ok || n > 120 {
		t.Errorf("%d lines before the fold", n)
	}
	for _, want := range []string{"\nold → new\n", "| devices | 1003 → 2 | 1001 | 0 | 1002 |", "## Not announced", "more below", "(module hw-display-qxl is not installed)", "## Newly deprecated", "`'|<b>@all`"} {
		if !strings.Contains(before, want) {
			t.Errorf("before the fold there is no %q:\n%s", want, before)
		}
	}
	if !strings.Contains(fold, "* device `gone-999` removed\n") || !strings.Contains(fold, "* device `fresh` added\n") {
		t.Error("not everything is below the fold")
	}
}

func TestAComparisonAsAPageAndAsData(t *testing.T) {
	page := renderedDiff(t, "html", compared(2))
	if strings.Contains(page, "<b>") || !strings.Contains(page, "<code>gone-1</code> removed") || strings.Contains(page, "<script") {
		t.Errorf("page:\n%s", page)
	}
	var back Comparison
	if err := json.Unmarshal([]byte(renderedDiff(t, "json", compared(2))), &back); err != nil || len(back.Diffs) != 2 || len(back.Diffs[0].Findings()) != 3 {
		t.Errorf("%v: %+v", err, back)
	}
	if _, err := DiffFormatNamed("mdd"); err == nil || !strings.Contains(err.Error(), `did you mean "md"?`) {
		t.Errorf("%v", err)
	}
}
