package capture

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// ChangeOf says what happened to a fact.
type ChangeOf string

// What can happen to a fact, the worst first.
const (
	Removed ChangeOf = "removed"
	// Required is what was optional, or new in something old, and must now be given.
	Required   ChangeOf = "newly required"
	Changed    ChangeOf = "changed"
	Deprecated ChangeOf = "newly deprecated"
	Added      ChangeOf = "added"
)

// Changes lists them in the order of documents.
func Changes() []ChangeOf { return []ChangeOf{Removed, Required, Changed, Deprecated, Added} }

// Group is one difference as a person sees it: the same change of the same name at all
// its places.
type Group struct {
	Change ChangeOf `json:"change"`
	// Noun says what it is: "device", "argument", "value".
	Noun string `json:"noun"`
	Name string `json:"name"`
	// Places are the paths of the facts, sorted. What belonged to one that is gone is
	// not among them.
	Places []string `json:"places"`
	// Was and Is are the values of what changed.
	Was string `json:"was,omitempty"`
	Is  string `json:"is,omitempty"`
	// Breaks says that who relied on it is hit.
	Breaks bool `json:"breaks,omitempty"`
	// Packaging says why it is no behaviour but how the packages are cut; empty when
	// it is.
	Packaging string `json:"packaging,omitempty"`
	// Source is where upstream has announced it; nil when nowhere that we know of.
	Source *Announcement `json:"source,omitempty"`
}

// String says the group in a line: `device "qxl" removed`.
func (g Group) String() string {
	text := fmt.Sprintf("%s %q %s", g.Noun, g.Name, g.Change)
	if g.Change == Changed {
		text += fmt.Sprintf(" from %q to %q", g.Was, g.Is)
	}
	if n := len(g.Places); n > 1 {
		return fmt.Sprintf("%s at %d places (%s, ...)", text, n, g.Places[0])
	} else if n == 1 && g.Places[0] != g.Name {
		return fmt.Sprintf("%s (%s)", text, g.Places[0])
	}
	return text
}

// Diff is what differs between two sets of a kind.
type Diff struct {
	Kind string `json:"kind"`
	// Old and New are the subjects, OldFacts and NewFacts how many facts each has.
	Old      string  `json:"old"`
	New      string  `json:"new"`
	OldFacts int     `json:"old_facts"`
	NewFacts int     `json:"new_facts"`
	Groups   []Group `json:"groups"`
}

// Findings are the differences that hit who relied on the old version, but for what
// is packaging. Those that upstream has announced have a source.
func (d Diff) Findings() []Group {
	var found []Group
	for _, g := range d.Groups {
		if g.Breaks && g.Packaging == "" {
			found = append(found, g)
		}
	}
	return found
}

// Compare tells what the new set of a kind took away, changed and added.
func Compare(old, new Set) Diff {
	kind, err := KindNamed(new.Kind)
	if err != nil {
		kind = Kind{Name: new.Kind, breaks: gone}
	}
	c := comparison{kind: kind, old: old.byPath(), new: new.byPath(), absent: new.Absent, groups: map[string]*Group{}}
	for _, f := range old.Facts {
		if is, there := c.new[f.Path]; there {
			c.both(f, is)
		} else if c.root(f.Path, c.new) {
			c.add(Removed, f.Path, f, Fact{})
		}
	}
	for _, f := range new.Facts {
		if _, there := c.old[f.Path]; there {
			continue
		}
		if f.Required && !given(f.Path) && c.ownerIn(c.old, f.Path) {
			c.add(Required, f.Path, Fact{}, f)
		} else if c.root(f.Path, c.old) {
			c.add(Added, f.Path, Fact{}, f)
		}
	}
	return Diff{Kind: kind.Name, Old: old.Subject, New: new.Subject, OldFacts: len(old.Facts), NewFacts: len(new.Facts), Groups: c.sorted()}
}

type comparison struct {
	kind     Kind
	old, new map[string]Fact
	absent   map[string]string
	groups   map[string]*Group
}

