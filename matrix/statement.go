package matrix

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// stated is what one package says: in none of the groups of Depends may all
// alternatives be missing, and nothing of Breaks or Conflicts may be there.
type stated struct {
	*Record
	needs []group
	bans  []group
	// offers are the package itself and what it provides.
	offers []offer
}

// group is one part of a field between commas.
type group struct {
	field, text  string
	alternatives []relation
}

func parseRecord(r *Record, of dialect) (*stated, error) {
	s := &stated{Record: r, offers: []offer{{r.Package, r.Version}}}
	for _, f := range []struct {
		to    *[]group
		name  string
		texts []string
	}{
		{&s.needs, "Depends", r.Depends},
		{&s.bans, "Breaks", r.Breaks},
		{&s.bans, "Conflicts", r.Conflicts},
	} {
		for _, text := range f.texts {
			alternatives, err := of.alternatives(text)
			if err != nil {
				return nil, fmt.Errorf("%s of %s: %w", f.name, r.name(), err)
			}
			*f.to = append(*f.to, group{f.name, text, alternatives})
		}
	}
	for _, text := range r.Provides {
		provided, err := of.alternatives(text)
		if err == nil && len(provided) > 1 {
			err = fmt.Errorf("cannot read relation %q", text)
		}
		if err != nil {
			return nil, fmt.Errorf("Provides of %s: %w", r.name(), err)
		}
		for _, p := range provided {
			s.offers = append(s.offers, offer{p.name, p.version})
		}
	}
	return s, nil
}

// name says which package it is: "qemu-system-x86 1:7.2+dfsg-7 (bookworm)".
func (r *Record) name() string { return fmt.Sprintf("%s %s (%s)", r.Package, r.Version, r.Release) }

// served is a component as one release has it.
type served struct {
	component Component
	// states are the packages whose metadata counts, all are those that the
	// component is built into.
	states, all []*stated
	// source is the kind of repository.
	source string
	// known are the names of the component's packages in any release, and what
	// they provide.
	known map[string]bool
}

// meets returns the first of the alternatives that the component has.
func (p *served) meets(alternatives []relation) (met relation, ok bool) {
	compare := dialects[p.source].relate
	for _, r := range alternatives {
		for _, s := range p.all {
			if slices.ContainsFunc(s.offers, func(o offer) bool { return r.metBy(o, compare) }) {
				return r, true
			}
		}
	}
	return relation{}, false
}

// refusal is a statement of a package that rules out another component.
type refusal struct {
	by, of Component
	record *Record
	group  group
	// met is the relation that holds and may not; empty when none holds and one must.
	met relation
}

// refuses returns the first statement of a component that rules out another.
func (p *served) refuses(other *served) *refusal {
	for _, s := range p.states {
		for _, g := range s.bans {
			if met, ok := other.meets(g.alternatives); ok {
				return &refusal{p.component, other.component, s.Record, g, met}
			}
		}
		for _, g := range s.needs {
			if _, ok := other.meets(g.alternatives); !ok && other.alone(g.alternatives) {
				return &refusal{by: p.component, of: other.component, record: s.Record, group: g}
			}
		}
	}
	return nil
}

// alone says whether nothing but packages of the component can be meant.
func (p *served) alone(alternatives []relation) bool {
	if len(alternatives) == 0 {
		return false
	}
	return !slices.ContainsFunc(alternatives, func(r relation) bool { return !p.known[r.name] })
}

// source is where the statement is to be found.
func (r *refusal) source() string {
	return fmt.Sprintf("%s %s: %s", r.record.name(), r.group.field, r.group.text)
}

// why is the statement in words; having are the versions that it allows.
func (r *refusal) why(version string, having []string) string {
	subject := fmt.Sprintf("%s %s", r.by, version)
	switch {
	case r.group.field == "Depends" && len(having) == 0:
		return fmt.Sprintf("%s needs %s, which no %s has", subject, r.group.text, r.of)
	case r.group.field == "Depends":
		return fmt.Sprintf("%s needs %s, which only %s %s has", subject, r.group.text, r.of, strings.Join(having, " or "))
	case r.group.field == "Breaks":
		return fmt.Sprintf("%s breaks %s%s", subject, r.of, bounds(r.met))
	}
	return fmt.Sprintf("%s conflicts with %s%s", subject, r.of, bounds(r.met))
}

// bounds writes which versions a relation is about: " before 7.2.0".
func bounds(r relation) string {
	// People know the upstream version; the package's is in the source.
	version := upstream(r.version)
	switch r.op {
	case "<<":
		return " before " + version
	case "<=":
		return " up to " + version
	case "=":
		return " " + version
	case ">=":
		return " from " + version + " on"
	case ">>":
		return " after " + version
	}
	return ""
}

// upstream is a package's version without epoch and revision.
func upstream(version string) string {
	if _, rest, ok := strings.Cut(version, ":"); ok {
		version = rest
	}
	if i := strings.LastIndexByte(version, '-'); i > 0 {
		version = version[:i]
	}
	return version
}

// matchesAny says whether a name matches any of the patterns of path.Match.
func matchesAny(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		ok, err := path.Match(p, name)
		return ok && err == nil
	})
}
