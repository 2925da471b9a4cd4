package journal

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/virtmatrix/virtmatrix/matrix"
)

func answer(cell, check string, v matrix.Verdict, minute int) Record {
	return Record{
		Plan: "p", Cell: cell, Check: check, Tier: matrix.Nested, Verdict: v, Attempts: 1,
		Started: time.Date(2025, 11, 21, 12, minute, 0, 0, time.UTC),
	}
}

func open(t *testing.T, dir string, process int) *Writer {
	t.Helper()
	w, err := Open(dir, process)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

func appendAll(t *testing.T, w *Writer, records ...Record) {
	t.Helper()
	for _, r := range records {
		if err := w.Append(r); err != nil {
			t.Fatal(err)
		}
	}
}

// read returns the records as "cell/check VERDICT" and the damage.
func read(t *testing.T, dir string) ([]string, Damage) {
	t.Helper()
	records, damage, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range records {
		got = append(got, r.Cell+"/"+r.Check+" "+string(r.Verdict))
	}
	return got, damage
}

func wantRecords(t *testing.T, got []string, want ...string) {
	t.Helper()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("records:\n got %q\nwant %q", got, want)
	}
}

func TestAppendedRecordIsOnDiskBeforeClose(t *testing.T) {
	dir := t.TempDir()
	w := open(t, dir, 1)
	appendAll(t, w, answer("a", "O-CONN", matrix.Pass, 0))
	got, damage := read(t, dir)
	wantRecords(t, got, "a/O-CONN PASS")
	if len(damage) != 1 || !damage[0].Torn {
		t.Errorf("damage: %v, want that the end is not there yet", damage)
	}
}

func TestARunThatGoesOnWithMoreProcessesIsWhole(t *testing.T) {
	dir := t.TempDir()
	first := open(t, dir, 1)
	appendAll(t, first, answer("a", "O-CONN", matrix.Pass, 0), answer("a", "O-SAVE", matrix.Infra, 1))
	first.Close()
	for process := 1; process <= 3; process++ {
		w := open(t, dir, process)
		appendAll(t, w, answer("a", "O-SAVE", matrix.Pass, process+1))
		w.Close()
	}
	open(t, dir, 2).Close() // nothing was left for it to answer
	got, damage := read(t, dir)
	wantRecords(t, got, "a/O-CONN PASS", "a/O-SAVE INFRA", "a/O-SAVE PASS", "a/O-SAVE PASS", "a/O-SAVE PASS")
	if len(damage) != 0 {
		t.Errorf("damage: %v", damage)
	}
}

func TestAKilledProcessLeavesAFileWithoutItsEndUntilTheRunGoesOn(t *testing.T) {
	dir := t.TempDir()
	w := open(t, dir, 1)
	appendAll(t, w, answer("a", "O-CONN", matrix.Pass, 0))
	w.file.Close() // as a kill does
	if _, damage := read(t, dir); len(damage) != 1 || !damage[0].Torn || !strings.Contains(damage[0].Problem, "lacks its end") {
		t.Errorf("damage: %v", damage)
	}
	open(t, dir, 1).Close()
	if _, damage := read(t, dir); len(damage) != 0 {
		t.Errorf("damage: %v", damage)
	}
}

func TestAFileThatIsNotAsItWasWrittenIsNotContinued(t *testing.T) {
	dir := t.TempDir()
	all := chained(t, answer("a", "O-CONN", matrix.Fail, 0))
	writeFile(t, dir, "journal-1.ndjson", strings.Replace(all[0], "FAIL", "PASS", 1), "")
	if _, err := Open(dir, 1); err == nil || !strings.Contains(err.Error(), "journal-1.ndjson:1: the line was edited, or") {
		t.Errorf("Open = %v, want an error that names file and line", err)
	}
}

func TestWriterRefusesAfterClose(t *testing.T) {
	w := open(t, t.TempDir(), 1)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	err := w.Append(answer("a", "O-CONN", matrix.Pass, 0))
	if err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("append after close: %v", err)
	}
	if err := w.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
}

