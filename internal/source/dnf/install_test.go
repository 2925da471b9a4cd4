package dnf

import (
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

// shell is a package with what scriptlets need: a busybox would do, and the machine's
// own shell is at hand.
func shell(t *testing.T) rpmrepo.Package {
	t.Helper()
	p := rpmrepo.Package{Name: "busybox", EVR: "1-1", Provides: []string{"/bin/sh"}}
	for name, mode := range map[string]uint{"/dev": 0o40755, "/usr": 0o40755, "/usr/bin": 0o40755, "/usr/sbin": 0o40755, "/usr/lib": 0o40755, "/usr/lib64": 0o40755, "/var": 0o40755} {
		p.Files = append(p.Files, rpmpack.RPMFile{Name: name, Mode: mode, Owner: "root", Group: "root"})
	}
	for name, to := range map[string]string{"/bin": "usr/bin", "/sbin": "usr/sbin", "/lib": "usr/lib", "/lib64": "usr/lib64"} {
		p.Files = append(p.Files, rpmpack.RPMFile{Name: name, Body: []byte(to), Mode: 0o120777, Owner: "root", Group: "root"})
	}
	for from, to := range map[string]string{"/bin/dash": "/usr/bin/sh", "/bin/mknod": "/usr/bin/mknod"} {
		text, err := os.ReadFile(from)
		if err != nil {
			t.Skip(err)
		}
		p.Files = append(p.Files, rpmpack.RPMFile{Name: to, Body: text, Mode: 0o100755, Owner: "root", Group: "root"})
	}
	for _, lib := range []string{"libc.so.6", "libselinux.so.1", "libpcre2-8.so.0"} {
		text, err := os.ReadFile("/lib/x86_64-linux-gnu/" + lib)
		if err != nil {
			t.Skip(err)
		}
		p.Files = append(p.Files, rpmpack.RPMFile{Name: "/usr/lib/" + lib, Body: text, Mode: 0o100755, Owner: "root", Group: "root"})
	}
	loader, err := os.ReadFile("/lib64/ld-linux-x86-64.so.2")
	if err != nil {
		t.Skip(err)
	}
	p.Files = append(p.Files, rpmpack.RPMFile{Name: "/usr/lib64/ld-linux-x86-64.so.2", Body: loader, Mode: 0o100755, Owner: "root", Group: "root"})
	return p
}

// installed installs a package with these scriptlets into a root.
func installed(t *testing.T, p rpmrepo.Package) (root string, s *Source, err error) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can install")
	}
	m := newMirror(t)
	m.add(t, shell(t))
	p.Requires = append(p.Requires, "/bin/sh")
	m.add(t, p)
	m.publish(t)
	s = sourceOf(t, m.repository(matrix.TrustBoth))
	set := fetched(t, s, p.Name)
	root = filepath.Join(t.TempDir(), "root")
	return root, s, s.Install(t.Context(), set, root)
}

func TestARootHasExactlyTheSet(t *testing.T) {
	t.Parallel()
	root, s, err := installed(t, rpmrepo.Package{Name: "daemon", EVR: "1:2-3",
		Files: []rpmpack.RPMFile{rpmrepo.File("/etc/daemon.conf", "x")},
		// Without a /dev, this would make a file. And there is no network.
		Post: "echo said >/dev/null; while read line; do case $line in *eth*) exit 1;; esac; done </proc/net/dev; echo ran >/etc/post"})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"etc/daemon.conf": "x", "etc/post": "ran\n"} {
		if got, err := os.ReadFile(filepath.Join(root, name)); err != nil || string(got) != want {
			t.Errorf("%s is %q, %v; want %q", name, got, err, want)
		}
	}
	for _, empty := range []string{"dev", "proc", "root"} {
		if left, err := os.ReadDir(filepath.Join(root, empty)); err == nil && len(left) > 0 {
			t.Errorf("/%s is not empty: %v", empty, left)
		}
	}
	if _, err := os.Stat(filepath.Join(root, "var/lib/rpm/rpmdb.sqlite")); err != nil {
		t.Error("the root's own database is not there:", err)
	}
	set := resolve(t, s, "daemon")
	if err := checkInstalled(t.Context(), s, set, root); err != nil {
		t.Error(err)
	}
	// A package that is missing, or another build of it, is seen.
	set.Packages = set.Packages[:1]
	if err := checkInstalled(t.Context(), s, set, root); err == nil || !strings.Contains(err.Error(), `not asked for ["daemon 1:2-3`) {
		t.Errorf("got %v, want that daemon was not asked for", err)
	}
}

