package matrix

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Names become parts of a cell's identity, "_firmware-uefi": an axis ends at
// the first dash, and a value at the next underscore.
var (
	axisWord  = regexp.MustCompile(`^[a-z][a-z0-9]*$`)
	valueWord = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.+-]*$`)
	// hole stands in a default for the cell's version of a component.
	hole = regexp.MustCompile(`\{[^{}]*\}`)
)

// reserved words of the files are no names of axes or values.
var reserved = []string{"all", "kind", "why", "never", CompositionAxis, TierAxis, Newest, Oldest}

func (c *loader) readSettings() []key {
	return []key{required("axes", list(c.readSetting))}
}

func (c *loader) readSetting(n node) error {
	a := Axis{Kinds: Kinds()}
	var fallback node
	err := n.object(
		required("name", func(n node) error { return c.readAxisName(n, &a) }),
		required("title", text(&a.Title)),
		optional("kinds", func(n node) error {
			a.Kinds = nil
			return words(&a.Kinds, "kind", Kinds())(n)
		}),
		required("values", each(func(n node) error { return a.readValue(n) })),
		required("default", func(n node) error { fallback = n; return text(&a.Default)(n) }),
	)
	if err != nil {
		return err
	}
	if err := c.verifyDefault(&a); err != nil {
		return fallback.wrap(err)
	}
	c.Axes = append(c.Axes, a)
	return nil
}

func (c *loader) readAxisName(n node, a *Axis) error {
	if err := part(&a.Name, axisWord, "an axis", "a small letter, then small letters and digits")(n); err != nil {
		return err
	}
	if slices.Contains(components(), Component(a.Name)) {
		return n.errorf("axis %q is a component; its values are in components.yaml", a.Name)
	}
	return c.claim(n, "axis", a.Name)
}

// readValue reads a value: a word, or a mapping of its name and its weight.
func (a *Axis) readValue(n node) error {
	v := Value{Weight: 1}
	name := func(n node) error {
		err := part(&v.Name, valueWord, "a value", `letters, digits, ".", "+" and "-"`)(n)
		if err == nil && slices.Contains(a.names(), v.Name) {
			err = n.errorf("duplicate value %q of %s", v.Name, a.Name)
		}
		return err
	}
	read := name
	if n.isMapping() {
		read = func(n node) error { return n.object(required("name", name), optional("weight", weight(&v.Weight))) }
	}
	if err := read(n); err != nil {
		return err
	}
	a.Values = append(a.Values, v)
	return nil
}

// part reads a text that can be a part of a cell's identity.
func part(to *string, form *regexp.Regexp, what, made string) reader {
	return func(n node) error {
		if err := text(to)(n); err != nil {
			return err
		}
		if slices.Contains(reserved, *to) {
			return n.errorf("%q has a meaning of its own here and cannot be %s", *to, what)
		}
		if !form.MatchString(*to) {
			return n.errorf("%q cannot be %s: it is part of the names of cells and made of %s", *to, what, made)
		}
		return nil
	}
}

// verifyDefault says whether the default is a value in every cell.
func (c *Catalog) verifyDefault(a *Axis) error {
	var varying []*Axis
	for _, h := range hole.FindAllString(a.Default, -1) {
		name := strings.Trim(h, "{}")
		var shared []string
		for _, comp := range components() {
			if !slices.ContainsFunc(a.Kinds, func(k Kind) bool { return !slices.Contains(comp.kinds(), k) }) {
				shared = append(shared, string(comp))
			}
		}
		if !slices.Contains(shared, name) {
			return Unknown("component of "+strings.Join(plain(a.Kinds), " and ")+" cells", name, shared)
		}
		comp, err := c.component(Component(name))
		if err != nil {
			return err
		}
		varying = append(varying, comp)
	}
	return c.verifyFilled(a, varying, map[Component]string{})
}

// verifyFilled tries the default with each version of the components that are
// still to be filled in.
func (c *Catalog) verifyFilled(a *Axis, varying []*Axis, versions map[Component]string) error {
	if len(varying) > 0 {
		for _, v := range varying[0].Values {
			versions[varying[0].Component] = v.Name
			if err := c.verifyFilled(a, varying[1:], versions); err != nil {
				return err
			}
		}
		return nil
	}
	value := c.defaultOf(a, versions)
	if _, err := a.Value(value); err == nil || len(versions) == 0 {
		return err
	}
	var with []string
	for _, comp := range slices.Sorted(maps.Keys(versions)) {
		with = append(with, string(comp)+" "+versions[comp])
	}
	return fmt.Errorf("the default of cells with %s is %q, which is no value of %s; add it to values", strings.Join(with, ", "), value, a.Name)
}

// defaultOf returns a setting's default in a cell with these versions: what follows
// one follows its series.
func (c *Catalog) defaultOf(a *Axis, versions map[Component]string) string {
	return hole.ReplaceAllStringFunc(a.Default, func(h string) string {
		comp := Component(strings.Trim(h, "{}"))
		if v, err := c.Version(comp, versions[comp]); err == nil {
			return v.series()
		}
		return versions[comp]
	})
}

// settings returns the settings of a cell of the kind with these versions, in
// the catalogue's order: those given, and the defaults of the others.
func (c *Catalog) settings(kind Kind, versions map[Component]string, given map[string]string) ([]Setting, error) {
	var out []Setting
	var names []string
	for _, a := range c.KindAxes(kind) {
		if isComponent(a) {
			continue
		}
		names = append(names, a.Name)
		s := Setting{Axis: a.Name, Value: c.defaultOf(a, versions), Default: true}
		if want, ok := given[a.Name]; ok {
			if _, err := a.Value(want); err != nil {
				return nil, err
			}
			s.Default, s.Value = want == s.Value, want
		}
		out = append(out, s)
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if !slices.Contains(names, name) {
			return nil, Unknown("setting of "+string(kind)+" cells", name, names)
		}
	}
	return out, nil
}
