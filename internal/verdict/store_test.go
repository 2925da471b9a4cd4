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
	return journal.Record{
		Plan: "9147", Cell: "kvm", Check: "O-SAVE", Tier: matrix.Nested, Verdict: v, Attempts: 1,
		Started: time.Date(2026, 11, 21, 22, 10, 0, 0, time.UTC), Seconds: 12, Said: []string{"virtmatrix: ticks 3 <&>"},
	}
}

func secondTry(v matrix.Verdict) journal.Record {
	r := testRecord(v)
	r.Attempts = 2
	return r
}

func fromCache(v matrix.Verdict) journal.Record {
	r := testRecord(v)
	r.Cached = &journal.Cached{Run: "earlier"}
	return r
}

func put(t *testing.T, s *Store, key string, r journal.Record) {
	t.Helper()
	if err := s.Put(key, r, "first"); err != nil {
		t.Fatal(err)
	}
}

func TestAnAnswerComesBackAsItWasGiven(t *testing.T) {
	s := In(filepath.Join(t.TempDir(), "verdicts"))
	put(t, s, key(t, nil), testRecord(matrix.Pass))
	e, err := s.Get(key(t, nil))
	if diff := cmp.Diff(Entry{testRecord(matrix.Pass), "first"}, e); err != nil || diff != "" {
		t.Error(err, diff)
	}
	if _, err := s.Get(key(t, func(q *Question) { q.Code = "0ther" })); !errors.Is(err, ErrNone) {
		t.Errorf("another question: %v", err)
	}
}

func TestWhatOneAnswerLeavesOfTheOneBefore(t *testing.T) {
	for name, tc := range map[string]struct {
		before, now journal.Record
		want        matrix.Verdict // "" for none
	}{
		"a failure after a pass":                   {testRecord(matrix.Pass), testRecord(matrix.Fail), matrix.Fail},
		"a failure at the second try after a pass": {testRecord(matrix.Pass), secondTry(matrix.Fail), matrix.Fail},
		"a pass after a failure":                   {testRecord(matrix.Fail), testRecord(matrix.Pass), matrix.Fail},
		"a pass at the second try after a failure": {testRecord(matrix.Fail), secondTry(matrix.Pass), matrix.Fail},
		"a pass at the second try after a pass":    {testRecord(matrix.Pass), secondTry(matrix.Pass), ""},
		"our own fault after a pass":               {testRecord(matrix.Pass), testRecord(matrix.Infra), matrix.Pass},
		"blocked after a pass":                     {testRecord(matrix.Pass), testRecord(matrix.Blocked), matrix.Pass},
		"one from the cache after a pass":          {testRecord(matrix.Pass), fromCache(matrix.Fail), matrix.Pass},
		"our own fault after nothing":              {testRecord(matrix.Infra), testRecord(matrix.Infra), ""},
		"a pass at the second try after nothing":   {testRecord(matrix.Infra), secondTry(matrix.Pass), ""},
	} {
		s := In(t.TempDir())
		put(t, s, "c0de", tc.before)
		put(t, s, "c0de", tc.now)
		e, err := s.Get("c0de")
		if e.Record.Verdict != tc.want || (err != nil) != (tc.want == "") {
			t.Errorf("%s: %q is kept (%v), want %q", name, e.Record.Verdict, err, tc.want)
		}
		if e.Answers() != (tc.want == matrix.Pass) {
			t.Errorf("%s: %s may be given again: %v", name, e.Record.Verdict, e.Answers())
		}
	}
}

func TestAnEntryThatIsNotAsWrittenIsToldAndRemoved(t *testing.T) {
	infra, _, err := journal.Seal("c0de", Entry{Record: testRecord(matrix.Infra)})
	if err != nil {
		t.Fatal(err)
	}
	foreign, _, err := journal.Seal("0ther", Entry{Record: testRecord(matrix.Pass)})
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		spoil func(string) string
		want  string
	}{
		"empty":               {func(string) string { return "" }, "no record"},
		"torn":                {func(s string) string { return s[:len(s)/2] }, "ends in the middle"},
		"zeros":               {func(s string) string { return strings.Repeat("\x00", len(s)) }, "no record"},
		"edited":              {func(s string) string { return strings.Replace(s, `"FAIL"`, `"PASS"`, 1) }, "was edited"},
		"a space more":        {func(s string) string { return strings.Replace(s, `{"plan"`, `{ "plan"`, 1) }, "was edited"},
		"two in one":          {func(s string) string { return s + s }, "goes on after"},
		"of another question": {func(string) string { return string(foreign) }, "was edited"},
		"our own fault":       {func(string) string { return string(infra) }, "a INFRA is never kept"},
	} {
		t.Run(name, func(t *testing.T) {
			s := In(t.TempDir())
			put(t, s, "c0de", testRecord(matrix.Fail))
			path := s.path("c0de")
			whole, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(tc.spoil(string(whole))), 0o644); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Get("c0de"); err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("Get = %v, want an error that names the entry and says %q", err, tc.want)
			}
			if _, err := s.Get("c0de"); !errors.Is(err, ErrNone) {
				t.Errorf("the second time: %v", err)
			}
		})
	}
}

func TestAFullDiskIsToldAndLeavesNoOlderAnswer(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("none", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("cannot mount a small disk here: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	s := In(dir)
	put(t, s, "c0de", testRecord(matrix.Pass))
	large := testRecord(matrix.Fail)
	large.Reason = strings.Repeat("x", 1<<20)
	var full *disk.FullError
	if err := s.Put("c0de", large, "second"); !errors.As(err, &full) || !strings.Contains(err.Error(), dir) {
		t.Errorf("Put = %v, want a full disk", err)
	}
	if paths, _, err := s.Old(0); err != nil || len(paths) != 0 {
		t.Errorf("%q is left, %v", paths, err)
	}
}

func TestWhatIsOldIsListedByAge(t *testing.T) {
	s := In(filepath.Join(t.TempDir(), "none"))
	if paths, _, err := s.Old(0); err != nil || len(paths) != 0 {
		t.Errorf("a store that does not exist has %q, %v", paths, err)
	}
	for _, key := range []string{"c0de", "0ld0"} {
		put(t, s, key, testRecord(matrix.Pass))
	}
	ago := time.Now().Add(-2 * time.Hour)
	if err := os.Chtimes(s.path("0ld0"), ago, ago); err != nil {
		t.Fatal(err)
	}
	paths, bytes, err := s.Old(time.Hour)
	if err != nil || len(paths) != 1 || paths[0] != s.path("0ld0") || bytes == 0 {
		t.Errorf("%q of %d bytes are older, %v", paths, bytes, err)
	}
}
