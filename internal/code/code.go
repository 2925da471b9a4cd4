// Package code tells which version of this module's code a program is built of,
// package by package: a change of what a check is made of changes what it says.
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
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sync/errgroup"

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
	// Packages are looked at with all they import; their paths are relative to
	// the module.
	Packages []string
	// Ignore are globs of files, relative to the module, that do not count.
	Ignore []string
}

// Tree is the code of packages as it is on disk.
type Tree struct {
	module    string
	toolchain string
	packages  map[string]pkg
	// touched is when which file and folder was changed last, as one digest of the
	// packages' and one of what compiles them.
	touched [2]string
}

// pkg is what `go list` says of a package, and the digest of its files.
type pkg struct {
	ImportPath, Dir string
	Standard        bool
	Module          *module
	Imports         []string

	GoFiles, CgoFiles, CFiles, HFiles, SFiles, SysoFiles, EmbedFiles []string
	// Which of these are built is decided by more than the tags.
	IgnoredGoFiles, IgnoredOtherFiles []string
	TestGoFiles, XTestGoFiles         []string

	sum string
}

// module is where a package comes from. One without a version is a folder.
type module struct {
	Path, Version, Dir string
	Main               bool
	Replace            *module
}

// fields are what go list is asked for.
const fields = "-json=ImportPath,Dir,Standard,Module,Imports,GoFiles,CgoFiles,CFiles,HFiles,SFiles,SysoFiles,EmbedFiles,IgnoredGoFiles,IgnoredOtherFiles,TestGoFiles,XTestGoFiles"

// Read looks at the packages. It takes a fraction of a second and compiles
// nothing.
func Read(ctx context.Context, o Options) (*Tree, error) {
	t := &Tree{packages: map[string]pkg{}}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		t.toolchain, t.touched[0], err = toolchain(ctx, o)
		return err
	})
	group.Go(func() error { return t.read(ctx, o) })
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("cannot tell the version of the code: %w", err)
	}
	return t, nil
}

func (t *Tree) read(ctx context.Context, o Options) error {
	argv := []string{"go", "list", "-deps", fields, "-tags", o.Tags, "--"}
	for _, p := range o.Packages {
		argv = append(argv, "./"+p)
	}
	out, _, err := tool.Run(ctx, tool.Command{Argv: argv, Dir: o.Root})
	if err != nil {
		return err
	}
	times := sha256.New()
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
		if p.Standard {
			continue // the toolchain's version covers it
		}
		if m := p.Module; m != nil && m.Main && sameFolder(m.Dir, o.Root) {
			t.module = m.Path
		}
		if p.sum, err = p.digest(o, times); err != nil {
			return err
		}
		t.packages[p.ImportPath] = p
	}
	t.touched[1] = hex.EncodeToString(times.Sum(nil))
	return nil
}

// touched writes when a file was changed last, or a folder's list of files. The
// time of the inode's last change cannot be set back, as that of the content can.
func touched(times io.Writer, path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		fmt.Fprintln(times, path, st.Ino, st.Ctim.Nano())
	}
	return nil
}

