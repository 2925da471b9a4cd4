package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/virtmatrix/virtmatrix/fixtures"
	"github.com/virtmatrix/virtmatrix/fixtures/rpmdist"
	"github.com/virtmatrix/virtmatrix/internal/run"
	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/internal/source/apt"
	"github.com/virtmatrix/virtmatrix/internal/source/registry"
)

// rpmRelease is the release of the test distribution whose packages are resolved.
const rpmRelease = "el7-made"

// resolve measures how long the packages of a userland of RPMs take to be found: cold,
// with repositories that were never read, and warm, with another question to the same.
func resolve(ctx context.Context, l *lab) ([]side, []row, error) {
	made := l.file("rpmdist")
	o := rpmdist.Options{Home: l.home, Mirror: os.Getenv(apt.MirrorEnv), Dir: made, Tell: func(text string) { l.say("%s", text) }}
	if err := rpmdist.Make(ctx, o); err != nil {
		return nil, nil, err
	}
	recipes, err := fixtures.Load()
	if err != nil {
		return nil, nil, err
	}
	recipe, err := recipes.Recipe(fixtures.UserlandKVM, rpmRelease)
	if err != nil {
		return nil, nil, err
	}
	cat, err := run.Catalog(filepath.Join(made, rpmdist.Matrix), l.home)
	if err != nil {
		return nil, nil, err
	}
	names := recipe.Packages
	ourly := func(ctx context.Context) (figures, error) {
		home := l.file("resolved")
		if err := errors.Join(os.RemoveAll(home), os.Mkdir(home, 0o755)); err != nil {
			return nil, err
		}
		return coldAndWarm(func(names []string) error {
			sources, err := registry.Open(ctx, registry.Options{Home: home}, cat)
			if err != nil {
				return err
			}
			_, err = sources[rpmRelease].Resolve(ctx, source.Request{Release: rpmRelease, Names: names, Base: true})
			return err
		}, names)
	}
	plainly := func(ctx context.Context) (figures, error) {
		dir := l.file("plainly")
		if err := errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o755), os.WriteFile(filepath.Join(dir, "dnf.conf"), []byte("[main]\n"), 0o644)); err != nil {
			return nil, err
		}
		return coldAndWarm(func(names []string) error { return assume(ctx, made, dir, names) }, names)
	}
	about := fmt.Sprintf("%d packages of %s asked of dnf", len(names), rpmRelease)
	return []side{{ours, ourly}, {plain, plainly}}, []row{
		{what: about + ", repositories never read", figure: "cold", unit: "s", plain: plain},
		{what: about + ", repositories read before", figure: "warm", unit: "s", plain: plain},
	}, nil
}

// coldAndWarm times a first question and another one. Its last name is left out, so
// that nobody remembers the answer.
func coldAndWarm(ask func(names []string) error, names []string) (figures, error) {
	f := figures{}
	for _, q := range []struct {
		name  string
		names []string
	}{{"cold", names}, {"warm", names[:len(names)-1]}} {
		began := time.Now()
		if err := ask(q.names); err != nil {
			return nil, err
		}
		f[q.name] = time.Since(began).Seconds()
	}
	return f, nil
}

// assume asks dnf itself what it would install into an empty root, and answers no.
func assume(ctx context.Context, made, dir string, names []string) error {
	args := []string{"-c", "import sys; from dnf.cli import main; main.user_main(sys.argv[1:], exit_code=True)", "--installroot=" + filepath.Join(dir, "root"), "--config=" + filepath.Join(dir, "dnf.conf"), "--setopt=cachedir=" + filepath.Join(dir, "cache"), "--setopt=reposdir=/dev/null",
		"--setopt=install_weak_deps=0", "--releasever=7", "--repofrompath=sig,file://" + filepath.Join(made, "sig"), "--repofrompath=base,file://" + filepath.Join(made, "base"), "--nogpgcheck", "--assumeno", "install"}
	out, err := exec.CommandContext(ctx, "/usr/bin/python3", append(append(args, names...), "basesystem", "bash", "coreutils", "system-release")...).CombinedOutput()
	if !strings.Contains(string(out), "Operation aborted") {
		return fmt.Errorf("cannot ask dnf: %w: %s", errors.Join(err, errors.New("it gave no answer")), out[max(0, len(out)-2000):])
	}
	return nil
}
