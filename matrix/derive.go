package matrix

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Record is what a release says of one package.
type Record struct {
	Release string `json:"release"`
	Package string `json:"package"`
	Version string `json:"version"`
	// Source is the source package that it is built from.
	Source string `json:"source"`
	// Provides, Depends, Breaks and Conflicts are the fields of that name, cut at
	// their commas. Depends has what is needed before unpacking as well.
	Provides  []string `json:"provides,omitempty"`
	Depends   []string `json:"depends,omitempty"`
	Breaks    []string `json:"breaks,omitempty"`
	Conflicts []string `json:"conflicts,omitempty"`
}

// Derive returns the catalog with the constraints that packages themselves
// state, for the kinds. The records are of the packages that Axis.Packages names
// for these, and of those of the same source packages that they need.
//
// Two versions are kept apart when a package of the one breaks or conflicts
// with a package of the other, or needs one that only other versions of it
// have. A version is judged by the release that a cell takes it from, with
// whatever the rest of the stack; where that matters the constraint names the
// rest too. Versions that no cell can have together are kept apart when the
// packages of no two releases that serve them agree. Releases without records
// are not judged.
//
// A record that cannot be read is an error, and so is a pattern of
// Axis.Packages that is no package of any release of the component, if all of
// them have records.
func (c *Catalog) Derive(records []Record, kinds ...Kind) (*Catalog, error) {
	byRelease := map[string][]*stated{}
	for i := range records {
		release, err := c.Release(records[i].Release)
		if err != nil {
			return nil, fmt.Errorf("cannot derive constraints: %w", err)
		}
		s, err := parseRecord(&records[i], dialects[release.Source])
		if err != nil {
			return nil, fmt.Errorf("cannot derive constraints: %w", err)
		}
		byRelease[s.Release] = append(byRelease[s.Release], s)
	}
	out := *c
	out.Constraints = slices.Clone(c.Constraints)
	for _, kind := range kinds {
		d := &derivation{catalog: c, kind: kind, parts: map[Component]map[string]*served{}}
		for _, comp := range kind.Components() {
			if err := d.add(comp, byRelease); err != nil {
				return nil, fmt.Errorf("cannot derive constraints: %w", err)
			}
		}
		out.Constraints = append(out.Constraints, d.constraints()...)
	}
	return &out, nil
}

// derivation derives the constraints of one kind.
type derivation struct {
	catalog *Catalog
	kind    Kind
	// parts are the components by release; a release without records has none.
	parts map[Component]map[string]*served
}

func (d *derivation) axis(comp Component) *Axis {
	a, err := find(d.catalog.Axes, axisName, "component", string(comp))
	if err != nil {
		return &Axis{Name: string(comp)}
	}
	return a
}

// add makes the parts of a component: what matches its patterns states things,
// and whatever is built from the same source packages belongs to it.
func (d *derivation) add(comp Component, byRelease map[string][]*stated) error {
	patterns := d.axis(comp).Packages[d.kind]
	sources, known := map[string]bool{}, map[string]bool{}
	for _, release := range byRelease {
		for _, s := range release {
			if matchesAny(patterns, s.Package) {
				sources[s.Source] = true
			}
		}
	}
	d.parts[comp] = map[string]*served{}
	for name, records := range byRelease {
		r, err := d.catalog.Release(name)
		if err != nil {
			return err
		}
		p := &served{component: comp, source: r.Source, known: known}
		for _, s := range records {
			if !sources[s.Source] {
				continue
			}
			p.all = append(p.all, s)
			for _, o := range s.offers {
				known[o.name] = true
			}
			if matchesAny(patterns, s.Package) {
				p.states = append(p.states, s)
			}
		}
		if len(p.states) > 0 {
			d.parts[comp][name] = p
		}
	}
	return d.used(comp, byRelease)
}

// used says which pattern of a component is no package, once all its releases
// have been asked.
func (d *derivation) used(comp Component, byRelease map[string][]*stated) error {
	axis := d.axis(comp)
	for _, v := range axis.Values {
		for _, release := range v.Releases {
			if _, ok := byRelease[release]; !ok {
				return nil
			}
		}
	}
	for _, pattern := range axis.Packages[d.kind] {
		matched := false
		for _, records := range byRelease {
			matched = matched || slices.ContainsFunc(records, func(s *stated) bool { return matchesAny([]string{pattern}, s.Package) })
		}
		if !matched {
			return fmt.Errorf("no release has a package %q, of which components.yaml says that it is %s on %s", pattern, comp, d.kind)
		}
	}
	return nil
}

// couple is a version of each of two components.
type couple struct {
	a, b               Component
	versionA, versionB string
}

// meeting is a couple in one stack, as the two releases see it.
type meeting struct {
	// rest are the versions of the stack's other components.
	rest    map[Component]string
	refusal *refusal
}

