package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/virtmatrix/virtmatrix/fixtures"
	"github.com/virtmatrix/virtmatrix/internal/run"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// images measures the build of the subject's userland from packages that are at
// hand, against mmdebstrap and mksquashfs with the same packages and options.
func images(ctx context.Context, l *lab) ([]row, error) {
	b, err := l.openImages(ctx)
	if err != nil {
		return nil, err
	}
	// The first build reads the packages into memory. It is not counted.
	if _, err := b.plain(ctx); err != nil {
		return nil, err
	}
	s, err := l.inTurn(ctx, "build", side{ours, b.ours}, side{plain, b.plain})
	r := rowOf(s, "build", plain, fmt.Sprintf("userland of %s, %d packages", b.ref.Release, len(b.packages)), inSeconds, nil)
	r.Notes = []string{"ours makes its repository, checks what is installed, digests and flushes the image; plain's repository is made before"}
	return []row{r}, err
}

type imageBench struct {
	*lab
	plan     *matrix.Plan
	ref      matrix.ImageRef
	packages []matrix.Package
	// home is a cache of our own, whose packages are those of the real one.
	home string
	// repository holds the same files for plain tools.
	repository string
}

func (l *lab) openImages(ctx context.Context) (*imageBench, error) {
	plan, err := l.driver.Plan(ctx, l.catalog, matrix.Request{Profile: matrix.DefaultProfile, Cells: []string{subject}})
	if err != nil {
		return nil, err
	}
	ref, ok := plan.Cells[0].Image(fixtures.UserlandKVM)
	if !ok {
		return nil, fmt.Errorf("cannot measure builds: %s has no image %s", plan.Cells[0].ID, fixtures.UserlandKVM)
	}
	// A plan of this image alone: every plan has an emulator, and cells may be none.
	small := *plan
	small.Emulator, small.Cells = ref, nil
	b := &imageBench{lab: l, plan: &small, ref: ref, packages: plan.PackageSets[ref.Packages].Packages, repository: l.file("repository")}
	if b.home, err = l.homeWith("apt", "packages"); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(b.repository, 0o755); err != nil {
		return nil, err
	}
	// It fetches what is missing, which is no part of a build.
	l.say("preparing %d packages", len(b.packages))
	if _, err := b.ours(ctx); err != nil {
		return nil, err
	}
	return b, b.makeRepository()
}

// ours builds the image in a store that does not have it.
func (b *imageBench) ours(ctx context.Context) (map[string]float64, error) {
	if err := os.RemoveAll(filepath.Join(b.home, "images")); err != nil {
		return nil, err
	}
	d, err := run.Open(run.Config{Home: b.home, Runtime: b.driver.Runtime()})
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if _, err := d.Build(ctx, b.catalog, b.plan); err != nil {
		return nil, err
	}
	return map[string]float64{"build": time.Since(began).Seconds()}, nil
}

// makeRepository makes a flat repository of the files, as a mirror would hold it.
func (b *imageBench) makeRepository() error {
	var index bytes.Buffer
	for _, p := range b.packages {
		file := filepath.Join(b.home, "packages", p.SHA256+".deb")
		control, err := exec.Command("dpkg-deb", "--field", file).Output()
		if err != nil {
			return fmt.Errorf("cannot read package %s: %w", p.Name, err)
		}
		name := p.Name + ".deb"
		if err := os.Symlink(file, filepath.Join(b.repository, name)); err != nil {
			return err
		}
		fmt.Fprintf(&index, "%s\nFilename: ./%s\nSize: %d\nSHA256: %s\n\n", bytes.TrimSpace(control), name, p.Size, p.SHA256)
	}
	if err := os.WriteFile(filepath.Join(b.repository, "Packages"), index.Bytes(), 0o644); err != nil {
		return err
	}
	text := fmt.Sprintf("Suite: %[1]s\nCodename: %[1]s\nSHA256:\n %x %d Packages\n", b.ref.Release, sha256.Sum256(index.Bytes()), index.Len())
	return os.WriteFile(filepath.Join(b.repository, "Release"), []byte(text), 0o644)
}

// plain builds the same with the same tools and their same options.
func (b *imageBench) plain(ctx context.Context) (_ map[string]float64, err error) {
	root, out := b.file("root"), b.file("root.squashfs")
	defer func() { err = errors.Join(err, os.RemoveAll(root), os.RemoveAll(out)) }()
	var names []string
	for _, p := range b.packages {
		names = append(names, p.Name)
	}
	argv := []string{
		"mmdebstrap", "--mode=root", "--format=directory", "--variant=essential", "--architectures=amd64",
		`--setup-hook=for d in bin sbin lib lib64; do mkdir -p "$1/usr/$d"; ln -s "usr/$d" "$1/$d"; done`,
		"--include=" + strings.Join(names, ","), "--dpkgopt=force-unsafe-io",
	}
	for _, without := range []string{"man", "info", "locale", "doc", "gtk-doc", "lintian"} {
		argv = append(argv, "--dpkgopt=path-exclude=/usr/share/"+without+"/*")
	}
	argv = append(argv, b.ref.Release, root, "deb [trusted=yes] copy://"+b.repository+" ./")
	began := time.Now()
	for _, step := range [][]string{argv, {"mksquashfs", root, out, "-noappend", "-no-progress", "-quiet", "-noI", "-noD", "-noF", "-noX"}} {
		said, err := exec.CommandContext(ctx, step[0], step[1:]...).CombinedOutput()
		if err != nil {
			return nil, fmt.Errorf("cannot run %s: %w: %s", step[0], err, said[max(0, len(said)-1000):])
		}
	}
	return map[string]float64{"build": time.Since(began).Seconds()}, nil
}
