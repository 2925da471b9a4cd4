package matrix

import (
	"fmt"
	"slices"
	"strings"
)

// tied lists the components of a kind that must come from one release. Xen's
// toolstack talks to its hypervisor through interface numbers that change with
// most releases, and libvirt's Xen driver links that toolstack.
var tied = map[Kind][]Component{Xen: {XenHyp, Libvirt}}

// compose chooses a release for each component of a stack: one for all of them
// if there is one. Otherwise libvirt's preferred release is the userland, what
// that serves too comes from there, and the rest from where it is preferred.
func (c *Catalog) compose(kind Kind, versions map[Component]string) (Cell, error) {
	serving, series := map[Component][]string{}, map[Component]string{}
	for _, comp := range kind.Components() {
		v, err := c.Version(comp, versions[comp])
		if err != nil {
			return Cell{}, err
		}
		serving[comp], series[comp] = v.Releases, v.Series
	}
	cell := Cell{Kind: kind, Composition: Native}
	userland, ok := common(serving, kind.Components())
	if !ok {
		cell.Composition = Bundled
		must := append([]Component{Libvirt}, tied[kind]...)
		if userland, ok = common(serving, must); !ok {
			return Cell{}, untied(kind, versions, serving)
		}
	}
	cell.Userland = userland
	for _, comp := range kind.Components() {
		release := userland
		if !slices.Contains(serving[comp], userland) {
			release = serving[comp][0]
		}
		cell.Stack = append(cell.Stack, Choice{Component: comp, Version: versions[comp], Series: series[comp], Release: release})
	}
	return cell, nil
}

// common returns the first release, in libvirt's order of preference, that
// serves all these components.
func common(serving map[Component][]string, all []Component) (release string, ok bool) {
	for _, r := range serving[Libvirt] {
		serves := func(comp Component) bool { return slices.Contains(serving[comp], r) }
		if !slices.ContainsFunc(all, func(comp Component) bool { return !serves(comp) }) {
			return r, true
		}
	}
	return "", false
}

func untied(kind Kind, versions map[Component]string, serving map[Component][]string) error {
	var where []string
	for _, comp := range tied[kind] {
		where = append(where, fmt.Sprintf("%s %s is in %s", comp, versions[comp], strings.Join(serving[comp], ", ")))
	}
	return fmt.Errorf("%s of a %s cell must come from one release, but %s",
		strings.Join(plain(tied[kind]), " and "), kind, strings.Join(where, "; "))
}

// cell composes the cell of a kind and tier that has a value on each component,
// and on the settings that are not to be the default. A composition may be a value
// as well.
func (c *Catalog) cell(kind Kind, tier Tier, values map[string]string) (Cell, error) {
	versions, given := map[Component]string{}, map[string]string{}
	for axis, value := range values {
		if axis == CompositionAxis {
			continue
		}
		if slices.Contains(kind.Components(), Component(axis)) {
			versions[Component(axis)] = value
		} else {
			given[axis] = value
		}
	}
	cell, err := c.compose(kind, versions)
	if err != nil {
		return Cell{}, err
	}
	if err := cell.recompose(Composition(values[CompositionAxis])); err != nil {
		return Cell{}, err
	}
	if cell.Settings, err = c.settings(kind, versions, given); err != nil {
		return Cell{}, err
	}
	cell.Tier = tier
	cell.ID = cell.identity()
	return cell, nil
}

// recompose gives a cell the composition that it is to have; empty leaves the one that
// was chosen.
func (c *Cell) recompose(as Composition) error {
	switch {
	case as == "" || as == c.Composition:
		return nil
	case as == Native:
		return fmt.Errorf("no release has all of its components, so it cannot be %s", as)
	case c.Kind != KVM:
		return fmt.Errorf("a %s cell has nothing that could be %s: only qemu is taken out of its release", c.Kind, as)
	}
	c.Composition = as
	return nil
}