// constraints goes through all stacks of the kind.
func (d *derivation) constraints() []Constraint {
	met := map[couple][]meeting{}
	for stack := range d.stacks(d.kind.Components()) {
		cell, err := d.catalog.compose(d.kind, stack)
		if err != nil {
			continue
		}
		for i, a := range cell.Stack {
			for _, b := range cell.Stack[i+1:] {
				rest := maps.Clone(stack)
				delete(rest, a.Component)
				delete(rest, b.Component)
				key := couple{a.Component, b.Component, a.Version, b.Version}
				met[key] = append(met[key], meeting{rest, d.judge(a.Component, a.Release, b.Component, b.Release)})
			}
		}
	}
	var out []Constraint
	components := d.kind.Components()
	for i, a := range components {
		for _, b := range components[i+1:] {
			for _, va := range d.axis(a).Values {
				for _, vb := range d.axis(b).Values {
					key := couple{a, b, va.Name, vb.Name}
					if len(met[key]) == 0 {
						met[key] = []meeting{{refusal: d.everywhere(a, &va, b, &vb)}}
					}
					out = append(out, d.forbid(key, met[key])...)
				}
			}
		}
	}
	return merge(out)
}

// stacks yields each combination of versions of the components.
func (d *derivation) stacks(components []Component) func(yield func(map[Component]string) bool) {
	return func(yield func(map[Component]string) bool) {
		var extend func(stack map[Component]string, left []Component) bool
		extend = func(stack map[Component]string, left []Component) bool {
			if len(left) == 0 {
				return yield(stack)
			}
			for _, v := range d.axis(left[0]).Values {
				longer := maps.Clone(stack)
				longer[left[0]] = v.Name
				if !extend(longer, left[1:]) {
					return false
				}
			}
			return true
		}
		extend(map[Component]string{}, components)
	}
}

// judge returns what keeps two components apart when they come from these
// releases; nil when nothing does or nothing is known, as between repositories
// of two kinds, whose names of packages have nothing to do with each other.
func (d *derivation) judge(a Component, releaseA string, b Component, releaseB string) *refusal {
	pa, pb := d.parts[a][releaseA], d.parts[b][releaseB]
	if pa == nil || pb == nil || pa.source != pb.source {
		return nil
	}
	if r := pa.refuses(pb); r != nil {
		return r
	}
	return pb.refuses(pa)
}

// everywhere returns what keeps two versions apart whichever releases they come
// from.
func (d *derivation) everywhere(a Component, va *Value, b Component, vb *Value) *refusal {
	var first *refusal
	for _, ra := range va.Releases {
		for _, rb := range vb.Releases {
			r := d.judge(a, ra, b, rb)
			if r == nil {
				return nil
			}
			if first == nil {
				first = r
			}
		}
	}
	return first
}

// forbid makes the constraints of a couple from the stacks in which it occurs:
// one about the couple when all are refused, or else one for each that is.
func (d *derivation) forbid(c couple, in []meeting) []Constraint {
	refused := slices.DeleteFunc(slices.Clone(in), func(m meeting) bool { return m.refusal == nil })
	if len(refused) == 0 {
		return nil
	}
	r := refused[0].refusal
	version := map[Component]string{c.a: c.versionA, c.b: c.versionB}
	base := Constraint{
		Kind: d.kind, Why: r.why(version[r.by], d.having(r)), Source: r.source(),
		Never: []Condition{only(r.by, version[r.by]), only(r.of, version[r.of])},
	}
	if len(refused) == len(in) {
		return []Constraint{base}
	}
	var out []Constraint
	for _, m := range refused {
		k := base
		k.Never = slices.Clone(base.Never)
		var with []string
		for _, comp := range d.kind.Components() {
			if v, ok := m.rest[comp]; ok {
				k.Never = append(k.Never, only(comp, v))
				with = append(with, fmt.Sprintf("%s %s", comp, v))
			}
		}
		k.Why = fmt.Sprintf("%s, as composed with %s", m.refusal.why(version[m.refusal.by], d.having(m.refusal)), strings.Join(with, " and "))
		k.Source = m.refusal.source()
		out = append(out, k)
	}
	return out
}

// having lists the versions of a component that meet what is needed of it.
func (d *derivation) having(r *refusal) []string {
	var out []string
	for _, v := range d.axis(r.of).Values {
		if slices.ContainsFunc(v.Releases, func(release string) bool {
			p := d.parts[r.of][release]
			if p == nil {
				return false
			}
			_, ok := p.meets(r.group.alternatives)
			return ok
		}) {
			out = append(out, v.Name)
		}
	}
	return out
}

func only(comp Component, version string) Condition {
	return Condition{Axis: string(comp), Values: []string{version}, Text: version}
}

// merge makes one constraint of those that say the same about several versions
// of the component that is ruled out.
func merge(all []Constraint) []Constraint {
	var out []Constraint
	for _, k := range all {
		i := slices.IndexFunc(out, func(o Constraint) bool {
			return len(o.Never) == 2 && len(k.Never) == 2 && o.Why == k.Why && o.Source == k.Source &&
				o.Never[0].Text == k.Never[0].Text && o.Never[1].Axis == k.Never[1].Axis
		})
		if i < 0 {
			out = append(out, k)
			continue
		}
		of := &out[i].Never[1]
		of.Values = append(of.Values, k.Never[1].Values...)
		of.Text = strings.Join(of.Values, ", ")
	}
	return out
}
