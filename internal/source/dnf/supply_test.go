package dnf

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/rpmpack"

	"github.com/virtmatrix/virtmatrix/internal/rpmrepo"
	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// A root of two packages is to have a newer one of one of them: what it lacks is there as a
// repository, what it has as another, and dnf of the root's own release beside them.
func TestASupplyHasBothVersionsAndTheRootsOwnManager(t *testing.T) {
	t.Parallel()
	m, next := newMirror(t), newMirror(t)
	m.add(t, rpmrepo.Package{Name: "dnf", EVR: "4-1", Requires: []string{"python"}, Files: []rpmpack.RPMFile{rpmrepo.File("/usr/bin/dnf", "x")}})
	m.add(t, rpmrepo.Package{Name: "python", EVR: "3-1", Files: []rpmpack.RPMFile{rpmrepo.File("/usr/bin/python", "x")}})
	m.add(t, rpmrepo.Package{Name: "tool", EVR: "10:1-1", Files: []rpmpack.RPMFile{rpmrepo.File("/usr/bin/tool", "x")}})
	next.add(t, rpmrepo.Package{Name: "tool", EVR: "10:2-1", Files: []rpmpack.RPMFile{rpmrepo.File("/usr/bin/tool", "x")}})
	m.publish(t)
	next.publish(t)
	testing := next.repository(matrix.TrustBoth)
	testing.Name = "testing"
	s, err := New(Options{Home: t.TempDir(), Releases: []source.Release{
		{Name: "el", Repositories: []matrix.Repository{m.repository(matrix.TrustBoth)}},
		{Name: "next", Repositories: []matrix.Repository{testing}, Parents: []matrix.Repository{m.repository(matrix.TrustBoth)}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	now, err := s.Resolve(t.Context(), source.Request{Release: "next", Names: []string{"tool"}})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	sup := source.Supply{From: fetched(t, s, "tool"), To: now, Parts: map[string]source.Part{"part": {Had: []string{"tool"}, Wanted: []string{"tool"}}}}
	if err := s.Supply(t.Context(), sup, dir); err != nil {
		t.Fatal(err)
	}
	var files []string
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if name := strings.TrimPrefix(path, dir+"/"); err == nil && e.Type().IsRegular() && !strings.Contains(name, "repodata/") {
			files = append(files, name)
		}
		return err
	})
	want := []string{"audit", "former/tool-10_1-1.x86_64.rpm", "list", "manager", "manager.d/dnf-4-1.x86_64.rpm", "manager.d/python-3-1.x86_64.rpm",
		"manager.tree/usr/bin/dnf", "manager.tree/usr/bin/python", "move", "offered/tool-10_2-1.x86_64.rpm", "part", "repair", "trap", "undo"}
	if diff := cmp.Diff(want, files); err != nil || diff != "" {
		t.Errorf("%v; (-want +got):\n%s", err, diff)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "part")); err != nil || string(text) != "tool-10:2-1.x86_64\n" {
		t.Errorf("the part wants %q, %v", text, err)
	}
}
