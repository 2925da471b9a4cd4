package run

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/virtmatrix/virtmatrix/fixtures"
	"github.com/virtmatrix/virtmatrix/internal/capture"
	"github.com/virtmatrix/virtmatrix/internal/owner"
	"github.com/virtmatrix/virtmatrix/internal/store"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// Captured is an image whose captures are asked for: one of the store, or one that is
// built when it is not at hand.
type Captured struct {
	image      store.Image
	ref        matrix.ImageRef
	components []matrix.Component
}

// Captured finds what a name stands for: a version of a component ("qemu=7.2"), or an
// image of the store. An unknown one is an error that gives the nearest.
func (d *Driver) Captured(cat *matrix.Catalog, name string) (Captured, error) {
	axis, version, ok := strings.Cut(name, "=")
	if !ok {
		return d.capturedImage(name)
	}
	component := matrix.Component(axis)
	v, err := cat.Version(component, version)
	if err != nil {
		return Captured{}, fmt.Errorf("cannot compare %q: %w", name, err)
	}
	return Captured{ref: matrix.ImageRef{Role: carriers[component][0], Release: v.Releases[0]}, components: []matrix.Component{component}}, nil
}

// capturedImage finds an image of the store by its name, with all that it carries.
func (d *Driver) capturedImage(name string) (Captured, error) {
	images, err := d.store.List()
	if err != nil {
		return Captured{}, err
	}
	var names []string
	for _, image := range images {
		var components []matrix.Component
		for _, c := range []matrix.Component{matrix.Linux, matrix.QEMU, matrix.Libvirt, matrix.XenHyp} {
			if slices.Contains(carriers[c], image.Meta.Spec.Role) {
				components = append(components, c)
			}
		}
		if components == nil {
			continue
		}
		if image.Name == name {
			return Captured{image: image, components: components}, nil
		}
		names = append(names, image.Name)
	}
	return Captured{}, fmt.Errorf("cannot compare %q, which is not COMPONENT=VERSION: %w", name, matrix.Unknown("image", name, names))
}

// built is the image, which is built when it is not at hand.
func (d *Driver) built(ctx context.Context, cat *matrix.Catalog, c Captured) (store.Image, error) {
	if c.image.Name != "" {
		return c.image, nil
	}
	sources, err := d.sources(ctx, cat)
	if err != nil {
		return store.Image{}, err
	}
	set, err := d.recipes.ResolveImage(ctx, c.ref, sources)
	if err != nil {
		return store.Image{}, err
	}
	c.ref.Packages = set.Key()
	return d.recipes.Build(ctx, c.ref, set, fixtures.Site{Store: d.store, Sources: sources, Room: d.room, Progress: d.tellBuild})
}

// Diffs compares what two images offer of the components that both have, kind by kind.
func (d *Driver) Diffs(ctx context.Context, cat *matrix.Catalog, old, new Captured) (diffs []capture.Diff, err error) {
	kinds := slices.DeleteFunc(capture.Kinds(), func(k capture.Kind) bool {
		return !slices.Contains(old.components, k.Component) || !slices.Contains(new.components, k.Component)
	})
	if len(kinds) == 0 {
		return nil, fmt.Errorf("cannot compare %v with %v: there is nothing that both have", old.components, new.components)
	}
	folder, err := owner.NewFolder(d.config.Runtime, "bin-")
	if err != nil {
		return nil, err
	}
	defer folder.Remove()
	program, err := buildProgram(ctx, capture.Program, folder.Path)
	if err != nil {
		return nil, err
	}
	var images [2]store.Image
	for i, c := range []Captured{old, new} {
		if images[i], err = d.built(ctx, cat, c); err != nil {
			return nil, err
		}
	}
	for _, k := range kinds {
		var sets [2]capture.Set
		for i, image := range images {
			if sets[i], err = d.capture(ctx, image, k, program); err != nil {
				return nil, err
			}
		}
		diffs = append(diffs, capture.Compare(sets[0], sets[1]))
	}
	return diffs, nil
}
