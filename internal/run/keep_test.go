package run

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/virtmatrix/virtmatrix/internal/journal"
	"github.com/virtmatrix/virtmatrix/matrix"
)

func TestAnswersThatCannotBeKeptAreJournalledAndToldOnce(t *testing.T) {
	run := t.TempDir()
	v := newVerdicts(resolved(t, pair, nil), filepath.Join(run, "verdicts"))
	if err := os.WriteFile(filepath.Join(run, "verdicts"), nil, 0o644); err != nil { // a file where the folder goes
		t.Fatal(err)
	}
	j, err := journal.Open(run, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	var told []error
	k := &Recorder{Journal: j, Verdicts: v, Dir: run, Tell: func(err error) { told = append(told, err) }}
	for _, check := range v.plan.Cells[0].Checks {
		rec := journal.Ask(v.plan, &v.plan.Cells[0], check)
		rec.Verdict, rec.Attempts = matrix.Pass, 1
		if err := k.Append(rec); err != nil {
			t.Fatal(err)
		}
	}
	if len(told) != 1 || !strings.Contains(told[0].Error(), "cannot keep verdict") {
		t.Errorf("told %v", told)
	}
	if records, _, err := journal.Read(run); err != nil || len(records) != 4 {
		t.Errorf("%d records are in the journal, %v", len(records), err)
	}
}

func TestAnAnswerToAnotherPlanIsNotKept(t *testing.T) {
	v := newVerdicts(resolved(t, pair, nil), t.TempDir())
	for name, edit := range map[string]func(*journal.Record){
		"another plan":  func(r *journal.Record) { r.Plan = "0ther" },
		"another cell":  func(r *journal.Record) { r.Cell = "xen" },
		"another check": func(r *journal.Record) { r.Check = "O-NONE" },
	} {
		rec := journal.Ask(v.plan, &v.plan.Cells[0], v.plan.Cells[0].Checks[0])
		rec.Verdict, rec.Attempts = matrix.Pass, 1
		edit(&rec)
		if err := v.Keep(rec, ""); err == nil {
			t.Errorf("%s: it was kept", name)
		}
	}
}

func TestAnAnswerOfUnknownCodeIsNotKeptAndLeavesNoOlderOne(t *testing.T) {
	v := newVerdicts(resolved(t, pair, nil), t.TempDir())
	answerAll(t, v)
	v.uncacheable = errors.New("the code was changed")
	rec := journal.Ask(v.plan, &v.plan.Cells[0], v.plan.Cells[0].Checks[1])
	rec.Verdict, rec.Attempts = matrix.Fail, 1
	if err := v.Keep(rec, ""); !errors.Is(err, v.uncacheable) {
		t.Errorf("Keep = %v", err)
	}
	if got, want := recalled(v), []string{"IK-BOOT", "O-START", "O-SAVE"}; !slices.Equal(got, want) {
		t.Errorf("the answers to %q are kept, want %q", got, want)
	}
}

func TestAFailureInARunOfFewChecksReplacesThePassOfARunOfAll(t *testing.T) {
	dir := t.TempDir()
	all := newVerdicts(resolved(t, pair, nil), dir)
	answerAll(t, all)
	few := pair
	few.Checks = []string{"O-SAVE"}
	answerAll(t, newVerdicts(resolved(t, few, nil), dir), "O-SAVE")
	if got := recalled(all); slices.Contains(got, "O-SAVE") {
		t.Errorf("the run of all checks is answered %q from the cache", got)
	}
}

func TestAFailureIsAskedAgainAndToldBesideTheAnswer(t *testing.T) {
	run := t.TempDir()
	v := newVerdicts(resolved(t, pair, nil), t.TempDir())
	answerAll(t, v, "O-START")
	if got, want := recalled(v), []string{"IK-BOOT", "O-CONN", "O-SAVE"}; !slices.Equal(got, want) {
		t.Errorf("the cache answers %q, want %q", got, want)
	}
	j, err := journal.Open(run, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	k := &Recorder{Journal: j, Verdicts: v, Dir: run, Tell: func(err error) { t.Error(err) }}
	for i, now := range []matrix.Verdict{matrix.Pass, matrix.Fail} {
		rec := journal.Ask(v.plan, &v.plan.Cells[0], v.plan.Cells[0].Checks[2])
		rec.Verdict, rec.Attempts = now, 1
		if err := k.Append(rec); err != nil {
			t.Fatal(err)
		}
		records, _, err := journal.Read(run)
		if err != nil {
			t.Fatal(err)
		}
		want := []string{"run 20261121-221000-full of 2026-11-21 22:10 UTC answered FAIL to the same question: it fails"}
		if got := records[i].Notes; !slices.Equal(got, want) {
			t.Errorf("%s %s has the notes %q, want %q", now, rec.Check, got, want)
		}
		if got := recalled(v); slices.Contains(got, "O-START") {
			t.Errorf("after a %s the cache answers %q", now, got)
		}
	}
}
