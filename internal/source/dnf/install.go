package dnf

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/internal/source/cache"
	"github.com/virtmatrix/virtmatrix/internal/source/tool"
	"github.com/virtmatrix/virtmatrix/internal/source/tree"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// installer runs rpm on a root in namespaces of its own. Without /dev, scriptlets would
// make a file of /dev/null; they have no network; and what one leaves running ends with
// the namespace.
const installer = `set -e
root=$1; shift
mkdir -p "$root/dev" "$root/proc"
mount -t tmpfs -o mode=755 dev "$root/dev"
for d in null zero full random urandom; do : >"$root/dev/$d"; mount --bind "/dev/$d" "$root/dev/$d"; done
mount -t proc proc "$root/proc"
exec rpm --root "$root" --upgrade --noplugins --excludedocs "$@"`

// Install makes root a file system in which exactly the set is installed: rpm is given
// its files and nothing else, orders them itself and refuses what is not closed.
func (s *Source) Install(ctx context.Context, set matrix.PackageSet, root string) error {
	const op = "install packages"
	if _, err := s.release(set.Release); err != nil {
		return err
	}
	if err := s.files.Ready(set, op); err != nil {
		return err
	}
	if err := tree.Empty(root); err != nil {
		return fmt.Errorf("cannot install packages of %s: %w", set.Release, err)
	}
	said, err := s.runRPM(ctx, set, root)
	if err == nil {
		err = checkInstalled(ctx, s, set, root)
	}
	// A scriptlet that fails before its package is unpacked leaves that out; one that
	// fails afterwards is a warning, and rpm ends well.
	kind, cure := source.Failed, ""
	if failed := scriptlets(said); len(failed) > 0 {
		kind, cure = source.BadScriptlet, "the fault is the package's, or of what it does not say it needs"
		err = fmt.Errorf("%s: %s", strings.Join(failed, ", "), strings.TrimSpace(said))
	}
	if err == nil {
		err = tree.CheckMerged(root)
	}
	if err != nil {
		return s.fail(kind, op, set.Release, cure, s.keepLog(set, said, err))
	}
	return nil
}

// Unpack extracts a fetched set into dir, merged-/usr.
func (s *Source) Unpack(ctx context.Context, set matrix.PackageSet, dir string) error {
	const op = "unpack packages"
	if err := s.files.Ready(set, op); err != nil {
		return err
	}
	if err := tree.Merged(dir); err != nil {
		return fmt.Errorf("cannot unpack packages of %s: %w", set.Release, err)
	}
	_, err := s.runRPM(ctx, set, dir, "--nodeps", "--noscripts", "--notriggers", "--replacefiles")
	if err == nil {
		err = tree.CheckMerged(dir)
	}
	for _, made := range []string{"var/lib/rpm", "var/lib", "var", "dev", "proc"} {
		path := filepath.Join(dir, made)
		if made == "var/lib/rpm" {
			err = errors.Join(err, os.RemoveAll(path))
		} else if left, _ := os.ReadDir(path); len(left) == 0 {
			err = errors.Join(err, os.RemoveAll(path))
		}
	}
	if err != nil {
		return s.fail(source.Failed, op, set.Release, "", err)
	}
	return nil
}

