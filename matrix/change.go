package matrix

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Change is one axis moved from one value to another.
type Change struct {
	Axis string `json:"axis"`
	From string `json:"from"`
	To   string `json:"to"`
}

// String returns "libvirt 9.0 -> 11.3".
func (c Change) String() string { return fmt.Sprintf("%s %s -> %s", c.Axis, c.From, c.To) }

// ParseChange reads a change as flags have it: "libvirt=9.0..11.3". Whether
// there are such an axis and such values is for New to say.
func ParseChange(text string) (Change, error) {
	axis, values, named := strings.Cut(text, "=")
	from, to, ranged := strings.Cut(values, "..")
	c := Change{Axis: strings.TrimSpace(axis), From: strings.TrimSpace(from), To: strings.TrimSpace(to)}
	if !named || !ranged || c.Axis == "" || c.From == "" || c.To == "" {
		return Change{}, fmt.Errorf("cannot read change %q: want AXIS=FROM..TO, such as libvirt=9.0..11.3", text)
	}
	return c, nil
}

// resolve returns the change with the names that the catalogue has.
func (c *Catalog) resolve(change Change) (Change, error) {
	a, err := c.Axis(change.Axis)
	if err != nil {
		return Change{}, err
	}
	for _, value := range []*string{&change.From, &change.To} {
		v, err := a.Value(*value)
		if err != nil {
			return Change{}, err
		}
		*value = v.Name
	}
	if change.From == change.To {
		err := fmt.Errorf("%s is %s before and after; name two values", change.Axis, change.From)
		if isComponent(a) {
			err = fmt.Errorf("%w: another build of that version has a name of its own in components.yaml, such as %s-rebuild: {series: %s, releases: [...]}",
				err, change.From, change.From)
		}
		return Change{}, err
	}
	return change, nil
}

// pairings prepares the sweeps of a change: one for each kind that the profile
// covers and that has the axis.
func (c *Catalog) pairings(p *Profile, r Request, change Change) ([]sweep, error) {
	if len(p.Covers) == 0 {
		return nil, fmt.Errorf("profile %s names its cells and covers nothing, so there is nothing to choose the cells of a change from; %s", p.Name, c.coveringProfiles())
	}
	a, err := c.Axis(change.Axis)
	if err != nil {
		return nil, err
	}
	var sweeps []sweep
	var kinds []Kind
	for _, cov := range p.Covers {
		kinds = append(kinds, cov.Kind)
		if !a.has(cov.Kind) {
			continue
		}
		cov = c.widened(cov, a, change)
		s, err := c.pairing(cov, change, cmp.Or(min(r.Strength, len(cov.Axes)), cov.Strength))
		if err != nil {
			return nil, err
		}
		sweeps = append(sweeps, s)
	}
	if len(sweeps) == 0 {
		return nil, fmt.Errorf("profile %s covers only %s cells, which have no %s", p.Name, listed(plain(kinds)), a.Name)
	}
	return sweeps, nil
}

// coveringProfiles says which profiles a change can be planned from.
func (c *Catalog) coveringProfiles() string {
	var names []string
	for _, p := range c.Profiles {
		if len(p.Covers) > 0 {
			names = append(names, p.Name)
		}
	}
	if len(names) == 0 {
		return "no profile covers anything"
	}
	return "these do: " + strings.Join(names, ", ")
}

// widened returns a cover with both values of a change, whether or not it would
// have them by itself.
func (c *Catalog) widened(cov Cover, a *Axis, change Change) Cover {
	cov.Axes = slices.Clone(cov.Axes)
	i := slices.IndexFunc(cov.Axes, func(v Varied) bool { return v.Axis == a.Name })
	if i < 0 {
		cov.Axes = append(cov.Axes, Varied{Axis: a.Name})
		i = len(cov.Axes) - 1
	}
	cov.Axes[i].Values = slices.DeleteFunc(a.names(), func(v string) bool {
		return v != change.From && v != change.To && !slices.Contains(cov.Axes[i].Values, v)
	})
	return cov
}

// narrowed returns a cover with only the given values of an axis.
func narrowed(cov Cover, axis string, values ...string) Cover {
	cov.Axes = slices.Clone(cov.Axes)
	for i := range cov.Axes {
		if cov.Axes[i].Axis == axis {
			cov.Axes[i].Values = values
		}
	}
	return cov
}
