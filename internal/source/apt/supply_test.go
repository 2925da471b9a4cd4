package apt

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// A root of two packages is to have a newer one of one of them: what it lacks is there as a
// repository, and apt of the root's own release beside it.
func TestASupplyHasWhatTheRootLacksAndTheRootsOwnManager(t *testing.T) {
	a := newArchive(t)
	a.add(t, "apt", "2.6", "Depends: libapt", "usr/bin/apt-get")
	a.add(t, "libapt", "2.6", "", "usr/lib/libapt.so")
	a.publish(t)
	a.suite = "next"
	a.add(t, "app", "1:2.0-1", "Depends: libapp (>= 2.0)", "usr/bin/app")
	a.publish(t)
	s := a.source(t, func(o *Options) {
		o.Releases = append(o.Releases, source.Release{Name: "next", Repositories: suites("next"), Parents: suites("stable")})
	})
	set := func(release string) matrix.PackageSet {
		found, err := s.Resolve(t.Context(), source.Request{Release: release, Names: []string{"app"}})
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	was, dir := set("test"), t.TempDir()
	sup := source.Supply{From: was, To: set("next"), Parts: map[string]source.Part{"part": {Had: []string{"app", "dropped"}, Wanted: []string{"app"}}}}
	if err := s.Supply(t.Context(), sup, dir); err != nil {
		t.Fatal(err)
	}
	var files []string
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if !e.IsDir() {
			files = append(files, strings.TrimPrefix(path, dir+"/"))
		}
		return err
	})
	want := []string{"Packages", "Release", "app_amd64.deb", "apt/apt.deb", "apt/libapt.deb", "audit", "before", "changed", "dpkg-trap",
		"former/Packages", "former/Release", "former/app_amd64.deb", "list", "manager", "move", "part", "repair", "trap", "undo"}
	if diff := cmp.Diff(want, files); err != nil || diff != "" {
		t.Errorf("%v; (-want +got):\n%s", err, diff)
	}
	if text := string(read(t, filepath.Join(dir, "part"))); text != "app=1:2.0-1\n" {
		t.Errorf("the part wants %q", text)
	}
	if info, err := os.Lstat(filepath.Join(dir, "app_amd64.deb")); err != nil || !info.Mode().IsRegular() {
		t.Errorf("a package is no file that a container sees: %v, %v", info, err)
	}
}
