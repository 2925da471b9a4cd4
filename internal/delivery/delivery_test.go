package delivery

import (
	"testing"

	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/matrix"
)

func content(name, version string, files ...string) source.Content {
	return source.Content{Package: matrix.Package{Name: name, Version: version}, Files: files}
}

func TestAFileOfTwoPackagesIsAClashUnlessOneSaysSo(t *testing.T) {
	a, b := content("a", "2", "/usr/bin/x", "/lib/y"), content("b", "1", "/bin/x", "/usr/lib/z")
	says := func(to func(*source.Content)) source.Content { c := a; to(&c); return c }
	for name, c := range map[string]struct {
		mine source.Content
		want int
	}{
		"nothing":               {a, 1},
		"replaces":              {says(func(c *source.Content) { c.Replaces = []string{"b (<< 2)"} }), 0},
		"replaces older ones":   {says(func(c *source.Content) { c.Replaces = []string{"b (<< 1)"} }), 1},
		"conflicts":             {says(func(c *source.Content) { c.Conflicts = []string{"b"} }), 0},
		"breaks":                {says(func(c *source.Content) { c.Breaks = []string{"b (<= 1)"} }), 0},
		"breaks something else": {says(func(c *source.Content) { c.Breaks = []string{"bb"} }), 1},
		"itself, another build": {content("b", "2", "/usr/bin/x"), 0},
		"another file":          {content("a", "2", "/usr/bin/w"), 0},
	} {
		got, err := Clashes([]source.Content{c.mine}, []source.Content{b})
		if err != nil || len(got) != c.want {
			t.Errorf("%s: %v, %v, want %d", name, got, err, c.want)
		}
	}
	if got, err := Clashes([]source.Content{a, b}, []source.Content{a, b}); err != nil || len(got) != 1 {
		t.Errorf("among themselves: %v, %v, want the one clash once", got, err)
	}
	a.Replaces = []string{"(("}
	if _, err := Clashes([]source.Content{a}, []source.Content{b}); err == nil {
		t.Error("a field that nobody can read is taken for one that says nothing")
	}
}

func TestWhatAPackageNeedsOrBansIsDeclared(t *testing.T) {
	mine := content("a", "2")
	mine.Depends, mine.Breaks = []string{"new (>= 2)"}, []string{"old (<< 3)"}
	moved := []matrix.Difference{
		{Name: "a", Now: mine.Package},
		{Name: "new", Now: matrix.Package{Name: "new", Version: "2"}},
		{Name: "old", Was: matrix.Package{Name: "old", Version: "1"}},
		{Name: "quiet", Was: matrix.Package{Name: "quiet", Version: "1"}, Now: matrix.Package{Name: "quiet", Version: "2"}},
	}
	got, err := Undeclared(moved, []source.Content{mine})
	if err != nil || len(got) != 1 || got[0].Name != "quiet" {
		t.Errorf("undeclared are %v, %v", got, err)
	}
}

func TestOnlyOlderVersionsGoBack(t *testing.T) {
	set := func(v string) matrix.PackageSet {
		return matrix.PackageSet{Packages: []matrix.Package{{Name: "a", Version: v, SHA256: v}}}
	}
	if got := Backwards(set("1:1"), set("2")); len(got) != 1 {
		t.Errorf("a lost epoch: %v", got)
	}
	if got := Backwards(set("2"), set("1:1")); got != nil {
		t.Errorf("a new epoch: %v", got)
	}
}

func TestAPackageThatAnotherReplacesIsSucceeded(t *testing.T) {
	by := content("new", "2")
	by.Replaces = []string{"old (<< 2)"}
	for version, want := range map[string]bool{"1": true, "2": false} {
		if got, err := Succeeded(matrix.Package{Name: "old", Version: version}, []source.Content{by}); err != nil || got != want {
			t.Errorf("old %s: %v, %v", version, got, err)
		}
	}
}

func TestRPMsSpeakInTheirOwnWords(t *testing.T) {
	rpm := func(name, version string, files ...string) source.Content {
		c := content(name, version, files...)
		c.Kind = "dnf"
		c.Provides = []string{"libapp.so.2()(64bit)", "config(" + name + ") = " + version}
		for range files {
			c.Digests = append(c.Digests, version)
		}
		return c
	}
	says := func(c source.Content, to func(*source.Content)) source.Content { to(&c); return c }
	a, b := rpm("a", "10:2-1", "/usr/bin/x"), rpm("b", "1-1", "/bin/x")
	for name, c := range map[string]struct {
		mine source.Content
		want int
	}{
		"nothing":                       {a, 1},
		"the same in it":                {rpm("a", "1-1", "/usr/bin/x"), 0},
		"conflicts by version":          {says(a, func(c *source.Content) { c.Conflicts = []string{"b < 2"} }), 0},
		"conflicts with another":        {says(a, func(c *source.Content) { c.Conflicts = []string{"b < 1"} }), 1},
		"conflicts with what b offers":  {says(a, func(c *source.Content) { c.Conflicts = []string{"libapp.so.2()(64bit)"} }), 0},
		"obsoletes":                     {says(a, func(c *source.Content) { c.Replaces = []string{"b <= 1-1"} }), 0},
		"a rich relation is about none": {says(a, func(c *source.Content) { c.Conflicts = []string{"(b if c)"} }), 1},
	} {
		got, err := Clashes([]source.Content{c.mine}, []source.Content{b})
		if err != nil || len(got) != c.want {
			t.Errorf("%s: %v, %v, want %d", name, got, err, c.want)
		}
	}
	needs := says(a, func(c *source.Content) {
		c.Depends = []string{"rpmlib(CompressedFileNames) <= 3.0.4-1", "/bin/sh", "new = 2:3"}
	})
	moved := []matrix.Difference{{Name: "new", Now: matrix.Package{Name: "new", Version: "2:3-5"}}, {Name: "quiet", Now: matrix.Package{Name: "quiet", Version: "1-1"}}}
	if got, err := Undeclared(moved, []source.Content{needs}); err != nil || len(got) != 1 || got[0].Name != "quiet" {
		t.Errorf("undeclared are %v, %v", got, err)
	}
}
