package matrix

import (
	"slices"

	debversion "github.com/knqyf263/go-deb-version"
)

func componentName(a *Axis) string { return a.Name }
func versionName(v *Value) string  { return v.Name }

// Kinds returns the hypervisor kinds.
func Kinds() []Kind { return []Kind{KVM, Xen} }

// components lists the components of all stacks, each once.
func components() []Component {
	var all []Component
	for _, k := range Kinds() {
		for _, c := range k.Components() {
			if !slices.Contains(all, c) {
				all = append(all, c)
			}
		}
	}
	return all
}

// Version returns a version of a component. An unknown component or version is
// an error that gives the nearest.
func (c *Catalog) Version(comp Component, version string) (*Value, error) {
	a, err := find(c.Axes, componentName, "component", string(comp))
	if err != nil {
		return nil, err
	}
	return find(a.Values, versionName, "version of "+string(comp), version)
}

func (c *Catalog) readComponents(root node) error {
	return root.object(required("components", keyed("component", components(), func(comp Component, n node) error {
		a := Axis{Name: string(comp), Component: comp}
		if err := n.entries(c.readVersion(&a)); err != nil {
			return err
		}
		slices.SortFunc(a.Values, func(x, y Value) int { return Compare(x.Name, y.Name) })
		c.Axes = append(c.Axes, a)
		return nil
	})))
}

func (c *Catalog) readVersion(a *Axis) func(name string, at, value node) error {
	return func(name string, at, value node) error {
		if !debversion.Valid(name) {
			return at.errorf("%q is not a version", name)
		}
		v := Value{Name: name}
		if err := words(&v.Releases, "release", namesOf(c.Releases, releaseName))(value); err != nil {
			return err
		}
		a.Values = append(a.Values, v)
		return nil
	}
}
