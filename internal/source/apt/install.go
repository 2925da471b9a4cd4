package apt

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/internal/source/tool"
	"github.com/virtmatrix/virtmatrix/internal/source/tree"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// mergeHook makes the root merged-/usr from the start, as Debian's own
// installer does also where the packages alone would not (up to bookworm).
const mergeHook = `for d in bin sbin lib lib64; do mkdir -p "$1/usr/$d"; ln -s "usr/$d" "$1/$d"; done`

// dpkgOptions leave out documentation and translations: nothing of it is
// executed or read by a product. Licence texts stay. What is written is flushed
// as a whole when the image is stored, and not file by file.
var dpkgOptions = []string{
	"force-unsafe-io",
	"path-exclude=/usr/share/man/*",
	"path-exclude=/usr/share/info/*",
	"path-exclude=/usr/share/locale/*",
	"path-exclude=/usr/share/doc/*",
	"path-include=/usr/share/doc/*/copyright",
	"path-exclude=/usr/share/gtk-doc/*",
	"path-exclude=/usr/share/lintian/*",
}

// Install makes root a file system in which exactly the set is installed. The
// packages come from a local repository made of the verified files, so that
// the mirror may move on between resolving and installing.
func (s *Source) Install(ctx context.Context, set matrix.PackageSet, root string) error {
	const op = "install packages"
	r, err := s.release(set.Release)
	if err != nil {
		return err
	}
	if err := s.files.Ready(set, op); err != nil {
		return err
	}
	if err := tree.Empty(root); err != nil {
		return fmt.Errorf("cannot install packages of %s: %w", set.Release, err)
	}
	repo, err := os.MkdirTemp(filepath.Dir(root), "repository-")
	if err != nil {
		return s.fail(source.Failed, op, set.Release, "", err)
	}
	defer os.RemoveAll(repo)
	if err := s.makeRepository(ctx, set, r.Repositories[0].Name, repo, os.Symlink); err != nil {
		return s.fail(source.Failed, op, set.Release, "", err)
	}
	if err := s.bootstrap(ctx, r, set, repo, root); err != nil {
		return s.fail(source.Failed, op, set.Release, "", err)
	}
	if err := checkInstalled(ctx, set, root); err != nil {
		return s.fail(source.Failed, op, set.Release, "", err)
	}
	if err := tree.CheckMerged(root); err != nil {
		return s.fail(source.Failed, op, set.Release, "", err)
	}
	if err := forgetMirror(root); err != nil {
		return s.fail(source.Failed, op, set.Release, "", err)
	}
	return nil
}

// forgetMirror removes what the installation leaves in a root of how the packages
// came there.
func forgetMirror(root string) error {
	var err error
	for _, name := range []string{"etc/apt/sources.list", "etc/dpkg/dpkg.cfg.d/99mmdebstrap", "var/cache/debconf", "var/cache/apt", "var/lib/apt"} {
		err = errors.Join(err, os.RemoveAll(filepath.Join(root, name)))
	}
	for _, kept := range []string{"var/cache/apt", "var/lib/apt"} {
		// The umask applies to Mkdir, and not to Chmod.
		err = errors.Join(err, os.Mkdir(filepath.Join(root, kept), 0o755), os.Chmod(filepath.Join(root, kept), 0o755))
	}
	return err
}

