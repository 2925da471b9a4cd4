package apt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/internal/source/tool"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// aliased are the top folders that are links into /usr in a merged layout.
// Packages up to bookworm still carry files in them.
var aliased = []string{"bin", "sbin", "lib", "lib64"}

// Unpack extracts a fetched set into dir, merged-/usr.
func (s *Source) Unpack(ctx context.Context, set matrix.PackageSet, dir string) error {
	const op = "unpack packages"
	if err := s.ready(set, op); err != nil {
		return err
	}
	if err := emptyDir(dir); err != nil {
		return fmt.Errorf("cannot unpack packages of %s: %w", set.Release, err)
	}
	for _, name := range aliased {
		if err := os.MkdirAll(filepath.Join(dir, "usr", name), 0o755); err != nil {
			return s.fail(source.Failed, op, set.Release, "", err)
		}
		if err := os.Symlink("usr/"+name, filepath.Join(dir, name)); err != nil {
			return s.fail(source.Failed, op, set.Release, "", err)
		}
	}
	for _, p := range set.Packages {
		if err := extract(ctx, s.path(p), dir); err != nil {
			return s.fail(source.Failed, op, set.Release, "", fmt.Errorf("cannot extract %s: %w", p.Name, err))
		}
	}
	if err := checkMerged(dir); err != nil {
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

// checkMerged makes sure that no package turned a link of the merged layout
// back into a folder.
func checkMerged(dir string) error {
	for _, name := range aliased {
		target, err := os.Readlink(filepath.Join(dir, name))
		if err != nil || target != "usr/"+name {
			return fmt.Errorf("the tree is not merged: /%s is not a link to usr/%s", name, name)
		}
	}
	return nil
}

// emptyDir makes dir when it is missing and refuses one that holds anything.
func emptyDir(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	if len(entries) > 0 {
		return fmt.Errorf("%s is not empty", dir)
	}
	return nil
}
