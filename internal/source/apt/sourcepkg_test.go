package apt

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/virtmatrix/virtmatrix/internal/source"
)

func TestASourcePackageIsFetchedAsPackagesAre(t *testing.T) {
	a := newArchive(t)
	want := map[string]string{"app_1.0.orig.tar.xz": "the source", "app_1.0-1+deb1.dsc": "its description"}
	a.addSource(t, "app", "1:1.0-1+deb1", want)
	a.publish(t)
	s := a.source(t, nil)
	set, err := s.SourcePackage(t.Context(), "test", "app", "1:1.0-1+deb1")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Fetch(t.Context(), set, nil); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := s.Lay(set, dir); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, p := range set.Packages {
		got[p.Name] = string(read(t, filepath.Join(dir, p.Name)))
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	// The lists of packages are what they were.
	if err := os.RemoveAll(filepath.Join(a.dir, "pool")); err != nil {
		t.Fatal(err)
	}
	resolve(t, s)
}

func TestASourcePackageThatCannotBeHadIsNamed(t *testing.T) {
	a := newArchive(t)
	a.addSource(t, "app", "1.0-1", map[string]string{"app_1.0-1.dsc": "text"})
	a.publish(t)
	s := a.source(t, nil)
	_, err := s.SourcePackage(t.Context(), "test", "app", "2.0-1")
	wantKind(t, err, source.NoSuchPackage, "app")
	_, err = s.SourcePackage(t.Context(), "test", "nothing", "2.0-1")
	wantKind(t, err, source.NoSuchPackage, "nothing")
	set, err := s.SourcePackage(t.Context(), "test", "app", "1.0-1")
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(a.dir, "pool", a.suite, "app_1.0-1.dsc"), "evil")
	wantKind(t, s.Fetch(t.Context(), set, nil), source.BadDigest)
	if err := s.Lay(set, t.TempDir()); err == nil {
		t.Error("files that are not there were laid out")
	}
}