func TestSecondWriterOfOneFileIsRefused(t *testing.T) {
	dir := t.TempDir()
	first := open(t, dir, 1)
	if w, err := Open(dir, 1); err == nil {
		w.Close()
		t.Fatal("two writers own journal-1.ndjson")
	}
	open(t, dir, 2)
	first.Close()
	open(t, dir, 1)
}

func TestWriterStartsOnAFreshLineAfterATornOne(t *testing.T) {
	dir := t.TempDir()
	w := open(t, dir, 1)
	appendAll(t, w, answer("a", "O-CONN", matrix.Pass, 0), answer("a", "O-SAVE", matrix.Fail, 1))
	w.Close()
	ending := int64(len(chained(t)[0]) + 1)
	truncateBy(t, filepath.Join(dir, "journal-1.ndjson"), ending+20)

	w = open(t, dir, 1)
	appendAll(t, w, answer("a", "O-SAVE", matrix.Pass, 2))
	w.Close()
	got, damage := read(t, dir)
	wantRecords(t, got, "a/O-CONN PASS", "a/O-SAVE PASS")
	if len(damage) != 1 || !damage[0].Torn || damage[0].File != "journal-1.ndjson" || damage[0].Line != 2 {
		t.Errorf("damage: %+v", damage)
	}
}

func TestRecordCutJustBeforeItsNewlineIsKept(t *testing.T) {
	dir := t.TempDir()
	w := open(t, dir, 1)
	appendAll(t, w, answer("a", "O-CONN", matrix.Pass, 0))
	w.Close()
	truncateBy(t, filepath.Join(dir, "journal-1.ndjson"), 1)

	w = open(t, dir, 1)
	appendAll(t, w, answer("a", "O-SAVE", matrix.Pass, 1))
	w.Close()
	got, damage := read(t, dir)
	wantRecords(t, got, "a/O-CONN PASS", "a/O-SAVE PASS")
	if len(damage) != 0 {
		t.Errorf("damage: %v", damage)
	}
}

func TestRecordThatAnswersNothingIsRefused(t *testing.T) {
	w := open(t, t.TempDir(), 1)
	for name, r := range map[string]Record{
		"no cell":      answer("", "O-CONN", matrix.Pass, 0),
		"no check":     answer("a", "", matrix.Pass, 0),
		"no verdict":   answer("a", "O-CONN", "", 0),
		"odd verdict":  answer("a", "O-CONN", "GREEN", 0),
		"only missing": answer("a", "O-CONN", matrix.Missing, 0),
	} {
		if err := w.Append(r); err == nil {
			t.Errorf("%s: appended", name)
		}
	}
}

func TestOpenNeedsTheRunDirectory(t *testing.T) {
	if _, err := Open(filepath.Join(t.TempDir(), "absent"), 1); err == nil {
		t.Error("opened a journal in a directory that does not exist")
	}
}

func truncateBy(t *testing.T, path string, n int64) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, info.Size()-n); err != nil {
		t.Fatal(err)
	}
}

func TestManyRecordsAreWrittenAtOnceOrNotAtAll(t *testing.T) {
	dir := t.TempDir()
	w, err := Open(dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	all := []Record{answer("a", "O-CONN", matrix.Pass, 0), answer("a", "O-SAVE", matrix.Fail, 1), answer("b", "O-CONN", matrix.Pass, 2)}
	if err := w.AppendAll(append(all, Record{Cell: "b", Check: "O-SAVE", Verdict: matrix.Missing})); err == nil {
		t.Error("a record that answers nothing was taken")
	}
	if err := errors.Join(w.AppendAll(nil), w.AppendAll(all)); err != nil {
		t.Fatal(err)
	}
	w.Close()
	got, damage, err := Read(dir)
	if err != nil || len(damage) != 0 {
		t.Fatal(err, damage)
	}
	if diff := cmp.Diff(all, got); diff != "" {
		t.Error(diff)
	}
}
