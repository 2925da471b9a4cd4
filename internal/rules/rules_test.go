// Package rules holds the rules of the code that no other tool checks, as tests.
// What breaks one today is listed with its reason, and a list that is too long
// fails, too.
package rules

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// file is a Go file of the module, with its path from the root.
type file struct {
	path string
	*ast.File
	lines int
}

func (f file) dir() string { return filepath.ToSlash(filepath.Dir(f.path)) }

func (f file) isTest() bool { return strings.HasSuffix(f.path, "_test.go") }

const module = "github.com/virtmatrix/virtmatrix/"

// imports are the packages of the module that a file imports.
func (f file) imports() (ours []string) {
	for _, spec := range f.Imports {
		if path, err := strconv.Unquote(spec.Path.Value); err == nil && strings.HasPrefix(path, module) {
			ours = append(ours, strings.TrimPrefix(path, module))
		}
	}
	return ours
}

// calls says whether a file uses a function of another package, as in time.Sleep.
func (f file) calls(pkg string, functions ...string) (found bool) {
	ast.Inspect(f.File, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok && slices.Contains(functions, sel.Sel.Name) {
			x, ok := sel.X.(*ast.Ident)
			found = found || ok && x.Name == pkg
		}
		return !found
	})
	return found
}

// under says whether a package is one of the folders or below one.
func under(pkg string, folders ...string) bool {
	return slices.ContainsFunc(folders, func(f string) bool { return pkg == f || strings.HasPrefix(pkg, f+"/") })
}

// sources are all Go files of the module.
func sources(t *testing.T) []file {
	t.Helper()
	all, err := parsed()
	if err != nil || len(all) < 100 {
		t.Fatalf("cannot read the module: %d files, %v", len(all), err)
	}
	return all
}

var parsed = sync.OnceValues(func() (all []file, err error) {
	root := filepath.Join("..", "..")
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := d.Name(); d.IsDir() && path != root && (name == "testdata" || strings.HasPrefix(name, ".")) {
			return fs.SkipDir
		}
		if d.IsDir() || filepath.Ext(path) != ".go" {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), path, text, parser.ParseComments)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		all = append(all, file{filepath.ToSlash(rel), parsed, bytes.Count(text, []byte("\n"))})
		return err
	})
	return all, err
})

// holds fails for each place that breaks a rule and is not excepted, and for each
// exception that no place needs.
func holds(t *testing.T, rule string, broken []string, excepted map[string]string) {
	t.Helper()
	for _, place := range broken {
		if excepted[place] == "" {
			t.Errorf("%s: %s", place, rule)
		}
	}
	for place := range excepted {
		if !slices.Contains(broken, place) {
			t.Errorf("%s is excepted from %q and keeps it: remove the exception", place, rule)
		}
	}
}

func TestEachPackageHasAComment(t *testing.T) {
	comment := map[string]bool{}
	for _, f := range sources(t) {
		// An external test package belongs to the one that it tests.
		said := f.Doc.Text()
		begins := strings.HasPrefix(said, "Package "+f.Name.Name) || f.Name.Name == "main" && strings.HasPrefix(said, "Command ")
		comment[f.dir()] = comment[f.dir()] || begins
	}
	var without []string
	for dir, ok := range comment {
		if !ok {
			without = append(without, dir)
		}
	}
	holds(t, "the package has no comment that says what it is", without, nil)
}

// longest is how many lines a file may have.
const longest = 350

func TestFilesAreShort(t *testing.T) {
	var long []string
	for _, f := range sources(t) {
		if !f.isTest() && f.lines > longest {
			long = append(long, f.path)
		}
	}
	holds(t, fmt.Sprintf("the file has more than %d lines", longest), long, nil)
}

func TestSuitesDoNotSleep(t *testing.T) {
	var sleep []string
	for _, f := range sources(t) {
		if !f.isTest() && under(f.dir(), "suites") && f.calls("time", "Sleep") {
			sleep = append(sleep, f.path)
		}
	}
	holds(t, "suites wait for a condition and do not sleep", sleep, map[string]string{})
}

func TestProcessesAreStartedWhereTheyAreEnded(t *testing.T) {
	var start []string
	for _, f := range sources(t) {
		if !f.isTest() && !under(f.dir(), "internal/owner", "internal/source/tool") && f.calls("exec", "Command", "CommandContext") {
			start = append(start, f.dir())
		}
	}
	holds(t, "processes are started by internal/owner or internal/source/tool, which end them with the harness", start, map[string]string{
		"fixtures/l2/init":           "it runs in L2",
		"internal/agent":             "it runs in L1",
		"internal/agent/l1init":      "it runs in L1",
		"internal/capture/l1capture": "it runs in the root of an image, in a PID namespace of its own",
		"internal/host":              "mkfs.ext4 ends by itself, in milliseconds",
		"internal/run":               "git and go are asked, and waited for",
		"internal/realtest":          "the test waits for go",
		"ci/virtmatrix/tally":        "it runs the tests, in the foreground",
		"ci/bench":                   "plain tools do without our code",
	})
}

func TestImportsPointOneWay(t *testing.T) {
	// Who may import nothing of what follows, but what is excepted.
	rules := []struct {
		who, not string
		but      []string
	}{
		{who: "matrix", not: "", but: []string{"matrix/cover"}},
		{who: "matrix/cover", not: ""},
		{who: "internal", not: "suites"},
		{who: "internal", not: "reports"},
		{who: "internal", not: "ci"},
		{who: "fixtures", not: "suites"},
		{who: "fixtures", not: "reports"},
		{who: "fixtures", not: "ci"},
		{who: "reports", not: "suites"},
		{who: "reports", not: "fixtures"},
		{who: "reports", not: "ci"},
		{who: "suites", not: "reports"},
		{who: "suites", not: "ci"},
	}
	for _, f := range sources(t) {
		for _, r := range rules {
			in := under(f.dir(), r.who)
			if r.not == "" {
				in = f.dir() == r.who
			}
			for _, imported := range f.imports() {
				if in && !f.isTest() && (r.not == "" || under(imported, r.not)) && !slices.Contains(r.but, imported) {
					t.Errorf("%s imports %s, which %s may not", f.path, imported, r.who)
				}
			}
		}
	}
}
