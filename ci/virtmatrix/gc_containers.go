package main

import (
	"errors"
	"path/filepath"

	"github.com/virtmatrix/virtmatrix/internal/container"
	"github.com/virtmatrix/virtmatrix/internal/store"
)

// orphans removes containers that killed runs left: made and not started, or in the
// hands of a Docker that was killed as well.
func (g *collector) orphans() error {
	if g.engine == nil {
		return nil
	}
	orphans, err := g.engine.Orphans(g.ctx)
	if err != nil {
		return err
	}
	for _, o := range orphans {
		if err := g.remove(o.String(), 0, func() error { return g.engine.Remove(g.ctx, o) }); err != nil {
			return err
		}
	}
	return nil
}

// derived removes what was made for containers of images that are no more: what
// Docker imported, and bundles as folders; and of those what was changed on disk.
func (g *collector) derived(images []store.Image) error {
	if g.engine == nil {
		return nil
	}
	home, err := filepath.Abs(g.Home)
	if err != nil {
		return err
	}
	there, viewed := digests(images), map[string]bool{}
	for sum := range there {
		viewed[container.ViewName(sum)] = true
	}
	views, err := g.engine.Views(g.ctx, home)
	if err != nil {
		return err
	}
	for _, dir := range views {
		var changed *container.ChangedViewError
		if viewed[filepath.Base(dir)] && !errors.As(container.VerifyView(dir), &changed) {
			continue
		}
		err := g.remove(dir, sizeOf(dir), func() error { return g.engine.RemoveView(g.ctx, home, dir) })
		if err != nil && !errors.Is(err, container.ErrViewUsed) {
			return err
		}
	}
	imported, err := g.engine.Images(g.ctx, home)
	if err != nil {
		return err
	}
	for _, i := range imported {
		if there[i.Root] {
			continue
		}
		if err := g.remove("Docker's image "+i.Ref, i.Bytes, func() error { return g.engine.RemoveImage(g.ctx, i) }); err != nil {
			return err
		}
	}
	return nil
}

// digests are the SHA-256 of all files of images.
func digests(images []store.Image) map[string]bool {
	sums := map[string]bool{}
	for _, i := range images {
		for _, f := range i.Meta.Files {
			sums[f.SHA256] = true
		}
	}
	return sums
}