func TestAScriptletThatFailsIsThePackagesFault(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]rpmrepo.Package{
		// rpm ends well: it is a warning to it.
		"%post(bad-1-1.x86_64) scriptlet failed":      {Name: "bad", EVR: "1-1", Post: "echo on the way; exit 7"},
		"%posttrans(bad-1-1.x86_64) scriptlet failed": {Name: "bad", EVR: "1-1", Posttrans: "echo on the way; exit 7"},
		"%prein(bad-1-1.x86_64) scriptlet failed":     {Name: "bad", EVR: "1-1", Pre: "echo on the way; exit 7"},
		"exit status 127":                             {Name: "bad", EVR: "1-1", Post: "echo on the way; no-such-program"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, s, err := installed(t, p)
			wantKind(t, err, source.BadScriptlet, name, "on the way", "the fault is the package's")
			if logs, err := filepath.Glob(filepath.Join(s.opts.Home, "logs", "install-el-*.log")); err != nil || len(logs) != 1 {
				t.Errorf("there are logs %q, %v", logs, err)
			}
		})
	}
}

func TestAnUnpackedTreeIsMergedAndNothingRan(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can unpack")
	}
	m := newMirror(t)
	m.add(t, rpmrepo.Package{Name: "kernel", EVR: "1-1", Post: "exit 1", Files: []rpmpack.RPMFile{rpmrepo.File("/boot/config-1", "CONFIG_X=y"), rpmrepo.File("/lib/modules/1/a.ko", "a")}})
	m.publish(t)
	s := sourceOf(t, m.repository(matrix.TrustBoth))
	set := fetched(t, s, "app", "kernel")
	dir := filepath.Join(t.TempDir(), "tree")
	if err := s.Unpack(t.Context(), set, dir); err != nil {
		t.Fatal(err)
	}
	var got []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if !d.IsDir() {
			got = append(got, strings.TrimPrefix(path, dir))
		}
		return err
	})
	want := []string{"/bin", "/boot/config-1", "/lib", "/lib64", "/sbin", "/usr/bin/app", "/usr/lib/modules/1/a.ko", "/usr/lib64/libapp.so"}
	if d := cmp.Diff(want, got); err != nil || d != "" {
		t.Error(err, d)
	}
	for _, p := range set.Packages {
		text, err := Text(t.Context(), s.opts.Home, p, "./boot/config-*")
		if want := map[string]string{"kernel": "CONFIG_X=y"}[p.Name]; err != nil || string(text) != want {
			t.Errorf("the configuration in %s is %q, %v", p.Name, text, err)
		}
	}
}

func TestAPackageThatWasChangedInTheCacheIsRefused(t *testing.T) {
	t.Parallel()
	m := newMirror(t)
	s := sourceOf(t, m.repository(matrix.TrustBoth))
	set := fetched(t, s, "other")
	path := s.files.Path(set.Packages[0])
	if err := os.WriteFile(path, []byte("something else"), 0o644); err != nil {
		t.Fatal(err)
	}
	wantKind(t, s.Fetch(t.Context(), set, nil), source.BadDigest, path, "remove the file")
	wantKind(t, s.Install(t.Context(), set, filepath.Join(t.TempDir(), "root")), source.BadDigest, path)
}