// runRPM has rpm put the files of a set into a root and returns what it said.
func (s *Source) runRPM(ctx context.Context, set matrix.PackageSet, root string, options ...string) (string, error) {
	scratch, err := os.MkdirTemp(filepath.Dir(root), "rpm-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(scratch)
	manifest := filepath.Join(scratch, "manifest")
	if err := errors.Join(home(scratch, "/var/lib/rpm"), os.WriteFile(manifest, []byte(strings.Join(s.paths(set), "\n")+"\n"), 0o644)); err != nil {
		return "", err
	}
	var said bytes.Buffer
	// Signatures were verified before the files entered the cache, and digests just now.
	argv := slices.Concat([]string{"unshare", "--net", "sh", "-c", installer, "rpm", root, "--nosignature"}, options, []string{manifest})
	_, _, err = tool.Run(ctx, tool.Command{
		Argv: argv, Isolated: true, Log: &said,
		Env: []string{"HOME=" + scratch, "TMPDIR=" + scratch, "PATH=/usr/sbin:/usr/bin:/sbin:/bin"},
	})
	return strings.ReplaceAll(said.String(), noise, ""), err
}

// noise is what Debian's rpm says to everybody.
const noise = "rpm: RPM should not be used directly install RPM packages, use Alien instead!\nrpm: However assuming you know what you are doing...\n"

func (s *Source) paths(set matrix.PackageSet) (paths []string) {
	for _, p := range set.Packages {
		paths = append(paths, s.files.Path(p))
	}
	return paths
}

// scriptlets are rpm's words about those that failed.
func scriptlets(said string) (failed []string) {
	for line := range strings.Lines(said) {
		if strings.Contains(line, "scriptlet failed") {
			failed = append(failed, strings.TrimSpace(line))
		}
	}
	return failed
}

// keepLog keeps what a failed installation said, and names the file.
func (s *Source) keepLog(set matrix.PackageSet, said string, err error) error {
	logs := filepath.Join(s.opts.Home, "logs")
	file := filepath.Join(logs, fmt.Sprintf("install-%s-%.12s.log", set.Release, set.Key()))
	if errors.Join(os.MkdirAll(logs, 0o755), os.WriteFile(file, []byte(said), 0o644)) != nil {
		return err
	}
	return fmt.Errorf("%w (log: %s)", err, file)
}

// headerDigest names a package by what is in it. Packages of old have no SHA-256.
const headerDigest = "%{NAME} %{EVR} %{ARCH} %{SHA1HEADER} %{SHA256HEADER}\n"

// checkInstalled compares what rpm says is installed in root with the set's files.
func checkInstalled(ctx context.Context, s *Source, set matrix.PackageSet, root string) error {
	got, err := s.queryHeaders(ctx, "/var/lib/rpm", "--root", root, "--all")
	if err != nil {
		return fmt.Errorf("cannot list what is installed: %w", err)
	}
	want, err := s.headers(ctx, set)
	if err != nil {
		return err
	}
	return compareInstalled(want, got)
}

func compareInstalled(want, got []string) error {
	if slices.Equal(want, got) {
		return nil
	}
	return fmt.Errorf("what is installed is not what was resolved: missing %q, not asked for %q", less(want, got), less(got, want))
}

// headers names the packages of a set by what is in them, as headerDigest does.
func (s *Source) headers(ctx context.Context, set matrix.PackageSet) ([]string, error) {
	want, err := s.queryHeaders(ctx, "", append([]string{"--package"}, s.paths(set)...)...)
	if err != nil {
		return nil, fmt.Errorf("cannot read the set's packages: %w", err)
	}
	return want, nil
}

func (s *Source) queryHeaders(ctx context.Context, database string, argv ...string) ([]string, error) {
	out, err := s.queryOf(ctx, database, headerDigest, argv...)
	return sortedHeaders(out), err
}

// sortedHeaders are the lines but those of keys, which are packages to rpm.
func sortedHeaders(text string) []string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	slices.Sort(lines)
	return slices.DeleteFunc(lines, func(l string) bool { return strings.HasPrefix(l, "gpg-pubkey ") })
}

// queryOf asks rpm about packages.
func (s *Source) queryOf(ctx context.Context, database, format string, packages ...string) (string, error) {
	return s.alone(ctx, database, append([]string{"rpm", "--query", "--nosignature", "--queryformat", format}, packages...)...)
}

// alone runs a program of rpm's with nothing of the user's settings. Without a database it
// is given an empty one.
func (s *Source) alone(ctx context.Context, database string, argv ...string) (string, error) {
	scratch, err := cache.Scratch(s.opts.Home, "rpm")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(scratch)
	if err := home(scratch, cmp.Or(database, scratch)); err != nil {
		return "", err
	}
	out, _, err := tool.Run(ctx, tool.Command{Argv: argv, Env: []string{"HOME=" + scratch}})
	return string(out), err
}

// query asks rpm about a package file in the cache.
func (s *Source) query(ctx context.Context, p matrix.Package, format string) (string, error) {
	return s.queryOf(ctx, "", format, "--package", s.files.Path(p))
}

// less returns what is in a and not in b.
func less(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return slices.Contains(b, s) })
}

// Text returns the files of a cached package whose paths match one of tar's wildcards,
// one after another; nothing when it has none.
func Text(ctx context.Context, home string, p matrix.Package, wildcards ...string) ([]byte, error) {
	file := packageFiles(home).Path(p)
	if _, err := os.Stat(file); err != nil {
		return nil, fmt.Errorf("cannot read package %s: %w", p.Name, err)
	}
	const script = `file=$1; shift; rpm2archive --nocompression - <"$file" | { tar --extract --to-stdout --wildcards "$@" 2>/dev/null || true; }`
	out, _, err := tool.Run(ctx, tool.Command{Argv: append([]string{"sh", "-c", script, "sh", file}, wildcards...)})
	return out, err
}
