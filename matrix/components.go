package matrix

import (
	"cmp"
	"slices"
	"strings"

	debversion "github.com/knqyf263/go-deb-version"
)

// The words for the last and the first version of a component, wherever one
// is named.
const (
	Newest = "newest"
	Oldest = "oldest"
)

func axisName(a *Axis) string   { return a.Name }
func valueName(v *Value) string { return v.Name }
func (v *Value) series() string { return cmp.Or(v.Series, v.Name) }
func isComponent(a *Axis) bool  { return a.Component != "" }
func isSetting(a *Axis) bool    { return a.Component == "" }
func (a *Axis) has(k Kind) bool { return slices.Contains(a.Kinds, k) }
func (a *Axis) names() []string { return namesOf(a.Values, valueName) }

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

// kinds lists the kinds whose stack has the component.
func (c Component) kinds() []Kind {
	var out []Kind
	for _, k := range Kinds() {
		if slices.Contains(k.Components(), c) {
			out = append(out, k)
		}
	}
	return out
}

// Axis returns the axis with the name. An unknown one is an error that gives
// the nearest.
func (c *Catalog) Axis(name string) (*Axis, error) {
	return find(c.Axes, axisName, "axis", name)
}

// KindAxes lists the axes of a kind: its components, bottom first, then the
// settings.
func (c *Catalog) KindAxes(kind Kind) []*Axis {
	var components, settings []*Axis
	for i := range c.Axes {
		switch a := &c.Axes[i]; {
		case !a.has(kind):
		case isComponent(a):
			components = append(components, a)
		default:
			settings = append(settings, a)
		}
	}
	slices.SortFunc(components, func(x, y *Axis) int {
		return slices.Index(kind.Components(), x.Component) - slices.Index(kind.Components(), y.Component)
	})
	return append(components, settings...)
}

// Value returns a value of the axis; of a component also the newest and the
// oldest. An unknown one is an error that gives the nearest.
func (a *Axis) Value(name string) (*Value, error) {
	if isSetting(a) {
		return find(a.Values, valueName, "value of "+a.Name, name)
	}
	if len(a.Values) > 0 {
		switch name {
		case Newest:
			return &a.Values[len(a.Values)-1], nil
		case Oldest:
			return &a.Values[0], nil
		}
	}
	return find(a.Values, valueName, "version of "+a.Name, name)
}

// Version returns a version of a component; "newest" and "oldest" are versions
// as well. An unknown component or version is an error that gives the nearest.
func (c *Catalog) Version(comp Component, version string) (*Value, error) {
	a, err := c.component(comp)
	if err != nil {
		return nil, err
	}
	return a.Value(version)
}

func (c *Catalog) component(comp Component) (*Axis, error) {
	var names []string
	for i := range c.Axes {
		switch a := &c.Axes[i]; {
		case isSetting(a):
		case a.Component == comp:
			return a, nil
		default:
			names = append(names, a.Name)
		}
	}
	return nil, Unknown("component", string(comp), names)
}

// spelt returns patterns of cells' names with the versions that "newest" and
// "oldest" stand for: "qemu-newest".
func (c *Catalog) spelt(patterns []string) ([]string, error) {
	out := slices.Clone(patterns)
	for i := range c.Axes {
		a := &c.Axes[i]
		for _, name := range []string{Newest, Oldest} {
			if isSetting(a) {
				continue
			}
			v, err := a.Value(name)
			if err != nil {
				return nil, err
			}
			for i := range out {
				out[i] = strings.ReplaceAll(out[i], a.Name+"-"+name, a.Name+"-"+v.Name)
			}
		}
	}
	return out, nil
}

func (c *loader) readComponents() []key {
	return []key{required("components", keyed("component", components(), c.readComponent))}
}

// readComponent reads a component, or more of one that an included file has.
func (c *loader) readComponent(comp Component, n node) error {
	a, err := c.component(comp)
	if err != nil {
		c.Axes = append(c.Axes, Axis{
			Name: string(comp), Component: comp, Kinds: comp.kinds(), Packages: map[Kind][]string{},
		})
		a = &c.Axes[len(c.Axes)-1]
	}
	err = n.object(
		optional("packages", keyed("kind with "+a.Name, a.Kinds, func(kind Kind, n node) error {
			// What another kind of repository calls them comes with its file.
			globs := a.Packages[kind]
			err := unique(&globs, "package", glob)(n)
			a.Packages[kind] = globs
			return err
		})),
		required("versions", func(n node) error {
			err := n.entries(c.readVersion(a))
			if err == nil && len(a.Values) == 0 {
				err = n.errorf("%s has no version", comp)
			}
			return err
		}),
	)
	slices.SortFunc(a.Values, func(x, y Value) int {
		return cmp.Or(Compare(x.series(), y.series()), Compare(x.Name, y.Name))
	})
	return err
}

// readVersion reads a version: the releases that serve it, or a mapping of
// these and more.
func (c *loader) readVersion(a *Axis) func(name string, at, value node) error {
	return func(name string, at, value node) error {
		if !debversion.Valid(name) {
			return at.errorf("%q is not a version", name)
		}
		if err := c.claim(at, "version of "+a.Name, name); err != nil {
			return err
		}
		v := Value{Name: name, Weight: 1}
		releases := words(&v.Releases, "release", namesOf(c.Releases, releaseName))
		read := releases
		if value.isMapping() {
			read = func(n node) error {
				return n.object(required("releases", releases), optional("weight", weight(&v.Weight)), optional("series", series(&v.Series)))
			}
		}
		if err := read(value); err != nil {
			return err
		}
		a.Values = append(a.Values, v)
		return nil
	}
}

// series reads the upstream number of a version that has another name.
func series(to *string) reader {
	return func(n node) error {
		if err := text(to)(n); err != nil {
			return err
		}
		if !debversion.Valid(*to) {
			return n.errorf("%q is not a version", *to)
		}
		return nil
	}
}
