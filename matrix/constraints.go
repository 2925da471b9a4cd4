package matrix

import (
	"fmt"
	"slices"
	"strings"
)

// String returns the condition in words: "qemu < 6.2".
func (k Condition) String() string { return k.Axis + " " + k.Text }

// String returns the combination in words: "libvirt >= 11.2 and qemu < 6.2".
func (k Constraint) String() string {
	var words []string
	for _, condition := range k.Never {
		words = append(words, condition.String())
	}
	if k.Kind != "" {
		words = append([]string{"kind " + string(k.Kind)}, words...)
	}
	return strings.Join(words, " and ")
}

// Forbids says whether the cell is what the constraint is about.
func (k *Constraint) Forbids(cell *Cell) bool {
	if k.Kind != "" && k.Kind != cell.Kind {
		return false
	}
	return !slices.ContainsFunc(k.Never, func(condition Condition) bool {
		return !condition.holds(cell) || k.Chosen && cell.byDefault(condition.Axis)
	})
}

// byDefault says whether the cell has the default of a setting.
func (c *Cell) byDefault(axis string) bool {
	return slices.ContainsFunc(c.Settings, func(s Setting) bool { return s.Axis == axis && s.Default })
}

func (k *Condition) holds(cell *Cell) bool {
	value, ok := cell.Value(k.Axis)
	switch k.Axis {
	case CompositionAxis:
		value, ok = string(cell.Composition), true
	case TierAxis:
		value, ok = string(cell.Tier), true
	}
	return ok && slices.Contains(k.Values, value)
}

func (c *loader) readConstraints() []key {
	return []key{required("constraints", list(func(n node) error {
		k, err := c.readConstraint(n, "")
		c.Constraints = append(c.Constraints, k)
		return err
	}))}
}

// readConstraint reads a constraint on the given kind, or on that which its
// own key names.
func (c *loader) readConstraint(n node, kind Kind) (Constraint, error) {
	k := Constraint{Kind: kind, Source: n.place()}
	var never node
	keys := []key{
		required("never", func(n node) error { never = n; return nil }),
		required("why", text(&k.Why)),
		optional("emulated", boolean(&k.Emulated)),
		optional("chosen", boolean(&k.Chosen)),
	}
	if kind == "" {
		keys = append(keys, optional("kind", word(&k.Kind, "kind", Kinds())))
	}
	if err := n.object(keys...); err != nil {
		return k, err
	}
	return k, c.readNever(never, &k)
}

func (c *loader) readNever(n node, k *Constraint) error {
	kinds := Kinds()
	if k.Kind != "" {
		kinds = []Kind{k.Kind}
	}
	var axes []string
	err := n.entries(func(name string, at, value node) error {
		a, err := c.conditionAxis(name)
		if err != nil {
			return at.wrap(err)
		}
		axes = append(axes, name)
		kinds = slices.DeleteFunc(kinds, func(kind Kind) bool { return !a.has(kind) })
		switch {
		case len(kinds) == 0 && k.Kind != "":
			return at.errorf("a %s cell has no %s", k.Kind, name)
		case len(kinds) == 0:
			return at.errorf("no kind of cell has all of %s", strings.Join(axes, ", "))
		}
		condition, err := readCondition(value, a)
		k.Never = append(k.Never, condition)
		return err
	})
	if err == nil && len(k.Never) == 0 {
		err = n.errorf("there is no condition: this would forbid every cell")
	}
	return err
}

// conditionAxis returns an axis that conditions may name.
func (c *Catalog) conditionAxis(name string) (*Axis, error) {
	composition := Axis{Name: CompositionAxis, Kinds: Kinds(), Values: []Value{{Name: string(Native)}, {Name: string(Bundled)}}}
	tier := Axis{Name: TierAxis, Kinds: Kinds()}
	for _, t := range Tiers() {
		tier.Values = append(tier.Values, Value{Name: string(t)})
	}
	return find(append(slices.Clone(c.Axes), composition, tier), axisName, "axis", name)
}

// readCondition reads a value, a list of values, or comparisons of versions.
func readCondition(n node, a *Axis) (Condition, error) {
	k := Condition{Axis: a.Name}
	var named, written []string
	value := func(to *string) reader {
		return func(n node) error {
			if err := text(to)(n); err != nil {
				return err
			}
			written = append(written, *to)
			v, err := a.Value(*to)
			if err != nil {
				return n.wrap(err)
			}
			*to = v.Name
			return nil
		}
	}
	if n.isList() {
		if err := unique(&named, "value", value)(n); err != nil {
			return k, err
		}
		k.Text = "[" + strings.Join(written, ", ") + "]"
	} else {
		var err error
		if k.Text, err = n.text(); err != nil {
			return k, n.wrong(`a value, a list of values, or a comparison in quotes such as ">= 6.2"`)
		}
		if strings.ContainsAny(k.Text[:1], "<>=!") {
			k.Values, err = a.compared(k.Text)
			return k, n.wrap(err)
		}
		named = make([]string, 1)
		if err := value(&named[0])(n); err != nil {
			return k, err
		}
	}
	k.Values = slices.DeleteFunc(a.names(), func(v string) bool { return !slices.Contains(named, v) })
	return k, nil
}

// compared returns the values within a range: ">= 6.2, < 10". There need not be
// any: a range may be about versions to come.
func (a *Axis) compared(written string) ([]string, error) {
	if isSetting(a) {
		return nil, fmt.Errorf("the values of %s have no order; name them: [%s]", a.Name, strings.Join(a.names(), ", "))
	}
	r, err := parseRange(written, func(name string) (string, error) {
		if name != Newest && name != Oldest {
			return name, nil
		}
		v, err := a.Value(name)
		if err != nil {
			return "", err
		}
		return v.series(), nil
	})
	if err != nil {
		return nil, err
	}
	values := slices.DeleteFunc(slices.Clone(a.Values), func(v Value) bool { return !r.within(v.series(), 0) })
	return namesOf(values, valueName), nil
}
