package apt

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestARootForgetsWhereItsPackagesCameFrom(t *testing.T) {
	root := t.TempDir()
	for _, name := range []string{"etc/apt/sources.list", "etc/dpkg/dpkg.cfg.d/99mmdebstrap", "etc/dpkg/dpkg.cfg", "var/cache/apt/x.deb", "var/cache/debconf/db", "var/lib/apt/lists/x"} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := forgetMirror(root); err != nil {
		t.Fatal(err)
	}
	var left []string
	err := filepath.WalkDir(root, func(path string, _ os.DirEntry, err error) error {
		left = append(left, strings.TrimPrefix(path, root))
		return err
	})
	want := []string{
		"", "/etc", "/etc/apt", "/etc/dpkg", "/etc/dpkg/dpkg.cfg", "/etc/dpkg/dpkg.cfg.d",
		"/var", "/var/cache", "/var/cache/apt", "/var/lib", "/var/lib/apt",
	}
	if err != nil || !cmp.Equal(want, left) {
		t.Errorf("%v; %s", err, cmp.Diff(want, left))
	}
}
