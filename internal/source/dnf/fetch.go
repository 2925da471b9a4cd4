package dnf

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/internal/source/cache"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// packageFiles are the package files in the cache of a home.
func packageFiles(home string) cache.Files { return cache.Files{Home: home, Ext: ".rpm"} }

// Fetch gets every package file of the set into the cache, once it is what the index
// says and is signed as its repository promises.
func (s *Source) Fetch(ctx context.Context, set matrix.PackageSet, progress source.Progress) error {
	err := s.files.Fetch(ctx, set, progress, func(ctx context.Context, batch []matrix.Package, dir string) error {
		p, unlock, err := s.open(ctx, set.Release)
		if err != nil {
			return err
		}
		defer unlock()
		for _, pkg := range batch {
			if err := p.download(ctx, pkg, filepath.Join(dir, pkg.SHA256)); err != nil {
				return err
			}
		}
		return p.verifySignatures(ctx, batch, func(pkg matrix.Package) string { return filepath.Join(dir, pkg.SHA256) })
	})
	if err != nil {
		return err
	}
	return s.verifyCached(ctx, set)
}

// verifyCached verifies what is in the cache already. Another repository, which promises
// less, may have had the same file.
func (s *Source) verifyCached(ctx context.Context, set matrix.PackageSet) error {
	r, err := s.release(set.Release)
	if err != nil {
		return err
	}
	var unseen []matrix.Package
	for _, pkg := range set.Packages {
		if keyring := keyringOf(r, pkg.Repository); keyring != "" && !s.seen(pkg, keyring) {
			unseen = append(unseen, pkg)
		}
	}
	if len(unseen) == 0 {
		return nil
	}
	p, unlock, err := s.open(ctx, set.Release)
	if err != nil {
		return err
	}
	defer unlock()
	return p.verifySignatures(ctx, unseen, s.files.Path)
}

// client reaches mirrors as the environment says, and folders of this machine.
var client = &http.Client{Transport: func() http.RoundTripper {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.ResponseHeaderTimeout = 30 * time.Second
	t.RegisterProtocol("file", http.NewFileTransport(http.Dir("/")))
	return t
}()}

// slowest is how long a package of a size may take: what mirrors at the end of the
// world manage.
func slowest(size int64) time.Duration { return time.Minute + time.Duration(size/50_000)*time.Second }

// download gets a package file and checks its size and digest.
func (p *private) download(ctx context.Context, pkg matrix.Package, to string) error {
	const op, again = "fetch packages", "the repository has moved on: plan again"
	address, err := p.address(ctx, pkg)
	if err != nil {
		return p.src.fail(source.NotServed, op, p.release.Name, again, err)
	}
	limited, cancel := context.WithTimeout(ctx, slowest(pkg.Size))
	defer cancel()
	request, err := http.NewRequestWithContext(limited, http.MethodGet, address, nil)
	if err != nil {
		return p.src.fail(source.Failed, op, p.release.Name, "", err)
	}
	response, err := client.Do(request)
	if err != nil {
		return p.unreachable(ctx, op, err)
	}
	defer response.Body.Close()
	switch {
	case response.StatusCode >= 500:
		return p.unreachable(ctx, op, fmt.Errorf("%s: %s", address, response.Status))
	case response.StatusCode != http.StatusOK:
		return p.src.fail(source.NotServed, op, p.release.Name, again, fmt.Errorf("%s: %s", address, response.Status))
	}
	wrong, err := receive(response.Body, pkg, to)
	switch {
	case err != nil:
		return p.unreachable(ctx, op, fmt.Errorf("%s: %w", address, err))
	case wrong != nil:
		return p.src.fail(source.BadDigest, op, p.release.Name, "the mirror is being updated or is broken: plan again, or try another mirror", fmt.Errorf("%s: %w", address, wrong))
	}
	return nil
}

// unreachable is trouble on the way, unless we called it off ourselves.
func (p *private) unreachable(ctx context.Context, op string, err error) error {
	if ctx.Err() != nil {
		return p.src.fail(source.Failed, op, p.release.Name, "", ctx.Err())
	}
	// A limit of ours is no answer of the mirror, and not a call for all to stop.
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("no end after %s", slowest(0))
	}
	return p.src.fail(source.Unreachable, op, p.release.Name, "check the network, or name another mirror of the repository in releases.yaml", err)
}

// receive writes a package file; wrong is what is not as the index says. No more is
// read than the index says there is.
func receive(from io.Reader, pkg matrix.Package, to string) (wrong, err error) {
	out, err := os.Create(to)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(out, sum), io.LimitReader(from, pkg.Size+1))
	switch {
	case n > pkg.Size:
		return fmt.Errorf("package %s has more than the %d bytes that the index says", pkg.Name, pkg.Size), nil
	case err != nil:
		return nil, err
	case n < pkg.Size:
		return fmt.Errorf("package %s has %d bytes, the index says %d", pkg.Name, n, pkg.Size), nil
	case fmt.Sprintf("%x", sum.Sum(nil)) != pkg.SHA256:
		return fmt.Errorf("package %s came with sha256 %x, the index says %s", pkg.Name, sum.Sum(nil), pkg.SHA256), nil
	}
	return nil, out.Close()
}

// address returns where a package file is served.
func (p *private) address(ctx context.Context, pkg matrix.Package) (string, error) {
	if known, ok := p.src.files.Address(pkg.SHA256); ok {
		return known, nil
	}
	a, err := p.ask(ctx, "find packages", "find", pkg.Name)
	if err != nil {
		return "", err
	}
	for _, f := range a.Packages {
		if f.SHA256 == pkg.SHA256 {
			return f.Address, nil
		}
	}
	return "", fmt.Errorf("cannot find %s %s with digest %.12s", pkg.Name, pkg.Version, pkg.SHA256)
}
