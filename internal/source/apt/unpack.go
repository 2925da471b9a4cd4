package apt

import (
	"context"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sync/errgroup"

	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/internal/source/tool"
	"github.com/virtmatrix/virtmatrix/internal/source/tree"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// Unpack extracts a fetched set into dir, merged-/usr.
func (s *Source) Unpack(ctx context.Context, set matrix.PackageSet, dir string) error {
	const op = "unpack packages"
	if err := s.files.Ready(set, op); err != nil {
		return err
	}
	if err := tree.Merged(dir); err != nil {
		return fmt.Errorf("cannot unpack packages of %s: %w", set.Release, err)
	}
	for _, p := range set.Packages {
		if err := extract(ctx, s.files.Path(p), dir); err != nil {
			return s.fail(source.Failed, op, set.Release, "", fmt.Errorf("cannot extract %s: %w", p.Name, err))
		}
	}
	if err := tree.CheckMerged(dir); err != nil {
		return s.fail(source.Failed, op, set.Release, "", err)
	}
	return nil
}

// extract unpacks one package file over dir. `dpkg-deb -x` would replace the
// links of the merged layout by folders, so tar does the writing.
func extract(ctx context.Context, deb, dir string) error {
	r, w := io.Pipe()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		_, _, err := tool.Run(ctx, tool.Command{Argv: []string{"dpkg-deb", "--fsys-tarfile", deb}, Stdout: w})
		w.CloseWithError(err)
		return err
	})
	g.Go(func() error {
		_, _, err := tool.Run(ctx, tool.Command{
			Argv:  []string{"tar", "--extract", "--preserve-permissions", "--numeric-owner", "--keep-directory-symlink", "--warning=no-timestamp", "--directory", dir},
			Stdin: r,
		})
		r.CloseWithError(errors.Join(io.ErrClosedPipe, err))
		return err
	})
	return g.Wait()
}