// digest is the version of a package of another module, whose files never change,
// and otherwise the digest of its files. When they and their folders were changed
// goes to times: building writes elsewhere.
func (p *pkg) digest(o Options, times io.Writer) (string, error) {
	if m := p.Module; m != nil && !m.Main {
		from := cmp.Or(m.Replace, m)
		if from.Version != "" {
			return fmt.Sprintf("%s %s@%s", m.Path, from.Path, from.Version), nil
		}
	}
	h := sha256.New()
	folder := ""
	for _, name := range p.files() {
		file := filepath.Join(p.Dir, name)
		if rel, err := filepath.Rel(o.Root, file); err == nil && matches(o.Ignore, filepath.ToSlash(rel)) {
			continue
		}
		if dir := filepath.Dir(file); dir != folder {
			folder = dir
			if err := touched(times, dir); err != nil {
				return "", err
			}
		}
		if err := touched(times, file); err != nil {
			return "", err
		}
		sum, _, err := disk.Digest(file)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%q %s\n", name, sum)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// files are all that may be built into a program. A package of nothing but tests
// is its tests.
func (p *pkg) files() []string {
	all := slices.Concat(p.GoFiles, p.CgoFiles, p.CFiles, p.HFiles, p.SFiles, p.SysoFiles, p.EmbedFiles, p.IgnoredGoFiles, p.IgnoredOtherFiles)
	if len(p.GoFiles)+len(p.CgoFiles) == 0 {
		all = slices.Concat(all, p.TestGoFiles, p.XTestGoFiles)
	}
	all = slices.DeleteFunc(all, func(name string) bool {
		return strings.HasSuffix(name, "_test.go") && slices.Contains(p.IgnoredGoFiles, name)
	})
	slices.Sort(all)
	return slices.Compact(all)
}

// sameFolder says that two paths lead to one folder, by links or not.
func sameFolder(a, b string) bool {
	one, err := os.Stat(a)
	other, err2 := os.Stat(b)
	return err == nil && err2 == nil && os.SameFile(one, other)
}

func matches(globs []string, name string) bool {
	return slices.ContainsFunc(globs, func(g string) bool {
		ok, err := path.Match(g, name)
		return ok && err == nil
	})
}

// Version is the hash of the code of some of the packages and of all they import,
// and of what compiles it.
func (t *Tree) Version(packages ...string) (string, error) {
	h := sha256.New()
	fmt.Fprintln(h, t.toolchain)
	closure := map[string]bool{}
	for _, p := range packages {
		name := t.module + "/" + p
		if _, ok := t.packages[name]; !ok {
			return "", fmt.Errorf("cannot tell the version of the code: %w", matrix.Unknown("package", p, t.names()))
		}
		t.follow(name, closure)
	}
	for _, name := range sorted(closure) {
		fmt.Fprintf(h, "%s %s\n", name, t.packages[name].sum)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func (t *Tree) follow(name string, closure map[string]bool) {
	p, ok := t.packages[name]
	if !ok || closure[name] {
		return
	}
	closure[name] = true
	for _, i := range p.Imports {
		t.follow(i, closure)
	}
}

func (t *Tree) names() []string {
	var names []string
	for name := range t.packages {
		if rel, ok := strings.CutPrefix(name, t.module+"/"); ok {
			names = append(names, rel)
		}
	}
	slices.Sort(names)
	return names
}

// State tells one reading of the code from another: it is the same only when no
// file was changed in between, added or removed, not even to and fro. So what was
// built between two readings of one state was built of this code.
func (t *Tree) State() string {
	h := sha256.New()
	all := map[string]bool{}
	for name := range t.packages {
		all[name] = true
	}
	fmt.Fprintln(h, t.toolchain, t.touched)
	for _, name := range sorted(all) {
		fmt.Fprintf(h, "%s %s\n", name, t.packages[name].sum)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func sorted(set map[string]bool) []string {
	var names []string
	for name := range set {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// settings are what of the environment decides what the toolchain makes of code.
var settings = []string{
	"GOVERSION", "GOOS", "GOARCH", "GOAMD64", "GOEXPERIMENT", "GODEBUG", "GOFLAGS",
	"CC", "CGO_CFLAGS", "CGO_CPPFLAGS", "CGO_LDFLAGS", "GOWORK",
}

// toolchain is the version and the settings of what compiles, with the digests of
// the module's own files, and when these were changed, as one digest.
func toolchain(ctx context.Context, o Options) (version, changed string, err error) {
	out, _, err := tool.Run(ctx, tool.Command{Argv: append([]string{"go", "env"}, settings...), Dir: o.Root})
	if err != nil {
		return "", "", err
	}
	values := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if len(values) != len(settings) {
		return "", "", fmt.Errorf("go env answered %q", out)
	}
	files := []string{filepath.Join(o.Root, "go.mod"), filepath.Join(o.Root, "go.sum")}
	var b strings.Builder
	for i, name := range settings {
		value := values[i]
		switch {
		case name == "GOFLAGS":
			value = strings.Join(slices.DeleteFunc(strings.Fields(value), func(f string) bool { return isOwn(f, o.Tags) }), " ")
		case name == "GOWORK" && value != "" && value != "off":
			files = append(files, value)
		case name == "CC":
			if cc, err := exec.LookPath(cmp.Or(value, "gcc")); err == nil {
				files = append(files, cc)
			}
		}
		fmt.Fprintf(&b, "%s=%q\n", name, value)
	}
	times := sha256.New()
	for _, file := range files {
		if err := touched(times, file); err != nil {
			return "", "", err
		}
		sum, _, err := disk.Digest(file)
		if err != nil {
			return "", "", err
		}
		fmt.Fprintf(&b, "%s %s\n", filepath.Base(file), sum)
	}
	return b.String(), hex.EncodeToString(times.Sum(nil)), nil
}

// isOwn says that our commands give a flag themselves, or that it changes no code:
// so it does not matter whether the environment has it.
func isOwn(flag, tags string) bool {
	return flag == "-tags="+tags || strings.HasPrefix(flag, "-buildvcs=")
}
