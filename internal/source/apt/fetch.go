package apt

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/internal/source/cache"
	"github.com/virtmatrix/virtmatrix/internal/source/tool"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// packageFiles are the package files in the cache of a home.
func packageFiles(home string) cache.Files { return cache.Files{Home: home, Ext: ".deb"} }

// Fetch gets every package file of the set into the cache.
func (s *Source) Fetch(ctx context.Context, set matrix.PackageSet, progress source.Progress) error {
	return s.files.Fetch(ctx, set, progress, func(ctx context.Context, batch []matrix.Package, dir string) error {
		p, release, err := s.open(ctx, set.Release)
		if err != nil {
			return err
		}
		defer release()
		return p.download(ctx, batch, dir)
	})
}

// download gets package files with apt's own downloader, which knows every
// kind of address and proxy that apt knows, and checks the digests.
func (p *private) download(ctx context.Context, pkgs []matrix.Package, dir string) error {
	const op = "fetch packages"
	name := p.release.Name
	argv := []string{aptHelper, "download-file"}
	for _, pkg := range pkgs {
		uri, err := p.address(ctx, pkg)
		if err != nil {
			return p.src.fail(source.NotServed, op, name, "the mirror has moved on: plan again", err)
		}
		argv = append(argv, uri, filepath.Join(dir, pkg.SHA256), "SHA256:"+pkg.SHA256)
	}
	if _, err := p.run(ctx, argv...); err != nil {
		kind, cure := explainUpdate(err)
		if kind == source.NotServed {
			cure = "the mirror has moved on: plan again"
		}
		return p.src.fail(kind, op, name, cure, err)
	}
	return nil
}

// Cached is a source of what is in the cache alone.
func Cached(home string) *Source { return &Source{opts: Options{Home: home}} }

// Text returns the files of a cached package whose paths match one of tar's wildcards,
// one after another; nothing when it has none.
func Text(ctx context.Context, home string, p matrix.Package, wildcards ...string) ([]byte, error) {
	file := packageFiles(home).Path(p)
	if _, err := os.Stat(file); err != nil {
		return nil, fmt.Errorf("cannot read package %s: %w", p.Name, err)
	}
	const script = `file=$1; shift; dpkg-deb --fsys-tarfile "$file" | { tar --extract --to-stdout --wildcards "$@" 2>/dev/null || true; }`
	out, _, err := tool.Run(ctx, tool.Command{Argv: append([]string{"sh", "-c", script, "sh", file}, wildcards...)})
	return out, err
}
