package verdict

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/virtmatrix/virtmatrix/internal/journal"
	"github.com/virtmatrix/virtmatrix/internal/store/disk"
	"github.com/virtmatrix/virtmatrix/matrix"
)

func testRecord(v matrix.Verdict) journal.Record {
	q := testQuestion()
	r := journal.Record{
		Plan: "9147", Cell: q.Cell.ID, Check: q.Check.ID, Tier: q.Check.Tier, Verdict: v, Attempts: 1,
		Started: time.Date(2026, 11, 21, 22, 10, 0, 0, time.UTC), Seconds: 12, GuestSeconds: 11, Harness: "v1",
		Said: []string{"virtmatrix: ticks 3 <&>"}, Accelerators: map[string]string{"L1": "tcg"},
	}
	if v == matrix.Fail {
		r.Layer, r.Reason, r.Evidence = matrix.LayerManagement, "it did not", "cells/"+r.Cell+"/"+r.Check
	}
	return r
}

// testRun is the folder of a run with the evidence of testRecord's failure.
func testRun(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "20261121-221000-smoke")
	evidence := filepath.Join(dir, testRecord(matrix.Fail).Evidence)
	if err := os.MkdirAll(filepath.Join(evidence, "more"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"reason.txt": "it did not\n", "l1-console.log": "\x00\xff<&>", "more/dmesg.log": "Linux"} {
		if err := os.WriteFile(filepath.Join(evidence, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func kept(t *testing.T, v matrix.Verdict) (*Store, string) {
	t.Helper()
	s := In(filepath.Join(t.TempDir(), "verdicts"))
	if err := s.Put(testQuestion(), testRecord(v), testRun(t)); err != nil {
		t.Fatal(err)
	}
	return s, s.path(keyOfQuestion(t, testQuestion()))
}

func TestAnAnswerComesBackAsItWasGiven(t *testing.T) {
	for _, v := range []matrix.Verdict{matrix.Pass, matrix.Fail} {
		s, _ := kept(t, v)
		e, key, err := s.Get(testQuestion())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(testRecord(v), e.Record); diff != "" {
			t.Errorf("%s: %s", v, diff)
		}
		if e.Run != "20261121-221000-smoke" || key != keyOfQuestion(t, testQuestion()) {
			t.Errorf("%s: it is of run %q, with the key %s", v, e.Run, key)
		}
	}
}

func TestAFailureComesBackWithItsEvidence(t *testing.T) {
	s, _ := kept(t, matrix.Fail)
	e, _, err := s.Get(testQuestion())
	if err != nil {
		t.Fatal(err)
	}
	run := t.TempDir()
	// Our own fault in the run that looks left some there.
	foreign := filepath.Join(run, e.Record.Evidence, "l2-domain.xml")
	if err := errors.Join(os.MkdirAll(filepath.Dir(foreign), 0o755), os.WriteFile(foreign, nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	if err := e.Unpack(run); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(foreign); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the evidence of another attempt is among it: %v", err)
	}
	for name, want := range map[string]string{"reason.txt": "it did not\n", "l1-console.log": "\x00\xff<&>", "more/dmesg.log": "Linux"} {
		if got, err := os.ReadFile(filepath.Join(run, e.Record.Evidence, name)); err != nil || string(got) != want {
			t.Errorf("%s is %q, %v", name, got, err)
		}
	}
}

func TestAFailureWhoseEvidenceIsTooLargeIsNotKept(t *testing.T) {
	run := testRun(t)
	large := filepath.Join(run, testRecord(matrix.Fail).Evidence, "core")
	if err := os.WriteFile(large, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(large, maxEvidence+1); err != nil {
		t.Fatal(err)
	}
	s := In(t.TempDir())
	if err := s.Put(testQuestion(), testRecord(matrix.Fail), run); err == nil || !strings.Contains(err.Error(), "24 MiB") {
		t.Errorf("Put = %v", err)
	}
	if _, _, err := s.Get(testQuestion()); !errors.Is(err, ErrNone) {
		t.Errorf("Get = %v", err)
	}
}

func TestOnlyTheProductsFirstAnswerIsKept(t *testing.T) {
	again := testRecord(matrix.Pass)
	again.Attempts = 2
	cached := testRecord(matrix.Pass)
	cached.Cached = &journal.Cached{Run: "earlier"}
	never := testRecord(matrix.Pass)
	never.Attempts = 0
	for name, r := range map[string]journal.Record{
		"our own fault": testRecord(matrix.Infra), "blocked": testRecord(matrix.Blocked), "known": testRecord(matrix.Known),
		"a pass at the second try": again, "one from the cache": cached, "one of no attempt": never,
	} {
		s := In(t.TempDir())
		if err := s.Put(testQuestion(), r, testRun(t)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, _, err := s.Get(testQuestion()); !errors.Is(err, ErrNone) {
			t.Errorf("%s: Get = %v", name, err)
		}
	}
}

func TestAnAnswerThatCannotBeKeptLeavesNoOlderOne(t *testing.T) {
	again, gone := testRecord(matrix.Fail), testRecord(matrix.Fail)
	again.Attempts = 2
	gone.Evidence = "cells/none"
	for name, tc := range map[string]struct {
		newer journal.Record
		fails bool
	}{
		"a failure at the second try":     {again, false},
		"a failure of which nothing says": {gone, true},
	} {
		s, _ := kept(t, matrix.Pass)
		if err := s.Put(testQuestion(), tc.newer, testRun(t)); (err != nil) != tc.fails {
			t.Errorf("%s: Put = %v", name, err)
		}
		if e, _, err := s.Get(testQuestion()); !errors.Is(err, ErrNone) {
			t.Errorf("%s: the answer is still %s, %v", name, e.Record.Verdict, err)
		}
	}
}

func TestWhatTellsNothingOfTheProductLeavesTheOlderAnswer(t *testing.T) {
	cached := testRecord(matrix.Fail)
	cached.Cached = &journal.Cached{Run: "earlier"}
	for name, newer := range map[string]journal.Record{
		"our own fault": testRecord(matrix.Infra), "blocked": testRecord(matrix.Blocked), "one from the cache": cached,
	} {
		s, _ := kept(t, matrix.Pass)
		if err := s.Put(testQuestion(), newer, testRun(t)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if e, _, err := s.Get(testQuestion()); err != nil || e.Record.Verdict != matrix.Pass {
			t.Errorf("%s: the answer is %s, %v", name, e.Record.Verdict, err)
		}
	}
}

func TestTheNewestAnswerStays(t *testing.T) {
	s, _ := kept(t, matrix.Pass)
	if err := s.Put(testQuestion(), testRecord(matrix.Fail), testRun(t)); err != nil {
		t.Fatal(err)
	}
	if e, _, err := s.Get(testQuestion()); err != nil || e.Record.Verdict != matrix.Fail {
		t.Errorf("Get = %s, %v", e.Record.Verdict, err)
	}
}

func TestAnAnswerToAnotherQuestionIsNone(t *testing.T) {
	s, _ := kept(t, matrix.Pass)
	q := testQuestion()
	q.Code = "other"
	if _, _, err := s.Get(q); !errors.Is(err, ErrNone) {
		t.Errorf("Get = %v", err)
	}
	if err := s.Put(q, testRecord(matrix.Pass), ""); err != nil {
		t.Fatal(err)
	}
	r := testRecord(matrix.Pass)
	r.Check = "O-CONN"
	if err := s.Put(q, r, ""); err == nil || !strings.Contains(err.Error(), `it is about "O-CONN"`) {
		t.Errorf("an answer to another check was kept: %v", err)
	}
}

// reseal writes an entry anew with a checksum that fits.
func reseal(t *testing.T, text string, edit func(*Entry)) string {
	t.Helper()
	var s sealed
	var e Entry
	if err := errors.Join(strict([]byte(text), &s), strict(s.Entry, &e)); err != nil {
		t.Fatal(err)
	}
	edit(&e)
	out, err := seal(e)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestAnEntryThatIsNotAsWrittenIsToldAndRemoved(t *testing.T) {
	for name, tc := range map[string]struct {
		spoil func(string) string
		want  string
	}{
		"empty":             {func(string) string { return "" }, "not a whole one"},
		"torn":              {func(s string) string { return s[:len(s)/2] }, "not a whole one"},
		"zeros":             {func(s string) string { return strings.Repeat("\x00", len(s)) }, "not a whole one"},
		"edited":            {func(s string) string { return strings.Replace(s, `"FAIL"`, `"PASS"`, 1) }, "it was changed"},
		"a space more":      {func(s string) string { return strings.Replace(s, `{"question"`, `{ "question"`, 1) }, "it was changed"},
		"two in one":        {func(s string) string { return s + s }, "something follows"},
		"something more":    {func(s string) string { return strings.Replace(s, `"entry"`, `"more":1,"entry"`, 1) }, "unknown field"},
		"of another format": {func(s string) string { return reseal(t, s, func(e *Entry) { e.Question = []byte(`{}`) }) }, "another question"},
		"of another cell":   {func(s string) string { return reseal(t, s, func(e *Entry) { e.Record.Cell = "kvm_other" }) }, "kvm_other"},
		"our own fault": {func(s string) string { return reseal(t, s, func(e *Entry) { e.Record.Verdict = matrix.Infra }) },
			"a INFRA after 1 attempts is never kept"},
		"evidence elsewhere": {func(s string) string { return reseal(t, s, func(e *Entry) { e.Record.Evidence = "../../etc" }) }, "not in a run's folder"},
		"a file elsewhere":   {func(s string) string { return reseal(t, s, func(e *Entry) { e.Evidence[0].Name = "/etc/passwd" }) }, "not in its folder"},
	} {
		t.Run(name, func(t *testing.T) {
			s, path := kept(t, matrix.Fail)
			whole, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(tc.spoil(string(whole))), 0o644); err != nil {
				t.Fatal(err)
			}
			_, _, err = s.Get(testQuestion())
			var damaged *DamagedError
			if !errors.As(err, &damaged) || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("Get = %v, want an error that names the entry and says %q", err, tc.want)
			}
			if _, _, err := s.Get(testQuestion()); !errors.Is(err, ErrNone) {
				t.Errorf("the second time: %v", err)
			}
			if err := s.Put(testQuestion(), testRecord(matrix.Pass), ""); err != nil {
				t.Error(err)
			}
			if _, _, err := s.Get(testQuestion()); err != nil {
				t.Errorf("after another answer: %v", err)
			}
		})
	}
}

func TestAnEntryUnderAnotherNameIsNoAnswer(t *testing.T) {
	s, path := kept(t, matrix.Pass)
	q := testQuestion()
	q.Images[0].Content = "rebuilt"
	foreign := s.path(keyOfQuestion(t, q))
	if err := os.MkdirAll(filepath.Dir(foreign), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path, foreign); err != nil {
		t.Fatal(err)
	}
	_, _, err := s.Get(q)
	var damaged *DamagedError
	if !errors.As(err, &damaged) || !strings.Contains(err.Error(), "another question") {
		t.Errorf("Get = %v", err)
	}
}

func TestAnEntryThatCannotBeReadIsToldAndStays(t *testing.T) {
	s := In(t.TempDir())
	path := s.path(keyOfQuestion(t, testQuestion()))
	if err := os.MkdirAll(path, 0o755); err != nil { // a folder where the file goes
		t.Fatal(err)
	}
	if _, _, err := s.Get(testQuestion()); err == nil || errors.Is(err, ErrNone) || !strings.Contains(err.Error(), "cannot read kept verdict") {
		t.Errorf("Get = %v", err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

func TestAFullDiskIsToldAndLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("none", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("cannot mount a small disk here: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	run := testRun(t)
	if err := os.WriteFile(filepath.Join(run, testRecord(matrix.Fail).Evidence, "l2.log"), make([]byte, 1<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	s := In(dir)
	if err := s.Put(testQuestion(), testRecord(matrix.Pass), ""); err != nil {
		t.Fatal(err)
	}
	err := s.Put(testQuestion(), testRecord(matrix.Fail), run)
	var full *disk.FullError
	if !errors.As(err, &full) || !strings.Contains(err.Error(), dir) {
		t.Errorf("Put = %v, want a full disk", err)
	}
	if _, _, err := s.Get(testQuestion()); !errors.Is(err, ErrNone) {
		t.Errorf("Get = %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*", ".*")); len(left) > 0 {
		t.Errorf("%q was left behind", left)
	}
	if err := s.Put(testQuestion(), testRecord(matrix.Pass), ""); err != nil {
		t.Errorf("a small answer still fits: %v", err)
	}
}

func TestAStoreThatDoesNotExistHasNoAnswers(t *testing.T) {
	if all, err := In(filepath.Join(t.TempDir(), "none")).List(); err != nil || len(all) != 0 {
		t.Errorf("List = %v, %v", all, err)
	}
}
