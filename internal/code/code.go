// Package code tells which version of a module's code a program is built of,
// package by package: a change of what a check is made of changes what it says.
//
// It reads files and compiles nothing: answers that are kept are looked up before
// anything is compiled. Build IDs would need the compiler, and would count files
// that are built in and do not matter.
package code

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/virtmatrix/virtmatrix/internal/source/tool"
	"github.com/virtmatrix/virtmatrix/internal/store/disk"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// Options say what to look at.
type Options struct {
	// Root is the folder of the module.
	Root string
	// Tags are the build tags, parted by commas.
	Tags string
	// Packages are patterns of what is looked at, with all it imports.
	Packages []string
	// Ignore are globs of files, relative to the module, that do not count.
	Ignore []string
}

// Tree is the code of packages as it is on disk.
type Tree struct {
	toolchain string
	packages  map[string]pkg
	state     hash.Hash
}

// pkg is what `go list` says of a package, and the digest of its files.
type pkg struct {
	ImportPath, Dir   string
	Standard          bool
	Module            *module
	GoFiles, CgoFiles []string
	EmbedFiles, Deps  []string
	sum               string
}

// module is where a package comes from. One without a version is a folder.
type module struct {
	Path, Version string
	Main          bool
	Replace       *module
}

// settings are what of the environment decides what the toolchain makes of code.
var settings = []string{
	"GOVERSION", "GOOS", "GOARCH", "GOAMD64", "GOEXPERIMENT", "GODEBUG", "GOFLAGS",
	"CC", "CGO_CFLAGS", "CGO_CPPFLAGS", "CGO_LDFLAGS", "GOWORK",
}

// Read looks at the packages. It takes a fraction of a second.
func Read(ctx context.Context, o Options) (*Tree, error) {
	t := &Tree{packages: map[string]pkg{}, state: sha256.New()}
	if err := t.read(ctx, o); err != nil {
		return nil, fmt.Errorf("cannot tell the version of the code: %w", err)
	}
	return t, nil
}

func (t *Tree) read(ctx context.Context, o Options) error {
	env, _, err := tool.Run(ctx, tool.Command{Argv: append([]string{"go", "env"}, settings...), Dir: o.Root})
	if err != nil {
		return err
	}
	sum, err := t.digest(o.Root, []string{"go.mod", "go.sum"})
	if err != nil {
		return err
	}
	t.toolchain = string(env) + sum
	fmt.Fprintln(t.state, t.toolchain)
	argv := []string{"go", "list", "-deps", "-json=ImportPath,Dir,Standard,Module,GoFiles,CgoFiles,EmbedFiles,Deps", "-tags", o.Tags, "--"}
	// In one order, whatever that of the packages: the state is of the sequence.
	out, _, err := tool.Run(ctx, tool.Command{Argv: append(argv, slices.Sorted(slices.Values(o.Packages))...), Dir: o.Root})
	if err != nil {
		return err
	}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if p.Standard {
			continue // the toolchain's version covers it
		}
		if p.sum, err = t.sum(&p, o); err != nil {
			return err
		}
		t.packages[p.ImportPath] = p
	}
}

// sum is the version of a package of another module, whose files never change, and
// otherwise the digest of its files.
func (t *Tree) sum(p *pkg, o Options) (string, error) {
	if m := p.Module; m != nil && !m.Main {
		if from := cmp.Or(m.Replace, m); from.Version != "" {
			return from.Path + "@" + from.Version, nil
		}
	}
	entries, err := os.ReadDir(p.Dir)
	if err != nil {
		return "", err
	}
	// All files of its folder count: which of them are built depends on more than
	// the tags. Tests count for a package of nothing else.
	files := slices.Concat(p.GoFiles, p.CgoFiles, p.EmbedFiles)
	onlyTests := len(p.GoFiles)+len(p.CgoFiles) == 0
	for _, e := range entries {
		if e.Type().IsRegular() && (onlyTests || !strings.HasSuffix(e.Name(), "_test.go")) {
			files = append(files, e.Name())
		}
	}
	slices.Sort(files)
	files = slices.DeleteFunc(slices.Compact(files), func(name string) bool { return o.ignores(filepath.Join(p.Dir, name)) })
	if err := t.touched(p.Dir); err != nil { // a file may be added and removed again
		return "", err
	}
	return t.digest(p.Dir, files)
}

func (o *Options) ignores(file string) bool {
	rel, err := filepath.Rel(o.Root, file)
	return err == nil && slices.ContainsFunc(o.Ignore, func(glob string) bool {
		ok, err := path.Match(glob, filepath.ToSlash(rel))
		return ok && err == nil
	})
}

// digest is the digest of files of a folder.
func (t *Tree) digest(dir string, names []string) (string, error) {
	all := sha256.New()
	for _, name := range names {
		file := filepath.Join(dir, name)
		if err := t.touched(file); err != nil {
			return "", err
		}
		sum, _, err := disk.Digest(file)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(all, "%q %s\n", name, sum)
	}
	return hex.EncodeToString(all.Sum(nil)), nil
}

// touched puts into the state when a file, or a folder's list of files, was changed
// last: by the time of the inode, which cannot be set back as that of the content
// can. Building writes elsewhere.
func (t *Tree) touched(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		fmt.Fprintln(t.state, path, st.Ino, st.Ctim.Nano())
	}
	return nil
}

// Version is the hash of the code of some of the packages, by import path, and of
// all they import, and of what compiles it.
func (t *Tree) Version(packages ...string) (string, error) {
	var closure []string
	for _, name := range packages {
		p, ok := t.packages[name]
		if !ok {
			return "", fmt.Errorf("cannot tell the version of the code: %w", matrix.Unknown("package", name, slices.Collect(maps.Keys(t.packages))))
		}
		closure = append(append(closure, name), p.Deps...)
	}
	slices.Sort(closure)
	h := sha256.New()
	fmt.Fprintln(h, t.toolchain)
	for _, name := range slices.Compact(closure) {
		fmt.Fprintln(h, name, t.packages[name].sum)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// State tells one reading of the code from another: it is the same only when no
// file was changed in between, added or removed, not even to and fro. So what was
// built between two readings of one state was built of this code.
func (t *Tree) State() string { return hex.EncodeToString(t.state.Sum(nil)) }
