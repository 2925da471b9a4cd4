// Package cache keeps what sources of any kind got of repositories: package files
// by their digests, and answers as long as the index that gave them.
package cache

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/internal/store/disk"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// batchBytes bounds one download, so that progress is seen and a killed run keeps
// most of what it got.
const batchBytes = 48 << 20

// Files are the package files in the folder packages of a home.
type Files struct {
	Home string
	// Ext is what the names of the files end with: ".deb".
	Ext string
	// Fail makes the error of the source.
	Fail func(kind source.Kind, op, release, cure string, err error) error
}

// Download gets packages into the folder, each as a file named by its digest.
type Download func(ctx context.Context, batch []matrix.Package, dir string) error

// Folder is where the package files of a home are.
func Folder(home string) string { return filepath.Join(home, "packages") }

// Path returns where a package file is kept.
func (f Files) Path(p matrix.Package) string {
	return filepath.Join(Folder(f.Home), p.SHA256+f.Ext)
}

// Fetch gets every file of the set that is not there. Processes that fetch at the
// same time take turns, so each file is fetched once; who lacks none does not wait
// for them.
func (f Files) Fetch(ctx context.Context, set matrix.PackageSet, progress source.Progress, get Download) error {
	const op = "fetch packages"
	missing, err := f.missing(set, op)
	if err != nil {
		return err
	}
	total := bytesOf(set.Packages)
	report := func() {
		if progress != nil {
			progress(total-bytesOf(missing), total)
		}
	}
	report()
	if len(missing) == 0 {
		return nil
	}
	unlock, err := disk.Lock(ctx, filepath.Join(Folder(f.Home), "lock"))
	if err != nil {
		return f.Fail(source.Failed, op, set.Release, "", err)
	}
	defer unlock()
	// Another process may have fetched meanwhile.
	if missing, err = f.missing(set, op); err != nil {
		return err
	}
	for len(missing) > 0 {
		n := batch(missing)
		if err := f.fetch(ctx, missing[:n], set.Release, op, get); err != nil {
			return err
		}
		missing = missing[n:]
		report()
	}
	return nil
}

func batch(of []matrix.Package) (n int) {
	var size int64
	for n < len(of) && (n == 0 || size+of[n].Size <= batchBytes) {
		size += of[n].Size
		n++
	}
	return n
}

func (f Files) fetch(ctx context.Context, packages []matrix.Package, release, op string, get Download) error {
	partial := filepath.Join(Folder(f.Home), "partial")
	// What a killed run left is not trusted; the lock says nobody is using it.
	if err := errors.Join(os.RemoveAll(partial), os.MkdirAll(partial, 0o755)); err != nil {
		return f.Fail(source.Failed, op, release, "", err)
	}
	defer os.RemoveAll(partial)
	if err := get(ctx, packages, partial); err != nil {
		return err
	}
	for _, p := range packages {
		if err := f.Keep(filepath.Join(partial, p.SHA256), p); err != nil {
			return f.Fail(source.BadDigest, op, release, "try another mirror", err)
		}
	}
	return nil
}

// missing are those of the packages whose files are not there.
func (f Files) missing(set matrix.PackageSet, op string) (missing []matrix.Package, err error) {
	for _, p := range set.Packages {
		there, err := f.Verify(p)
		if err != nil {
			return nil, f.Fail(source.BadDigest, op, set.Release, "remove the file, it will be fetched again", err)
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

// Verify says whether the package's file is there; one that is not what the set
// says is an error.
func (f Files) Verify(p matrix.Package) (there bool, err error) {
	path := f.Path(p)
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

// Keep moves a downloaded file into place once it is what the set says.
func (f Files) Keep(from string, p matrix.Package) error {
	sum, _, err := disk.Digest(from)
	if err != nil {
		return err
	}
	if sum != p.SHA256 {
		return fmt.Errorf("package %s came with sha256 %s, the index says %s", p.Name, sum, p.SHA256)
	}
	if err := disk.Sync(from); err != nil {
		return err
	}
	if err := os.Rename(from, f.Path(p)); err != nil {
		return fmt.Errorf("cannot keep package %s: %w", p.Name, err)
	}
	return nil
}

// Ready checks that every file of the set is there and unchanged, right before it
// is used.
func (f Files) Ready(set matrix.PackageSet, op string) error {
	missing, err := f.missing(set, op)
	if err == nil && len(missing) > 0 {
		err = fmt.Errorf("cannot %s of %s: %s %s is not in the cache; fetch the set first", op, set.Release, missing[0].Name, missing[0].Version)
	}
	return err
}

// Remember keeps where package files are served, by digest: a plan made today is
// fetched from there also when the index has moved on.
func (f Files) Remember(addresses map[string]string) error {
	dir := filepath.Join(Folder(f.Home), "addresses")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("cannot make folder for addresses: %w", err)
	}
	for digest, address := range addresses {
		if old, ok := f.Address(digest); ok && old == address {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, digest), []byte(address), 0o644); err != nil {
			return fmt.Errorf("cannot remember address of %s: %w", digest, err)
		}
	}
	return nil
}

// Address returns where the file of a digest is served, if that is remembered.
func (f Files) Address(digest string) (address string, ok bool) {
	text, err := os.ReadFile(filepath.Join(Folder(f.Home), "addresses", digest))
	return string(text), err == nil
}

// Adopt keeps a copy of a file that no repository has. The file may be written to
// meanwhile: what the package is has to be read from the copy.
func (f Files) Adopt(file string) (matrix.Package, error) {
	dir := Folder(f.Home)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return matrix.Package{}, err
	}
	from, err := os.Open(file)
	if err != nil {
		return matrix.Package{}, err
	}
	defer from.Close()
	to, err := os.CreateTemp(dir, ".candidate-")
	if err != nil {
		return matrix.Package{}, err
	}
	defer os.Remove(to.Name())
	_, err = io.Copy(to, from)
	if err = errors.Join(err, to.Close()); err != nil {
		return matrix.Package{}, disk.Explain(err, dir)
	}
	sum, size, err := disk.Digest(to.Name())
	p := matrix.Package{SHA256: sum, Size: size}
	if err != nil {
		return p, err
	}
	return p, f.Keep(to.Name(), p)
}

// Scratch makes a folder beside the package files for something that is being made. gc
// removes what a kill left of one.
func Scratch(home, what string) (dir string, err error) {
	if err := os.MkdirAll(Folder(home), 0o755); err != nil {
		return "", err
	}
	return os.MkdirTemp(Folder(home), "."+what+"-")
}
