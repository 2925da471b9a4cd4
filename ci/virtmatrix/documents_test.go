package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// offline are the verbs of which documents speak that need a run and no machine. The others
// are run by the tests on real machines and containers, and by the scripts.
var offline = []string{"baseline", "checks", "diff", "gate", "lint", "list", "packages", "report", "selftest", "why"}

// TestWhatDocumentsTellToCallIsDone runs what documents tell a reader to call after a run, on
// the run of a change that broke O-SAVE.
func TestWhatDocumentsTellToCallIsDone(t *testing.T) {
	documents, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	documents = append(documents, "../../README.md")
	var texts []string
	for _, document := range documents {
		text, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(text))
	}
	runs := filepath.Join(t.TempDir(), "runs")
	changedRun(t, runs)
	t.Chdir(t.TempDir())
	done := 0
	for i, document := range documents {
		for line := range strings.Lines(texts[i]) {
			line, _, _ = strings.Cut(line, " #")
			if !strings.HasPrefix(line, "    bin/") {
				continue
			}
			for _, args := range calls([]string{line}) {
				// What it does without a run of the gate's own boots machines.
				if !slices.Contains(offline, args[0]) || slices.Equal(args, []string{"selftest"}) {
					continue
				}
				said, err := called(t, runs, args)
				var code exit
				if err != nil && !errors.As(err, &code) || code > 1 {
					t.Errorf("%s: virtmatrix %s: %v\n%s", document, strings.Join(args, " "), err, said)
				}
				if at := slices.Index(args, "-o"); at >= 0 {
					text, err := os.ReadFile(args[at+1])
					if said = string(text); err != nil {
						t.Error(err)
					}
				}
				if said == "" && args[0] != "lint" && !strings.HasPrefix(strings.Join(args, " "), "list flakes") {
					t.Errorf("%s: virtmatrix %s says nothing", document, strings.Join(args, " "))
				}
				done++
			}
		}
	}
	t.Logf("%d calls", done)
	if done < 20 {
		t.Errorf("only %d calls of the documents were done", done)
	}
}

// changedRun stores the run of a change that broke O-SAVE, and a baseline without that.
func changedRun(t *testing.T, runs string) {
	t.Helper()
	cat, err := (&app{}).catalog()
	if err != nil {
		t.Fatal(err)
	}
	plan, err := newPlan(cat)
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := plan.Write(&text); err != nil {
		t.Fatal(err)
	}
	s, err := newSite(cat, text.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.store(runs); err != nil {
		t.Fatal(err)
	}
	if said, err := called(t, runs, []string{"baseline", "save", "released"}); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	s.its().End(badRestore)
	if _, err := s.store(runs); err != nil {
		t.Fatal(err)
	}
}

// called runs the command and returns what it says.
func called(t *testing.T, runs string, args []string) (string, error) {
	t.Helper()
	var line commandLine
	parser, err := line.parser()
	if err != nil {
		t.Fatal(err)
	}
	k, err := parser.Parse(dashes(args))
	if err != nil {
		return "", err
	}
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	line.Runs = runs
	err = k.Run(&app{globals: line.globals, ctx: t.Context(), stdout: out, stderr: out})
	if _, seek := out.Seek(0, io.SeekStart); seek != nil {
		t.Fatal(seek)
	}
	said, read := io.ReadAll(out)
	if read != nil {
		t.Fatal(read)
	}
	return string(said), err
}
