package candidate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
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

// Tree is what `make install DESTDIR=` leaves: files of a component that nobody has packed.
// It takes the place of the files of a release's packages, which stay what they are
// otherwise: names, versions, relations and scripts. What the tree lacks stays as well.
type Tree struct {
	// Dir is the tree, Release is what it is laid over.
	Dir, Release string
	// Files are the package files in the cache.
	Files cache.Files
	// Repack makes a package again as the file out, with files of the tree in the place of
	// its own, by their paths in it.
	Repack func(ctx context.Context, p matrix.Package, files map[string]string, out string) error
	// Take keeps a package file in the cache.
	Take func(ctx context.Context, file string) (File, error)
}

// IsTree says whether a place is an installed tree: a folder with a folder of a root in it,
// or a tar archive of one.
func IsTree(where string) bool {
	if strings.Contains(filepath.Base(where), ".tar") {
		return true
	}
	return slices.ContainsFunc([]string{"usr", "etc", "lib"}, func(name string) bool {
		info, err := os.Stat(filepath.Join(where, name))
		return err == nil && info.IsDir()
	})
}

// OfTree makes the files of an installed tree, and says who answers for them.
func OfTree(ctx context.Context, from source.Deliverer, t Tree, patterns []string) (all []File, trust string, err error) {
	if t.Release == "" {
		return nil, "", errors.New("an installed tree says of no release that it is for it: name the one that it is laid over (COMPONENT@RELEASE=...)")
	}
	scratch, err := cache.Scratch(t.Files.Home, "tree")
	if err != nil {
		return nil, "", err
	}
	defer os.RemoveAll(scratch)
	out := filepath.Join(scratch, "out")
	set, err := from.Belonging(ctx, t.Release, patterns)
	if err == nil {
		err = from.Fetch(ctx, set, nil)
	}
	if err != nil {
		return nil, "", err
	}
	contents, err := from.Inspect(ctx, set)
	if err = errors.Join(err, os.Mkdir(out, 0o755), t.open(ctx, scratch)); err != nil {
		return nil, "", err
	}
	if trust, err = t.pack(ctx, contents, out); err != nil {
		return nil, "", err
	}
	all, err = Collect(out, t.Files.Ext, func(file string) (File, error) { return t.Take(ctx, file) })
	return all, trust, err
}

// open has the tree be a folder: an archive is unpacked into scratch.
func (t *Tree) open(ctx context.Context, scratch string) error {
	if info, err := os.Stat(t.Dir); err != nil || info.IsDir() {
		return err
	}
	dir := filepath.Join(scratch, "tree")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	_, _, err := tool.Run(ctx, tool.Command{Argv: []string{"tar", "--extract", "--no-same-owner", "--file", t.Dir, "--directory", dir}})
	t.Dir = dir
	return err
}

// pack makes the packages again that have files of the tree, in the folder out. contents are
// what the release's packages of the component hold. A file that none of them holds goes
// to the package that has most of the others. It says what was done.
func (t *Tree) pack(ctx context.Context, contents []source.Content, out string) (said string, err error) {
	holders := map[string]struct{ owner, path string }{}
	for _, c := range contents {
		for _, f := range c.Files {
			holders[tree.InUsr(f)] = struct{ owner, path string }{c.Name, f}
		}
	}
	files, loose, n := map[string]map[string]string{}, map[string]string{}, 0
	err = filepath.WalkDir(t.Dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		n++
		path := strings.TrimPrefix(file, filepath.Clean(t.Dir))
		if h, ok := holders[tree.InUsr(path)]; ok {
			if files[h.owner] == nil {
				files[h.owner] = map[string]string{}
			}
			files[h.owner][h.path] = file
		} else {
			loose[path] = file
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	if len(files) == 0 {
		return "", fmt.Errorf("none of its %d files is in a package of the component in %s: install it with that release's folders (prefix, libdir, sysconfdir)", n, t.Release)
	}
	lead := ""
	for name := range files {
		if lead == "" || len(files[name]) > len(files[lead]) || len(files[name]) == len(files[lead]) && name < lead {
			lead = name
		}
	}
	for path, file := range loose {
		files[lead][path] = file
	}
	var names []string
	for _, c := range contents {
		if of := files[c.Name]; of != nil {
			names = append(names, c.Name)
			if err := t.Repack(ctx, c.Package, of, filepath.Join(out, c.Name+t.Files.Ext)); err != nil {
				return "", fmt.Errorf("cannot pack %s again: %w", c.Name, err)
			}
		}
	}
	return fmt.Sprintf("files of a tree that nobody has packed: of %d, %d take the place of those in %s", n, n-len(loose), strings.Join(names, ", ")), nil
}

// BuildTime is the environment in which the same files make the same package, byte for byte,
// whenever it is made (reproducible-builds.org, SOURCE_DATE_EPOCH).
const BuildTime = "SOURCE_DATE_EPOCH=1"

// Replace copies files into an unpacked package, by their paths in it. They belong to root,
// whoever installed the tree. A path that a link of the package leads out of it is refused.
func Replace(dir string, files map[string]string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for path, from := range files {
		to := strings.TrimPrefix(path, "/")
		if err := errors.Join(root.RemoveAll(to), root.MkdirAll(filepath.Dir(to), 0o755)); err != nil {
			return err
		}
		if err := place(root, to, from); err != nil {
			return err
		}
	}
	return nil
}

// place copies a file, or a link as it is.
func place(root *os.Root, to, from string) error {
	info, err := os.Lstat(from)
	if err != nil {
		return err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		target, err := os.Readlink(from)
		return errors.Join(err, root.Symlink(target, to))
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is no file", from)
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := root.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close(), root.Chmod(to, info.Mode()&^fs.ModeType), root.Chtimes(to, info.ModTime(), info.ModTime()))
}
