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
	refs       []matrix.ImageRef
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
	c := Captured{components: []matrix.Component{component}}
	for _, k := range capture.KindsOf(component) {
		if ref := (matrix.ImageRef{Role: carriersOf(k)[0], Release: v.Releases[0]}); !slices.Contains(c.refs, ref) {
			c.refs = append(c.refs, ref)
		}
	}
	return c, nil
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
			if len(kindsOf(image, c)) > 0 {
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

// built are the images by the kinds that they have. What is not at hand is built.
func (d *Driver) built(ctx context.Context, cat *matrix.Catalog, c Captured) (map[string]store.Image, error) {
	images := []store.Image{c.image}
	if c.image.Name == "" {
		var err error
		if images, err = d.buildRefs(ctx, cat, c.refs); err != nil {
			return nil, err
		}
	}
	byKind := map[string]store.Image{}
	for _, image := range images {
		for _, component := range c.components {
			for _, kind := range kindsOf(image, component) {
				byKind[kind] = image
			}
		}
	}
	return byKind, nil
}

// buildRefs builds images from the packages of today.
func (d *Driver) buildRefs(ctx context.Context, cat *matrix.Catalog, refs []matrix.ImageRef) (images []store.Image, err error) {
	sources, err := d.sources(ctx, cat)
	if err != nil {
		return nil, err
	}
	for _, ref := range refs {
		set, err := d.recipes.ResolveImage(ctx, ref, sources)
		if err != nil {
			return nil, err
		}
		ref.Packages = set.Key()
		image, err := d.recipes.Build(ctx, ref, set, fixtures.Site{Store: d.store, Sources: sources, Room: d.room, Progress: d.tellBuild})
		if err != nil {
			return nil, err
		}
		images = append(images, image)
	}
	return images, nil
}

// Diffs compares what two images offer of the kinds that both have.
func (d *Driver) Diffs(ctx context.Context, cat *matrix.Catalog, old, new Captured) (diffs []capture.Diff, err error) {
	common := slices.DeleteFunc(slices.Clone(old.components), func(c matrix.Component) bool { return !slices.Contains(new.components, c) })
	if len(common) == 0 {
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
	var images [2]map[string]store.Image
	for i, c := range []Captured{old, new} {
		if images[i], err = d.built(ctx, cat, c); err != nil {
			return nil, err
		}
	}
	for _, k := range capture.Kinds() {
		from, inOld := images[0][k.Name]
		to, inNew := images[1][k.Name]
		if !inOld || !inNew {
			continue
		}
		was, err := d.capture(ctx, from, k, program)
		if err != nil {
			return nil, err
		}
		is, err := d.capture(ctx, to, k, program)
		if err != nil {
			return nil, err
		}
		diffs = append(diffs, capture.Compare(was, is))
	}
	return diffs, nil
}
