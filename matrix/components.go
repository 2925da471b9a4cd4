package matrix

import (
	"slices"

	debversion "github.com/knqyf263/go-deb-version"
)

// Axis is one component with the versions under test, oldest first.
type Axis struct {
	Component Component
	Versions  []Version
}

// Version is one version of a component and where to get it.
type Version struct {
	// Name is the upstream series, as cells name it: "6.12".
	Name string
	// Releases serve it, the preferred one first.
	Releases []string
}

func componentName(a *Axis) string  { return string(a.Component) }
func versionName(v *Version) string { return v.Name }

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
func (c *Catalog) Version(comp Component, version string) (*Version, error) {
	a, err := find(c.Axes, componentName, "component", string(comp))
	if err != nil {
		return nil, err
	}
	return find(a.Versions, versionName, "version of "+string(comp), version)
}

func (c *Catalog) readComponents(root node) error {
	return root.object(required("components", keyed("component", components(), func(comp Component, n node) error {
		a := Axis{Component: comp}
		if err := n.entries(c.readVersion(&a)); err != nil {
			return err
		}
		slices.SortFunc(a.Versions, func(x, y Version) int { return Compare(x.Name, y.Name) })
		c.Axes = append(c.Axes, a)
		return nil
	})))
}

func (c *Catalog) readVersion(a *Axis) func(name string, at, value node) error {
	return func(name string, at, value node) error {
		if !debversion.Valid(name) {
			return at.errorf("%q is not a version", name)
		}
		v := Version{Name: name}
		if err := words(&v.Releases, "release", namesOf(c.Releases, releaseName))(value); err != nil {
			return err
		}
		a.Versions = append(a.Versions, v)
		return nil
	}
}
