package apt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/internal/source/tool"
	"github.com/virtmatrix/virtmatrix/internal/store/disk"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// batchBytes bounds one call of apt's downloader, so that progress is seen and
// a killed run keeps most of what it got.
const batchBytes = 48 << 20

// path returns where a package file is kept in the cache.
func (s *Source) path(p matrix.Package) string {
	return filepath.Join(s.opts.Home, "packages", p.SHA256+".deb")
}

// Fetch gets every package file of the set into the cache. Processes that
// fetch at the same time take turns, so each file is fetched once; who lacks
// none does not wait for them.
func (s *Source) Fetch(ctx context.Context, set matrix.PackageSet, progress source.Progress) error {
	const op = "fetch packages"
	missing, err := s.missing(set.Packages)
	if err != nil {
		return s.fail(source.BadDigest, op, set.Release, "remove the file, it will be fetched again", err)
	}
	total := bytesOf(set.Packages)
	done := total - bytesOf(missing)
	report := func() {
		if progress != nil {
			progress(done, total)
		}
	}
	report()
	if len(missing) == 0 {
		return nil
	}
	unlock, err := disk.Lock(ctx, filepath.Join(s.opts.Home, "packages", "lock"))
	if err != nil {
		return s.fail(source.Failed, op, set.Release, "", err)
	}
	defer unlock()
	// Another process may have fetched meanwhile.
	if missing, err = s.missing(missing); err != nil {
		return s.fail(source.BadDigest, op, set.Release, "remove the file, it will be fetched again", err)
	}
	if done = total - bytesOf(missing); len(missing) == 0 {
		report()
		return nil
	}
	p, release, err := s.open(ctx, set.Release)
	if err != nil {
		return err
	}
	defer release()
	for len(missing) > 0 {
		var n int
		var size int64
		for n < len(missing) && (n == 0 || size+missing[n].Size <= batchBytes) {
			size += missing[n].Size
			n++
		}
		if err := p.download(ctx, missing[:n]); err != nil {
			return err
		}
		missing, done = missing[n:], done+size
		report()
	}
	return nil
}

// missing are those of the packages whose files are not in the cache.
func (s *Source) missing(of []matrix.Package) (missing []matrix.Package, err error) {
	for _, p := range of {
		there, err := s.verify(p)
		if err != nil {
			return nil, err
		}
		if !there {
			missing = append(missing, p)
		}
	}
	return missing, nil
}

func bytesOf(packages []matrix.Package) (sum int64) {
	for _, p := range packages {
		sum += p.Size
	}
	return sum
}

// verify says whether the package's file is in the cache; one that is there
// but is not what the set says is an error.
func (s *Source) verify(p matrix.Package) (there bool, err error) {
	path := s.path(p)
	sum, _, err := disk.Digest(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if sum != p.SHA256 {
		return false, fmt.Errorf("file %s of package %s was changed on disk: it has sha256 %s", path, p.Name, sum)
	}
	return true, nil
}

// download gets package files with apt's own downloader, which knows every
// kind of address and proxy that apt knows, and checks the digests.
func (p *private) download(ctx context.Context, pkgs []matrix.Package) error {
	const op = "fetch packages"
	name := p.release.Name
	partial := filepath.Join(p.src.opts.Home, "packages", "partial")
	// What a killed run left is not trusted; the lock says nobody is using it.
	if err := os.RemoveAll(partial); err != nil {
		return p.src.fail(source.Failed, op, name, "", err)
	}
	if err := os.MkdirAll(partial, 0o755); err != nil {
		return p.src.fail(source.Failed, op, name, "", err)
	}
	defer os.RemoveAll(partial)
	argv := []string{aptHelper, "download-file"}
	for _, pkg := range pkgs {
		uri, err := p.address(ctx, pkg)
		if err != nil {
			return p.src.fail(source.NotServed, op, name, "the mirror has moved on: plan again", err)
		}
		argv = append(argv, uri, filepath.Join(partial, pkg.SHA256), "SHA256:"+pkg.SHA256)
	}
	if _, err := p.run(ctx, argv...); err != nil {
		kind, cure := explainUpdate(err)
		if kind == source.NotServed {
			cure = "the mirror has moved on: plan again"
		}
		return p.src.fail(kind, op, name, cure, err)
	}
	for _, pkg := range pkgs {
		if err := p.src.keep(filepath.Join(partial, pkg.SHA256), pkg); err != nil {
			return p.src.fail(source.BadDigest, op, name, "try another mirror ("+MirrorEnv+")", err)
		}
	}
	return nil
}

// keep moves a downloaded file into the cache once it is what the set says.
func (s *Source) keep(from string, pkg matrix.Package) error {
	sum, _, err := disk.Digest(from)
	if err != nil {
		return err
	}
	if sum != pkg.SHA256 {
		return fmt.Errorf("package %s came with sha256 %s, the index says %s", pkg.Name, sum, pkg.SHA256)
	}
	if err := disk.Sync(from); err != nil {
		return err
	}
	if err := os.Rename(from, s.path(pkg)); err != nil {
		return fmt.Errorf("cannot keep package %s: %w", pkg.Name, err)
	}
	return nil
}

// ready checks that every file of the set is in the cache and unchanged, right
// before it is used.
func (s *Source) ready(set matrix.PackageSet, op string) error {
	for _, p := range set.Packages {
		there, err := s.verify(p)
		if err != nil {
			return s.fail(source.BadDigest, op, set.Release, "remove the file, it will be fetched again", err)
		}
		if !there {
			return fmt.Errorf("cannot %s of %s: %s %s is not in the cache; fetch the set first", op, set.Release, p.Name, p.Version)
		}
	}
	return nil
}

// Cached is a source of what is in the cache alone.
func Cached(home string) *Source { return &Source{opts: Options{Home: home}} }

// Text returns the files of a cached package whose paths match one of tar's wildcards,
// one after another; nothing when it has none.
func Text(ctx context.Context, home string, p matrix.Package, wildcards ...string) ([]byte, error) {
	file := Cached(home).path(p)
	if _, err := os.Stat(file); err != nil {
		return nil, fmt.Errorf("cannot read package %s: %w", p.Name, err)
	}
	const script = `file=$1; shift; dpkg-deb --fsys-tarfile "$file" | { tar --extract --to-stdout --wildcards "$@" 2>/dev/null || true; }`
	out, _, err := tool.Run(ctx, tool.Command{Argv: append([]string{"sh", "-c", script, "sh", file}, wildcards...)})
	return out, err
}
