package apt

import (
	"context"
	"os"
	"path/filepath"

	"github.com/virtmatrix/virtmatrix/internal/source/cache"
	"github.com/virtmatrix/virtmatrix/internal/source/candidate"
	"github.com/virtmatrix/virtmatrix/internal/source/tool"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// repack makes a package again with other files in the place of its own.
func (s *Source) repack(ctx context.Context, p matrix.Package, files map[string]string, out string) error {
	dir, err := cache.Scratch(s.opts.Home, "repack")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	root := filepath.Join(dir, "root")
	if _, _, err := tool.Run(ctx, tool.Command{Argv: []string{"dpkg-deb", "--raw-extract", s.files.Path(p), root}}); err != nil {
		return err
	}
	if err := candidate.Replace(root, files); err != nil {
		return err
	}
	// They are of the files before.
	if err := os.RemoveAll(filepath.Join(root, "DEBIAN", "md5sums")); err != nil {
		return err
	}
	_, _, err = tool.Run(ctx, tool.Command{Argv: []string{"dpkg-deb", "-Zgzip", "-z1", "--build", root, out}, Env: []string{candidate.BuildTime}})
	return err
}
