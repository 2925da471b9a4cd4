package journal

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/virtmatrix/virtmatrix/matrix"
)

func line(t *testing.T, r Record) string {
	t.Helper()
	b, err := json.Marshal(&r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func writeFile(t *testing.T, dir, name string, lines ...string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(strings.Join(lines, "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestReadReportsEveryDamagedLineWithFileAndLine(t *testing.T) {
	good := line(t, answer("a", "O-CONN", matrix.Pass, 0))
	tests := []struct {
		name  string
		lines []string
		want  string // "" for no damage
		torn  bool
		kept  int
	}{
		{"whole", []string{good, good, ""}, "", false, 2},
		{"empty file", nil, "", false, 0},
		{"blank lines", []string{good, "", " ", good, ""}, "", false, 2},
		{"torn at the end", []string{good, good[:30]}, "journal-1.ndjson:2: the line ends in the middle", true, 1},
		{"torn and continued", []string{good[:30], good, ""}, "journal-1.ndjson:1: the line ends in the middle", true, 1},
		{"garbage in the middle", []string{good, "garbage", good, ""}, "journal-1.ndjson:2: the line is no record", false, 2},
		{"NULs after a power cut", []string{good, "\x00\x00\x00", ""}, "journal-1.ndjson:2: the line is no record", false, 1},
		{"two records on a line", []string{good + good, ""}, "journal-1.ndjson:1: the line is no record: it goes on", false, 0},
		{"unknown key", []string{`{"cell":"a","check":"c","verdict":"PASS","colour":1}`, ""}, `unknown field "colour"`, false, 0},
		{"unknown verdict", []string{`{"cell":"a","check":"c","verdict":"GREEN"}`, ""}, `"GREEN" is no verdict`, false, 0},
		{"wrong type", []string{`{"cell":7}`, good}, "journal-1.ndjson:1: the line is no record", false, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			writeFile(t, dir, "journal-1.ndjson", test.lines...)
			records, damage := read(t, dir)
			if len(records) != test.kept {
				t.Errorf("kept %d records, want %d", len(records), test.kept)
			}
			if test.want == "" {
				if len(damage) != 0 {
					t.Errorf("damage: %v", damage)
				}
				return
			}
			if len(damage) != 1 || !strings.Contains(damage[0].String(), test.want) || damage[0].Torn != test.torn {
				t.Errorf("damage %+v, want torn=%v %q", damage, test.torn, test.want)
			}
		})
	}
}

func TestReadMergesFilesByTimeAndKeepsTheOrderOfEach(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, dir, "journal-10.ndjson", line(t, answer("a", "FOURTH", matrix.Pass, 3)))
	writeFile(t, dir, "journal-2.ndjson",
		line(t, answer("a", "FIRST", matrix.Infra, 0)),
		line(t, answer("a", "FIFTH", matrix.Pass, 4)),
		line(t, answer("a", "CLOCK-SET-BACK", matrix.Pass, 1)))
	writeFile(t, dir, "journal-1.ndjson",
		line(t, answer("a", "SECOND", matrix.Pass, 2)),
		line(t, answer("a", "THIRD", matrix.Fail, 3)))
	writeFile(t, dir, "plan.json", "{}")
	got, damage := read(t, dir)
	wantRecords(t, got, "a/FIRST INFRA", "a/SECOND PASS", "a/THIRD FAIL", "a/FOURTH PASS", "a/FIFTH PASS", "a/CLOCK-SET-BACK PASS")
	if len(damage) != 0 {
		t.Errorf("damage: %v", damage)
	}
}

func TestReadKeepsEveryAnswerToOneCheck(t *testing.T) {
	dir := t.TempDir()
	appendAll(t, open(t, dir, 1), answer("a", "O-SAVE", matrix.Infra, 0), answer("a", "O-SAVE", matrix.Pass, 1))
	got, _ := read(t, dir)
	wantRecords(t, got, "a/O-SAVE INFRA", "a/O-SAVE PASS")
}

func TestReadOfARunWithoutAJournalIsEmptyAndOfNoRunAnError(t *testing.T) {
	dir := t.TempDir()
	got, damage := read(t, dir)
	if len(got) != 0 || len(damage) != 0 {
		t.Errorf("got %v, %v", got, damage)
	}
	if _, _, err := Read(filepath.Join(dir, "absent")); err == nil {
		t.Error("read a run that does not exist")
	}
}