// makeRepository makes dir a flat repository of links to the set's files. mmdebstrap takes
// what is essential from the suite that it is told alone.
func (s *Source) makeRepository(ctx context.Context, set matrix.PackageSet, suite, dir string, link func(file, name string) error) error {
	var index bytes.Buffer
	for _, p := range set.Packages {
		// dpkg-deb unpacks the control files to read one: into our folder, which
		// is removed when a kill leaves it behind.
		control, _, err := tool.Run(ctx, tool.Command{Argv: []string{"dpkg-deb", "--field", s.files.Path(p)}, Env: []string{"TMPDIR=" + dir}})
		if err != nil {
			return fmt.Errorf("cannot read package %s: %w", p.Name, err)
		}
		name := fmt.Sprintf("%s_%s.deb", p.Name, p.Arch)
		if err := link(s.files.Path(p), filepath.Join(dir, name)); err != nil {
			return err
		}
		fmt.Fprintf(&index, "%s\nFilename: ./%s\nSize: %d\nSHA256: %s\n\n", bytes.TrimSpace(unsized.ReplaceAll(control, nil)), name, p.Size, p.SHA256)
	}
	if err := os.WriteFile(filepath.Join(dir, "Packages"), index.Bytes(), 0o644); err != nil {
		return err
	}
	sum := sha256.Sum256(index.Bytes())
	text := fmt.Sprintf("Origin: %[1]s\nSuite: %[2]s\nCodename: %[2]s\nSHA256:\n %[3]x %[4]d Packages\n", origin, suite, sum, index.Len())
	return os.WriteFile(filepath.Join(dir, "Release"), []byte(text), 0o644)
}

// unsized is the field of a package that our repositories leave out. apt takes two files of
// one version for the same where dependencies and sizes are the same (VersionHash in
// apt-pkg/deb/deblistparser.cc), and then serves either of them; a rebuild is another one.
var unsized = regexp.MustCompile(`(?m)^Installed-Size:.*\n?`)

// bootstrap installs every package of the repository into root. The log of a
// failure is kept and named.
func (s *Source) bootstrap(ctx context.Context, r source.Release, set matrix.PackageSet, repo, root string) error {
	logs := filepath.Join(s.opts.Home, "logs")
	if err := os.MkdirAll(logs, 0o755); err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(logs, fmt.Sprintf("install-%s-%.12s.log", set.Release, set.Key())))
	if err != nil {
		return err
	}
	defer log.Close()
	names := make([]string, len(set.Packages))
	for i, p := range set.Packages {
		names[i] = p.Name
	}
	argv := []string{
		"mmdebstrap", "--mode=root", "--format=directory", "--variant=essential", "--architectures=" + arch,
		"--setup-hook=" + mergeHook, "--include=" + strings.Join(names, ","),
	}
	for _, o := range dpkgOptions {
		argv = append(argv, "--dpkgopt="+o)
	}
	argv = append(argv, r.Repositories[0].Name, root, "deb [trusted=yes] copy://"+repo+" ./")
	_, _, err = tool.Run(ctx, tool.Command{
		Argv: argv, Log: log, Isolated: true,
		// Its own temporary files are ours to clean up.
		Env: []string{"TMPDIR=" + repo},
	})
	if err != nil {
		return fmt.Errorf("%w (log: %s)", err, log.Name())
	}
	return os.Remove(log.Name())
}

// checkInstalled compares what dpkg says is installed in root with the set.
func checkInstalled(ctx context.Context, set matrix.PackageSet, root string) error {
	out, _, err := tool.Run(ctx, tool.Command{Argv: []string{
		"dpkg-query", "--admindir=" + filepath.Join(root, "var/lib/dpkg"),
		"--show", "--showformat=${Package} ${Version} ${Architecture} ${db:Status-Abbrev}\n",
	}})
	if err != nil {
		return fmt.Errorf("cannot list what is installed: %w", err)
	}
	return compareInstalled(set, string(out))
}

// compareInstalled compares lines of "package version architecture status" with a set.
func compareInstalled(set matrix.PackageSet, out string) error {
	var want []string
	for _, p := range set.Packages {
		want = append(want, fmt.Sprintf("%s %s %s ii", p.Name, p.Version, p.Arch))
	}
	got := strings.Split(strings.TrimSpace(out), "\n")
	for i := range got {
		got[i] = strings.TrimSpace(got[i])
	}
	slices.Sort(want)
	slices.Sort(got)
	if slices.Equal(want, got) {
		return nil
	}
	return fmt.Errorf("what is installed is not what was resolved: missing %q, not asked for %q", less(want, got), less(got, want))
}

// less returns what is in a and not in b.
func less(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return slices.Contains(b, s) })
}
