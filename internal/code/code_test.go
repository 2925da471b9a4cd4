package code

import (
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// files are a module: two kinds of checks, what both are made of, what they import
// of it, and something else.
var files = map[string]string{
	"go.mod":              "module example.org/m\n\ngo 1.26\n",
	"go.sum":              "",
	"out/out.go":          "package out\n\nimport _ \"example.org/m/base\"\n",
	"out/out_test.go":     "package out\n",
	"in/in.go":            "package in\n\nimport _ \"example.org/m/base\"\n",
	"in/in_arm64.go":      "package in\n",
	"base/base.go":        "package base\n\nimport (\n\t_ \"embed\"\n\t_ \"example.org/m/deep\"\n)\n\n//go:embed allow.yaml data.yaml\nvar _ string\n",
	"base/allow.yaml":     "allow\n",
	"base/data.yaml":      "data\n",
	"deep/deep.go":        "package deep\n",
	"suite/suite_test.go": "package suite\n",
	"other/other.go":      "package other\n",
}

func writeModule(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		write(t, root, name, text)
	}
	return root
}

func write(t *testing.T, root, name, text string) {
	t.Helper()
	path := filepath.Join(root, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, root string) *Tree {
	t.Helper()
	tree, err := Read(t.Context(), Options{Root: root, Tags: "some", Packages: []string{"./suite", "./out", "./in"}, Ignore: []string{"base/d*.yaml"}})
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// versions are those of the two kinds of checks.
func versions(t *testing.T, tree *Tree) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, p := range []string{"out", "in"} {
		v, err := tree.Version("example.org/m/suite", "example.org/m/"+p)
		if err != nil {
			t.Fatal(err)
		}
		all[p] = v
	}
	return all
}

func TestAChangeCountsForWhatIsBuiltOfIt(t *testing.T) {
	root := writeModule(t)
	before := versions(t, read(t, root))
	for name, want := range map[string]string{
		"out/out.go": "out", "in/in.go": "in", "out/new.go": "out",
		"in/in_arm64.go": "in", "out/new.s": "out", // whether it is built is not for us to tell
		"base/base.go": "in out", "base/allow.yaml": "in out", "deep/deep.go": "in out", "suite/suite_test.go": "in out", "go.mod": "in out",
		"base/data.yaml": "", "out/out_test.go": "", "other/other.go": "", "other/new.go": "",
	} {
		text, ok := files[name]
		if !ok {
			text = "package " + filepath.Dir(name) + "\n"
		}
		if strings.HasSuffix(name, ".s") {
			text = ""
		}
		write(t, root, name, text+"// more\n")
		after := versions(t, read(t, root))
		var changed []string
		for _, p := range []string{"in", "out"} {
			if before[p] != after[p] {
				changed = append(changed, p)
			}
		}
		if got := strings.Join(changed, " "); got != want {
			t.Errorf("a change of %s counts for %q, want %q", name, got, want)
		}
		before = after
	}
}

func TestWhatCompilesCounts(t *testing.T) {
	t.Setenv("GOFLAGS", "")
	root := writeModule(t)
	before := versions(t, read(t, root))
	for name, value := range map[string]string{"GOAMD64": "v3", "GOFLAGS": "-gcflags=-N", "CGO_CFLAGS": "-O0"} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(name, value)
			if after := versions(t, read(t, root)); after["out"] == before["out"] {
				t.Errorf("%s=%s does not count", name, value)
			}
		})
	}
}

func TestAChangeToAndFroIsSeen(t *testing.T) {
	root := writeModule(t)
	first := read(t, root)
	again, err := Read(t.Context(), Options{Root: root, Tags: "some", Packages: []string{"./in", "./out", "./suite"}, Ignore: []string{"base/d*.yaml"}})
	if err != nil || again.State() != first.State() {
		t.Errorf("two readings of the same code have different states, %v", err)
	}
	for name, toAndFro := range map[string]func() error{
		"a file is changed": func() error { return rewritten(root, "deep/deep.go", "package deep // changed\n") },
		"go.mod is changed": func() error { return rewritten(root, "go.mod", "module example.org/m\n\ngo 1.25\n") },
		"a file is added": func() error {
			added := filepath.Join(root, "deep/more.go")
			return errors.Join(os.WriteFile(added, []byte("package deep\n"), 0o644), os.Remove(added))
		},
	} {
		before := read(t, root)
		if err := toAndFro(); err != nil {
			t.Fatal(err)
		}
		after := read(t, root)
		if !maps.Equal(versions(t, first), versions(t, after)) {
			t.Errorf("%s to and fro: the same code has different versions", name)
		}
		if before.State() == after.State() {
			t.Errorf("%s to and fro: what was built in between may be of other code, and the state is the same", name)
		}
	}
}

// rewritten gives a file another text and then its own again, with the time that
// it had.
func rewritten(root, name, text string) error {
	path := filepath.Join(root, name)
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(path, []byte(text), 0o644),
		os.WriteFile(path, []byte(files[name]), 0o644),
		os.Chtimes(path, time.Now(), info.ModTime()),
	)
}

func TestBuildingTouchesNothing(t *testing.T) {
	root := writeModule(t)
	before := read(t, root)
	write(t, root, "runs/log", "of a run\n")
	cmd := exec.Command("go", "test", "-c", "-o", filepath.Join(t.TempDir(), "suite.test"), "./suite")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if read(t, root).State() != before.State() {
		t.Error("the state is another after a build: no answer would be kept")
	}
}

func TestCodeThatCannotBeReadHasNoVersion(t *testing.T) {
	root := writeModule(t)
	tree := read(t, root)
	if _, err := tree.Version("example.org/m/ouch"); err == nil || !strings.Contains(err.Error(), `did you mean "example.org/m/out"?`) {
		t.Errorf("Version of no package: %v", err)
	}
	write(t, root, "deep/deep.go", "package deep\n\nimport _ \"example.org/m/gone\"\n")
	if _, err := Read(t.Context(), Options{Root: root, Packages: []string{"./out"}}); err == nil || !strings.Contains(err.Error(), "example.org/m/gone") {
		t.Errorf("Read of broken code: %v", err)
	}
	if _, err := Read(t.Context(), Options{Root: t.TempDir(), Packages: []string{"./out"}}); err == nil {
		t.Error("Read of no module did not fail")
	}
}
