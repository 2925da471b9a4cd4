package reports

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/journal"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// reused is a run whose answers on the first of two cells are from the cache, a
// failure among them.
func reused() *Matrix {
	p := plan(ask(stack(matrix.KVM, matrix.Native, "bookworm", "6.1", "7.2", "9.0"), "O-CONN", "O-SAVE"),
		ask(stack(matrix.KVM, matrix.Native, "trixie", "6.12", "10.0", "11.3"), "O-CONN"))
	cached := &journal.Cached{Run: "20251120-221000-smoke", Time: noon.Add(-14 * time.Hour), Seconds: 12.5, Harness: "v0.0.9", Key: "4e7" + strings.Repeat("0", 61)}
	pass, fail := record(p, p.Cells[0].ID, "O-CONN", matrix.Pass), record(p, p.Cells[0].ID, "O-SAVE", matrix.Fail)
	fail.Layer, fail.Reason = matrix.LayerManagement, "it did not"
	for _, r := range []*journal.Record{&pass, &fail} {
		r.Cached, r.Seconds, r.GuestSeconds = cached, 0, 0
	}
	m := Judge(p, []journal.Record{pass, fail, record(p, p.Cells[1].ID, "O-CONN", matrix.Pass)}, nil)
	m.Run.Notes = []string{"a kept verdict was no answer"}
	d := Gate(m, DefaultPolicy(), noon)
	m.Decision = &d
	return m
}

func TestEveryFormatSaysWhatIsFromTheCache(t *testing.T) {
	m := reused()
	const origin = "20251120-221000-smoke"
	want := map[string][]string{
		"terminal": {"(2 from the cache)", "from the cache: run " + origin + " of 2025-11-20 22:00 UTC", "a kept verdict was no answer"},
		"md":       {"(native, 2 from the cache)", "Answer from the cache: run " + origin, "a kept verdict was no answer"},
		"html":     {"2 from the cache", "O-CONN on kvm_linux-6.1_qemu-7.2_libvirt-9.0, from the cache", "from the cache: run " + origin, "a kept verdict was no answer"},
		"junit":    {"from the cache: run " + origin},
		"json":     {`"run": "` + origin + `"`, `"key": "4e7000`, "a kept verdict was no answer"},
	}
	for _, f := range Formats(Options{}) {
		var b bytes.Buffer
		if err := f.Render(&b, m); err != nil {
			t.Fatal(err)
		}
		text := b.String()
		for _, words := range want[f.Name] {
			if !strings.Contains(text, words) {
				t.Errorf("%s does not say %q:\n%.3000s", f.Name, words, text)
			}
		}
		if f.Name != "json" && strings.Count(text, origin) > 3 {
			t.Errorf("%s names the run %d times", f.Name, strings.Count(text, origin))
		}
	}
}

func TestWhyTellsWhereAnAnswerComesFrom(t *testing.T) {
	m := reused()
	text := Explain(m, nil, m.Cells[0].ID, "O-SAVE")
	for _, words := range []string{"from the cache: run 20251120-221000-smoke of 2025-11-20 22:00 UTC, where it took 12 s", "virtmatrix v0.0.9", "key 4e7000000000"} {
		if !strings.Contains(text, words) {
			t.Errorf("it does not say %q:\n%s", words, text)
		}
	}
	if strings.Contains(text, "  ran ") {
		t.Errorf("it ran:\n%s", text)
	}
	if other := Explain(m, nil, m.Cells[1].ID, "O-CONN"); strings.Contains(other, "cache") {
		t.Errorf("what this run answered is called cached:\n%s", other)
	}
}

func TestAKeptFailureHoldsAsAnyOther(t *testing.T) {
	if d := reused().Decision; d.Code != Hold {
		t.Errorf("the decision is %s: %v", d.Code, d.Reasons)
	}
}
