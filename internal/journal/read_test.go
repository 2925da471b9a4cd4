package journal

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/virtmatrix/virtmatrix/matrix"
)

// chained returns the lines of a file that a process closed.
func chained(t *testing.T, records ...Record) []string {
	t.Helper()
	dir := t.TempDir()
	w := open(t, dir, 1)
	appendAll(t, w, records...)
	w.Close()
	text, err := os.ReadFile(filepath.Join(dir, "journal-1.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

// sealed is the first line of a file that another virtmatrix wrote.
func sealed(t *testing.T, v any) string {
	t.Helper()
	line, _, err := Seal("", v)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(string(line), "\n")
}

func writeFile(t *testing.T, dir, name string, lines ...string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(strings.Join(lines, "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestReadSaysWhereAJournalIsNotAsItWasWritten(t *testing.T) {
	all := chained(t, answer("a", "O-CONN", matrix.Pass, 0), answer("a", "O-START", matrix.Fail, 1), answer("a", "O-SAVE", matrix.Pass, 2))
	conn, start, save, end := all[0], all[1], all[2], all[3]
	other := chained(t, answer("b", "O-CONN", matrix.Pass, 0))
	const broken = "the line was edited, or lines before it were"
	tests := []struct {
		name  string
		lines []string
		want  string // "" for no damage
		torn  bool
		kept  int
	}{
		{"whole", append(all, ""), "", false, 3},
		{"empty file", nil, "", false, 0},
		{"blank lines", []string{conn, "", " ", start, save, end, ""}, "", false, 3},
		{"edited verdict", []string{conn, strings.Replace(start, "FAIL", "PASS", 1), save, end}, "journal-1.ndjson:2: " + broken, false, 2},
		{"edited verdict at the end of a killed run", []string{conn, strings.Replace(start, "FAIL", "PASS", 1), ""}, "journal-1.ndjson:2: " + broken, false, 1},
		{"edited plan", []string{strings.Replace(conn, `"plan":"p"`, `"plan":"q"`, 1), start, save, end}, "journal-1.ndjson:1: " + broken, false, 2},
		{"removed line", []string{conn, save, end}, "journal-1.ndjson:2: " + broken, false, 1},
		{"removed first line", []string{start, save, end}, "journal-1.ndjson:1: " + broken, false, 1},
		{"removed last answer", []string{conn, start, end}, "journal-1.ndjson:3: " + broken, false, 2},
		{"removed answers", []string{end}, "journal-1.ndjson:1: " + broken, false, 0},
		{"swapped lines", []string{start, conn, save, end}, "journal-1.ndjson:1: " + broken, false, 0},
		{"added line", []string{conn, start, save, other[0], end}, "journal-1.ndjson:4: " + broken, false, 3},
		{"doubled line", []string{conn, start, start, save, end}, "journal-1.ndjson:3: " + broken, false, 3},
		{"cut end", []string{conn, start, ""}, "journal-1.ndjson:2: the file lacks its end", true, 2},
		{"torn at the end", []string{conn, start[:130]}, "journal-1.ndjson:2: the line ends in the middle", true, 1},
		{"torn and continued", []string{conn[:30], conn, start, save, end, ""}, "journal-1.ndjson:1: the line ends in the middle", true, 3},
		{"torn in place of an answer", []string{conn, start[:130], save, end, ""}, "journal-1.ndjson:2: the line ends in the middle", true, 1},
		{"garbage", []string{conn, "garbage", start, save, end, ""}, "journal-1.ndjson:2: the line is no record", false, 3},
		{"NULs after a power cut", []string{conn, "\x00\x00\x00", ""}, "journal-1.ndjson:2: the line is no record", false, 1},
		{"two records on a line", []string{conn + start, ""}, "journal-1.ndjson:1: the line is no record: it goes on", false, 0},
		{"no sum", []string{`{"cell":"a","check":"c","verdict":"PASS"}`, ""}, "it does not begin with its sum", false, 0},
		{"unknown key", []string{sealed(t, map[string]any{"colour": 1}), ""}, `of another virtmatrix: json: unknown field "colour"`, false, 0},
		{"wrong type", []string{sealed(t, map[string]any{"cell": 7}), ""}, "journal-1.ndjson:1: the line is of another virtmatrix", false, 0},
		{"no verdict", []string{sealed(t, Record{Cell: "a", Check: "c", Verdict: "GREEN"}), ""}, `"GREEN" is no verdict`, false, 0},
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
			if len(damage) == 0 || !strings.Contains(damage[0].String(), test.want) || damage[0].Torn != test.torn {
				t.Errorf("damage %+v, want torn=%v %q first", damage, test.torn, test.want)
			}
		})
	}
}

func TestAnAnswerInPlaceOfWhichALineIsTornIsMissed(t *testing.T) {
	dir := t.TempDir()
	all := chained(t, answer("a", "O-CONN", matrix.Fail, 0), answer("a", "O-SAVE", matrix.Pass, 1))
	writeFile(t, dir, "journal-1.ndjson", all[0][:130], all[1], all[2], "")
	if _, damage := read(t, dir); len(damage) != 2 || damage[1].Torn || damage[1].Line != 2 {
		t.Errorf("damage %+v, want line 2 not to follow", damage)
	}
}

func TestReadMergesFilesByTimeAndKeepsTheOrderOfEach(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, dir, "journal-10.ndjson", chained(t, answer("a", "FOURTH", matrix.Pass, 3))...)
	writeFile(t, dir, "journal-2.ndjson", chained(t,
		answer("a", "FIRST", matrix.Infra, 0),
		answer("a", "FIFTH", matrix.Pass, 4),
		answer("a", "CLOCK-SET-BACK", matrix.Pass, 1))...)
	writeFile(t, dir, "journal-1.ndjson", chained(t,
		answer("a", "SECOND", matrix.Pass, 2),
		answer("a", "THIRD", matrix.Fail, 3))...)
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