// both compares a fact that both versions have.
func (c *comparison) both(was, is Fact) {
	if was.Value != is.Value {
		c.add(Changed, is.Path, was, is)
	}
	// What is taken hits its users when it must be given, what is given when it may be
	// missing.
	if given(is.Path) && was.Required && !is.Required {
		c.add(Changed, is.Path, Fact{Value: "always there"}, Fact{Value: "sometimes there"})
	} else if !given(is.Path) && is.Required && !was.Required {
		c.add(Required, is.Path, was, is)
	}
	if is.Deprecated && !was.Deprecated {
		c.add(Deprecated, is.Path, was, is)
	}
}

// root says that what a path belongs to is in the other version, or nowhere: the
// difference is the fact itself, and not what it is part of. What could not be looked into
// tells no difference at all.
func (c *comparison) root(path string, other map[string]Fact) bool {
	for _, owner := range owners(path) {
		_, old := c.old[owner]
		_, new := c.new[owner]
		is, there := other[owner]
		if (old || new) && !there || strings.HasPrefix(is.Value, Unseen) {
			return false
		}
	}
	return true
}

// ownerIn says whether the nearest thing that a path belongs to is in a version.
func (c *comparison) ownerIn(version map[string]Fact, path string) bool {
	for _, owner := range owners(path) {
		if _, there := c.new[owner]; there {
			_, there = version[owner]
			return there
		}
	}
	return false
}

// add puts a difference into its group.
func (c *comparison) add(change ChangeOf, path string, was, is Fact) {
	owner, name := split(path)
	noun := c.kind.noun(path)
	if noun == "default" && change != Changed {
		return // a default is told where both versions state one
	}
	if c.kind.byOwner {
		owner, name = name, cmp.Or(owner, "/")
	}
	g := Group{Change: change, Noun: noun, Name: name, Breaks: c.breaks(change, path, was, is), Packaging: c.packaging(change, path)}
	if change == Changed {
		g.Was, g.Is = was.Value, is.Value
		if noun == "default" {
			// The name of a default is that of its property.
			_, g.Name = split(owner)
		}
	}
	key := fmt.Sprintf("%q", []string{string(change), noun, g.Name, g.Was, g.Is, g.Packaging, fmt.Sprint(g.Breaks, given(path))})
	if c.groups[key] == nil {
		c.groups[key] = &g
	}
	c.groups[key].Places = append(c.groups[key].Places, path)
}

// breaks says whether a change hits who relied on the old version.
func (c *comparison) breaks(change ChangeOf, path string, was, is Fact) bool {
	if !slices.Contains(c.kind.breaks, change) || was.Optional {
		return false
	}
	_, name := split(path)
	if change == Removed && given(path) && strings.HasPrefix(name, "=") {
		return false // nobody misses a value that is not given any more
	}
	return c.kind.broken == nil || c.kind.broken(c, change, path, was, is)
}

// packaging says which package the new image lacks for what is missing in it.
func (c *comparison) packaging(change ChangeOf, path string) string {
	if change != Removed {
		return ""
	}
	outermost, _, _ := strings.Cut(path, "/")
	_, name := split(path)
	names := []string{path, outermost, strings.TrimPrefix(name, "=")}
	for _, n := range names {
		if by, ok := c.absent[n]; ok {
			return by
		}
	}
	for pattern, by := range c.absent {
		if strings.Contains(pattern, "*") && slices.ContainsFunc(names, func(n string) bool { return wildcard(pattern, n) }) {
			return by
		}
	}
	return ""
}

// sorted are the groups in the order of documents, with their sources.
func (c *comparison) sorted() []Group {
	groups := make([]Group, 0, len(c.groups))
	for _, g := range c.groups {
		if g.Breaks {
			g.Source = announcedBy(c.kind.Name, *g)
		}
	}
	for _, g := range merged(c.groups) {
		slices.Sort(g.Places)
		groups = append(groups, *g)
	}
	order := maps.Collect(func(yield func(ChangeOf, int) bool) {
		for i, ch := range Changes() {
			if !yield(ch, i) {
				return
			}
		}
	})
	slices.SortFunc(groups, func(a, b Group) int {
		return cmp.Or(cmp.Compare(order[a.Change], order[b.Change]), compareBool(b.Breaks, a.Breaks), cmp.Compare(a.Packaging, b.Packaging),
			cmp.Compare(len(b.Places), len(a.Places)), cmp.Compare(a.Noun, b.Noun), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Was+a.Is, b.Was+b.Is), slices.Compare(a.Places, b.Places))
	})
	return groups
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}
