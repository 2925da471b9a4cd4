package matrix

import (
	"slices"
	"strings"

	"github.com/virtmatrix/virtmatrix/matrix/cover"
)

// all stands for every axis, or for every value of one.
const all = "all"

// readCover reads what the generated cells of a kind cover.
func (c *loader) readCover(n node, p *Profile) error {
	kind, err := cellKind(n)
	if err != nil {
		return err
	}
	var strength, every node
	cov := Cover{Kind: kind, Tier: Nested}
	err = n.object(
		required("kind", word(&cov.Kind, "kind", Kinds())),
		optional("tier", readTier(&cov.Tier, kind)),
		required("strength", func(n node) error {
			strength = n
			return integer(&cov.Strength, 1, cover.MaxStrength)(n)
		}),
		required("axes", func(n node) error { return c.readVaried(n, &cov) }),
		optional("every", func(n node) error { every = n; return nil }),
		optional("exclude", each(func(n node) error {
			k, err := c.readConstraint(n, kind)
			cov.Exclude = append(cov.Exclude, k)
			return err
		})),
		optional("checks", func(n node) (err error) {
			cov.Checks, err = c.readSelectors(n)
			return err
		}),
	)
	if err != nil {
		return err
	}
	if err := c.claim(n, "cover of profile "+p.Name, cov.name()); err != nil {
		return err
	}
	if cov.Strength > len(cov.Axes) {
		return strength.errorf("strength %d is more than the %d axes that vary", cov.Strength, len(cov.Axes))
	}
	if every.ast != nil {
		// Only axes that vary have combinations.
		if err := words(&cov.Every, "axis that varies", namesOf(cov.Axes, variedAxis))(every); err != nil {
			return err
		}
	}
	p.Covers = append(p.Covers, cov)
	return nil
}

// asks says whether the cover is of cells such as this one of its profile.
func (c *Cover) asks(cell *Cell) bool { return c.Kind == cell.Kind && c.Tier == cell.Tier }

// name calls the cells of a cover: "kvm", or "kvm container".
func (c *Cover) name() string { return hostType{c.Tier, c.Kind}.String() }

func variedAxis(v *Varied) string { return v.Axis }

// readVaried reads which axes vary, and over which values: all of both, or by
// name.
func (c *loader) readVaried(n node, cov *Cover) error {
	for _, comp := range cov.Kind.Components() {
		if _, err := c.component(comp); err != nil {
			return n.wrap(err)
		}
	}
	axes := c.KindAxes(cov.Kind)
	values := map[string][]string{}
	if word, err := n.text(); err == nil && word == all {
		for _, a := range axes {
			values[a.Name] = a.names()
		}
	} else if !n.isMapping() {
		return n.wrong(`"all", or a mapping of axes to their values,`)
	} else {
		var names []string
		for _, a := range axes {
			names = append(names, a.Name)
		}
		err := keyed("axis of "+string(cov.Kind)+" cells", names, func(name string, n node) (err error) {
			values[name], err = variedValues(n, axes[slices.Index(names, name)])
			return err
		})(n)
		if err != nil {
			return err
		}
	}
	for _, a := range axes {
		switch of, ok := values[a.Name]; {
		case ok:
			cov.Axes = append(cov.Axes, Varied{Axis: a.Name, Values: of})
		case isComponent(a):
			return n.errorf("%s is missing: a component has no default, so say which versions vary", a.Name)
		}
	}
	return nil
}

func variedValues(n node, a *Axis) ([]string, error) {
	if word, err := n.text(); err == nil && word == all {
		return a.names(), nil
	}
	k, err := readCondition(n, a)
	if err == nil && len(k.Values) == 0 {
		err = n.errorf("no value of %s is %s; there are %s", a.Name, k.Text, strings.Join(a.names(), ", "))
	}
	return k.Values, err
}
