package run

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/virtmatrix/virtmatrix/fixtures"
	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// Served is what a release has of a role: its packages, or why they cannot be had.
type Served struct {
	Release, Role string
	Set           matrix.PackageSet
	Err           error
}

// Releases asks the repositories of each release for all that recipes want of it, and
// fetches the smallest package from each, which shows whether it is signed as the
// catalogue says.
func (d *Driver) Releases(ctx context.Context, cat *matrix.Catalog, tell func(Served)) error {
	sources, err := d.sources(ctx, cat)
	if err != nil {
		return err
	}
	for _, r := range cat.Releases {
		src, err := sources.For(r.Name)
		if err != nil {
			return err
		}
		for _, role := range slices.Sorted(maps.Keys(d.recipes.Roles)) {
			recipe, err := d.recipes.Recipe(role, r.Name)
			if err != nil || !wanted(cat, recipe) {
				continue
			}
			set, err := d.recipes.ResolveImage(ctx, matrix.ImageRef{Role: role, Release: r.Name}, sources)
			if err == nil {
				err = src.Fetch(ctx, smallest(set), source.Progress(nil))
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
			tell(Served{r.Name, role, set, err})
		}
	}
	return nil
}

// wanted says whether a catalogue takes from a release all that an image stands for: no
// cell has the others.
func wanted(cat *matrix.Catalog, recipe fixtures.Recipe) bool {
	for c := range recipe.Lead {
		served := slices.ContainsFunc(cat.Axes, func(a matrix.Axis) bool {
			return a.Component == c && slices.ContainsFunc(a.Values, func(v matrix.Value) bool { return slices.Contains(v.Releases, recipe.Release) })
		})
		if !served {
			return false
		}
	}
	return true
}

// smallest is the set with one package of each repository.
func smallest(set matrix.PackageSet) matrix.PackageSet {
	of := map[string]matrix.Package{}
	for _, p := range set.Packages {
		if least, ok := of[p.Repository]; !ok || p.Size < least.Size {
			of[p.Repository] = p
		}
	}
	set.Packages = slices.SortedFunc(maps.Values(of), func(a, b matrix.Package) int { return cmp.Compare(a.Name, b.Name) })
	return set
}
