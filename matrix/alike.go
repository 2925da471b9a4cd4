package matrix

import (
	"fmt"
	"maps"
	"slices"
)

// Alike composes the cell that is another one but for its values on some axes. Where the
// other has a setting by default, the new cell has its own default.
func (c *Catalog) Alike(cell *Cell, values map[string]string) (Cell, error) {
	all := map[string]string{}
	for _, choice := range cell.Stack {
		all[string(choice.Component)] = choice.Version
	}
	for _, s := range cell.Settings {
		if !s.Default {
			all[s.Axis] = s.Value
		}
	}
	if cell.Twin() {
		all[CompositionAxis] = string(Bundled)
	}
	maps.Copy(all, values)
	alike, err := c.cell(cell.Kind, cell.Tier, all)
	if err == nil {
		err = allowed(&alike, c.Constraints)
	}
	if err != nil {
		return Cell{}, fmt.Errorf("cannot compose %s with %v: %w", cell.ID, values, err)
	}
	return alike, nil
}

// Having returns the catalogue with a profile more, of cells that Alike composed.
func (c *Catalog) Having(profile string, cells []Cell) *Catalog {
	out := *c
	out.Profiles = append(slices.Clone(c.Profiles), Profile{Name: profile, Cells: cells})
	return &out
}

// As gives the plan the packages that another one has of the same images, as far as it has
// them, and its emulator. The plan is to be sealed anew.
func (p *Plan) As(of *Plan) {
	use := func(ref ImageRef) { p.PackageSets[ref.Packages] = of.PackageSets[ref.Packages] }
	if of.Emulator.Packages != "" {
		p.Emulator = of.Emulator
		use(p.Emulator)
	}
	for i := range p.Cells {
		cell := &p.Cells[i]
		for j, image := range cell.Images {
			if ref, ok := of.image(image.Role, image.Release); ok {
				cell.Images[j] = ref
				use(ref)
			}
		}
		for j, check := range cell.Checks {
			if m, ok := of.Machine(check.Hosts.Machine); ok {
				cell.Checks[j].Hosts.Machine = m
				use(m)
			}
		}
		for j, choice := range cell.Stack {
			if same, ok := of.choice(choice); ok {
				cell.Stack[j].Package = same.Package
			}
		}
	}
	used := map[string]bool{p.Emulator.Packages: true}
	for _, cell := range p.Cells {
		for _, check := range cell.Checks {
			used[check.Hosts.Added], used[check.Hosts.Machine.Packages] = true, true
		}
		for _, image := range cell.Images {
			used[image.Packages] = true
		}
	}
	maps.DeleteFunc(p.PackageSets, func(key string, _ PackageSet) bool { return !used[key] })
}

// image is what the plan has of a role from a release.
func (p *Plan) image(role, release string) (ImageRef, bool) {
	for _, cell := range p.Cells {
		for _, ref := range cell.Images {
			if ref.Role == role && ref.Release == release {
				return ref, true
			}
		}
	}
	return ImageRef{}, false
}

// Machine is what the plan has of an image that guests boot whole.
func (p *Plan) Machine(want ImageRef) (ImageRef, bool) {
	for _, cell := range p.Cells {
		for _, check := range cell.Checks {
			if m := check.Hosts.Machine; m.Packages != "" && m.Role == want.Role && m.Release == want.Release {
				return m, true
			}
		}
	}
	return ImageRef{}, false
}

// choice is what the plan has of a component at a version from a release.
func (p *Plan) choice(of Choice) (Choice, bool) {
	for _, cell := range p.Cells {
		if c, ok := cell.Choice(of.Component); ok && c.Version == of.Version && c.Release == of.Release {
			return c, true
		}
	}
	return Choice{}, false
}
