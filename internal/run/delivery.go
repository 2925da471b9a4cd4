package run

import (
	"context"
	"slices"

	"github.com/virtmatrix/virtmatrix/fixtures"
	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// Delivery is how the packages of a candidate's cell come to a host. Its errors are the
// source's, or ours.
type Delivery struct {
	hosts     *Hosts
	catalog   *matrix.Catalog
	cell, was *matrix.Cell
	candidate matrix.Candidate
	// from is the source with the candidate.
	from source.Deliverer
}

// Delivery returns that of a cell of the plan's candidate.
func (h *Hosts) Delivery(ctx context.Context, cat *matrix.Catalog, cell *matrix.Cell) (*Delivery, error) {
	if h.plan.Candidate == nil {
		return nil, fault.Infraf("look at the delivery", "the plan has no candidate")
	}
	d := &Delivery{hosts: h, catalog: cat, cell: cell, was: h.plan.Cell(cell.Baseline)}
	return d, d.lay(ctx, *h.plan.Candidate)
}

// lay has the candidate be this one.
func (d *Delivery) lay(ctx context.Context, c matrix.Candidate) error {
	cat, err := d.catalog.Laying(&c)
	if err != nil {
		return err
	}
	sources, err := d.hosts.driver.sources(ctx, cat)
	if err != nil {
		return err
	}
	src, err := sources.For(c.Release)
	if err != nil {
		return err
	}
	from, ok := src.(source.Deliverer)
	if !ok {
		return fault.Infraf("look at the delivery", "the kind of repository of %s shows none", c.Over)
	}
	d.candidate, d.from = c, from
	return nil
}

// Candidate is what is delivered.
func (d *Delivery) Candidate() matrix.Candidate { return d.candidate }

// Resolve finds what an installation of the packages takes.
func (d *Delivery) Resolve(ctx context.Context, names ...string) (matrix.PackageSet, error) {
	return d.from.Resolve(ctx, source.Request{Release: d.candidate.Release, Names: names})
}

// Released are the packages of the candidate's component that the release below has.
func (d *Delivery) Released(ctx context.Context) (matrix.PackageSet, error) {
	axis, err := d.catalog.Axis(string(d.candidate.Component))
	if err != nil {
		return matrix.PackageSet{}, err
	}
	return d.from.Belonging(ctx, d.candidate.Over, axis.Packages[d.cell.Kind])
}

// Inspect reads what the packages of a set say and hold.
func (d *Delivery) Inspect(ctx context.Context, set matrix.PackageSet) ([]source.Content, error) {
	if err := d.from.Fetch(ctx, set, nil); err != nil {
		return nil, err
	}
	return d.from.Inspect(ctx, set)
}

// Signatures says of each index that an installation reads who answers for it.
func (d *Delivery) Signatures(ctx context.Context, keyring string) ([]source.Signature, error) {
	return d.from.Signatures(ctx, d.candidate.Release, keyring)
}

// Plant has the candidate have a package more, which is asked for with what the cell's
// hosts have.
func (d *Delivery) Plant(ctx context.Context, p source.Planted) error {
	c, err := d.from.Plant(ctx, d.candidate, p)
	if err != nil {
		return err
	}
	return d.lay(ctx, c)
}

// Sets are what the cell's root has without the candidate and with it. What hosts have in
// an image of its own (a kernel, another emulator) is in the root with it as well.
func (d *Delivery) Sets(ctx context.Context) (was, now matrix.PackageSet, err error) {
	if d.was == nil {
		return was, now, fault.Infraf("look at the delivery", "cell %s has no baseline", d.cell.ID)
	}
	plan := d.hosts.plan
	root, _ := d.was.Image(rootRole(d.was))
	was = plan.PackageSets[root.Packages]
	recipe, err := d.hosts.driver.recipes.Recipe(root.Role, root.Release)
	if err != nil {
		return was, now, err
	}
	names := slices.Clone(recipe.Packages)
	for _, p := range d.candidate.Packages {
		planted := !slices.ContainsFunc(plan.Candidate.Packages, func(o matrix.Package) bool { return o == p })
		apart := slices.ContainsFunc(d.cell.Images, func(ref matrix.ImageRef) bool {
			set := plan.PackageSets[ref.Packages]
			return ref.Role != root.Role && slices.Contains(set.Packages, p)
		})
		if planted || apart {
			names = append(names, p.Name)
		}
	}
	now, err = d.from.Resolve(ctx, source.Request{Release: d.candidate.Release, Names: names, Base: true})
	return was, now, err
}

// Move takes the root of the cell's baseline, with the release's packages or with the
// oldest that it has, to what the cell has, or back. The commands are run in the root before
// and after it.
func (d *Delivery) Move(ctx context.Context, way source.Way, before, after string) (source.Moved, error) {
	from, to, err := d.Sets(ctx)
	if err != nil {
		return source.Moved{}, err
	}
	var image string
	switch way {
	case source.Upgrade:
		image, err = d.root(d.was)
	case source.Downgrade:
		from, to = to, from
		image, err = d.root(d.cell)
	case source.UpgradeOldest:
		from, image, err = d.oldest(ctx)
	}
	if err == nil {
		err = d.from.Fetch(ctx, to, nil)
	}
	if err != nil {
		return source.Moved{}, err
	}
	moved, err := d.from.Move(ctx, source.Move{Image: image, From: from, To: to, Before: before, After: after})
	moved.From, moved.To = from, to
	return moved, err
}

// root is the file system of a cell's hosts.
func (d *Delivery) root(cell *matrix.Cell) (string, error) {
	image := d.hosts.images.file(cell, fixtures.RootFile, fixtures.UserlandKVM, fixtures.UserlandXen)
	if image == "" {
		return "", fault.Infraf("move packages", "the root of %s is not built", cell.ID)
	}
	return image, nil
}

// oldest is the root of the cell's baseline with the oldest build of the component that the
// release has, which is built for it.
func (d *Delivery) oldest(ctx context.Context) (set matrix.PackageSet, image string, err error) {
	ref, _ := d.was.Image(rootRole(d.was))
	driver := d.hosts.driver
	recipe, err := driver.recipes.Recipe(ref.Role, ref.Release)
	if err != nil {
		return set, "", err
	}
	axis, err := d.catalog.Axis(string(d.candidate.Component))
	if err != nil {
		return set, "", err
	}
	set, err = d.from.Resolve(ctx, source.Request{
		Release: ref.Release, Names: recipe.Packages, Base: recipe.Base(), Oldest: axis.Packages[d.cell.Kind],
	})
	if err != nil {
		return set, "", err
	}
	ref.Packages = set.Key()
	built, err := driver.recipes.Build(ctx, ref, set, driver.site(source.Sources{ref.Release: d.from}))
	return set, built.Path(fixtures.RootFile), err
}

// Publisher shows what the release brings beside the packages of hosts.
func (d *Delivery) Publisher() (source.Publisher, error) {
	p, ok := d.from.(source.Publisher)
	if !ok {
		return nil, fault.Infraf("look at what is published", "the kind of repository of %s shows nothing of it", d.candidate.Over)
	}
	return p, nil
}

// rootRole is the role of the image that has a cell's root.
func rootRole(c *matrix.Cell) string {
	if c.Kind == matrix.Xen {
		return fixtures.UserlandXen
	}
	return fixtures.UserlandKVM
}
