package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// TestPipelinesCallWhatThereIs reads each pipeline, and has the command's own parser read
// each call of it.
func TestPipelinesCallWhatThereIs(t *testing.T) {
	for name, verbs := range map[string][]string{
		"github.yml":                 {"baseline", "diff", "gate", "gc", "lint", "merge", "plan", "report", "run"},
		"gitlab.yml":                 {"baseline", "diff", "gate", "gc", "lint", "merge", "plan", "report", "run"},
		"virtmatrix-nightly.service": {"baseline", "diff", "gate", "gc", "lint", "plan", "report", "run"},
	} {
		text, err := os.ReadFile(filepath.Join("../pipelines", name))
		if err != nil {
			t.Fatal(err)
		}
		scripts := []string{string(text)}
		if filepath.Ext(name) == ".yml" {
			var pipeline any
			if err := yaml.UnmarshalWithOptions(text, &pipeline, yaml.Strict()); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			scripts = textsIn(pipeline)
		}
		var called []string
		for _, args := range calls(scripts) {
			if err := parsed(args); err != nil {
				t.Errorf("%s: virtmatrix %s: %v", name, strings.Join(args, " "), err)
			}
			called = append(called, args[0])
		}
		slices.Sort(called)
		if called = slices.Compact(called); !slices.Equal(called, verbs) {
			t.Errorf("%s calls %q, want %q", name, called, verbs)
		}
	}
}

// TestWhatDocumentsTellToCallIsThere reads the examples of what users read: lines that are
// set off by four blanks.
func TestWhatDocumentsTellToCallIsThere(t *testing.T) {
	documents, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, document := range append(documents, "../../README.md") {
		text, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			line, _, _ = strings.Cut(line, " #")
			if !strings.HasPrefix(line, "    ") {
				continue
			}
			for _, args := range calls([]string{line}) {
				seen++
				if err := parsed(args); err != nil {
					t.Errorf("%s: virtmatrix %s: %v", document, strings.Join(args, " "), err)
				}
			}
		}
	}
	if seen < 30 {
		t.Errorf("only %d calls were found in the documents", seen)
	}
}

// TestACallThatNobodyHasIsSeen: the test above can fail.
func TestACallThatNobodyHasIsSeen(t *testing.T) {
	got := calls([]string{"a: b\nsudo bin/virtmatrix gate \"$RUN\" -polcy x && bin/virtmatrix merge runs/* >> out\n"})
	if len(got) != 2 || !slices.Equal(got[0], []string{"gate", "1", "-polcy", "x"}) || !slices.Equal(got[1], []string{"merge", "runs/*"}) {
		t.Fatalf("calls %q", got)
	}
	if parsed(got[0]) == nil {
		t.Error("a flag that nobody has is taken")
	}
}

// parsed has the command's own parser read a call of it.
func parsed(args []string) error {
	var line commandLine
	parser, err := line.parser()
	if err == nil {
		_, err = parser.Parse(dashes(args))
	}
	return err
}

// textsIn are all texts in a document.
func textsIn(node any) (all []string) {
	switch n := node.(type) {
	case string:
		return []string{n}
	case []any:
		for _, v := range n {
			all = append(all, textsIn(v)...)
		}
	case map[string]any:
		for _, v := range n {
			all = append(all, textsIn(v)...)
		}
	}
	return all
}

var (
	variable   = regexp.MustCompile(`\$\{\{[^}]*\}\}|\$\w+`)
	separators = regexp.MustCompile(`&&|\|\||[;|>]`)
)

// calls are the arguments of each call of the command in some scripts. A variable is a 1.
func calls(scripts []string) (all [][]string) {
	for _, script := range scripts {
		for line := range strings.Lines(script) {
			if strings.HasPrefix(strings.TrimSpace(line), "#") {
				continue
			}
			for _, command := range separators.Split(variable.ReplaceAllString(line, "1"), -1) {
				if _, args, ok := strings.Cut(command, "bin/virtmatrix "); ok {
					all = append(all, strings.Fields(strings.NewReplacer(`"`, "", `'`, "").Replace(args)))
				}
			}
		}
	}
	return all
}
