package families

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/virtmatrix/virtmatrix/internal/journal"
	"github.com/virtmatrix/virtmatrix/internal/rundir"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
)

// ran is the folder of a run with these answers.
func ran(t *testing.T, records ...journal.Record) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "plan.json"), []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	w, err := journal.Open(dir, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.AppendAll(records); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func took(check string, tier matrix.Tier, v matrix.Verdict, seconds float64) journal.Record {
	return journal.Record{Plan: "p", Cell: "c", Check: check, Tier: tier, Verdict: v, Attempts: 1, Seconds: seconds}
}

func TestCostsAreTheMediansOfWhatRunsAnswered(t *testing.T) {
	twice, kept := took("O-CONN", matrix.Nested, matrix.Pass, 900), took("O-CONN", matrix.Nested, matrix.Pass, 0)
	twice.Attempts, kept.Cached = 2, &journal.Cached{Run: "earlier"}
	got, err := Measured(
		ran(t, took("O-CONN", matrix.Nested, matrix.Pass, 1.04), took("O-CONN", matrix.Nested, matrix.Fail, 3), took("O-CONN", matrix.Nested, matrix.Infra, 800), twice, kept),
		ran(t, took("O-CONN", matrix.Nested, matrix.Pass, 90), took("O-CONN", matrix.Container, matrix.Pass, 0.26), took("O-CONN", matrix.Container, matrix.Pass, 0.46)),
	)
	want := Costs{"O-CONN": {matrix.Nested: 3, matrix.Container: 0.4}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
}

func TestCostsOfOtherChecksStay(t *testing.T) {
	id := check.All()[0].ID
	before, err := checks("../..", nil)
	if err != nil {
		t.Fatal(err)
	}
	after, err := checks("../..", Costs{id: {"some tier": 1.5}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range after {
		if after[i].ID == id {
			if after[i].Seconds["some tier"] != 1.5 {
				t.Errorf("%s costs %v", id, after[i].Seconds)
			}
			delete(after[i].Seconds, "some tier")
		}
	}
	if !reflect.DeepEqual(before, after) {
		t.Error("costs of others, or on other tiers, have changed")
	}
}

func TestCostsAreNotTakenFromWhatMeasuresNothing(t *testing.T) {
	selftest, damaged := ran(t), ran(t)
	dir, err := rundir.Open(selftest)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dir.AddOptions(rundir.Options{Selftest: true}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(damaged, "journal-2.ndjson"), []byte("garbage\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for want, path := range map[string]string{"it is a selftest": selftest, "begin a new run": damaged, "cannot open run": t.TempDir()} {
		if _, err := Measured(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// TestCostsStayInAListThatLacksWhatAProfileNames: a check that comes is named by a profile
// before the list has it.
func TestCostsStayInAListThatLacksWhatAProfileNames(t *testing.T) {
	root := t.TempDir()
	write := func(text string) {
		if err := os.MkdirAll(filepath.Join(root, "matrix"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, listed), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(`[{"id": "O-CONN", "seconds": {"container": 1.5}}]`)
	list, err := checks(root, nil)
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(list, func(c matrix.Check) bool { return c.ID == "O-CONN" })
	if got := list[at].Seconds[matrix.Container]; got != 1.5 {
		t.Errorf("O-CONN costs %g s", got)
	}
	write(`[{"id": "O-CONN", "seconds"`)
	if _, err := checks(root, nil); err == nil || !strings.Contains(err.Error(), listed) {
		t.Errorf("a torn list gives %v", err)
	}
}
