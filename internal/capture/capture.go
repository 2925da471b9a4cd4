// Package capture holds what an image offers as sets of facts, and tells what of
// it another image takes away. A set is taken once for each image and kind; nothing
// boots for it.
//
// What is captured how, and what of it is no statement about a version, is in
// l1capture, the program that takes the sets.
package capture

import (
	"cmp"
	"slices"
	"strings"
)

// Format is that of sets and of what is in them. Raise it when either changes: sets
// are taken anew then.
const Format = 1

// Set is what one image offers of one kind.
type Set struct {
	Format int    `json:"format"`
	Kind   string `json:"kind"`
	// Subject says of what it was taken: a component with its package version.
	Subject string `json:"subject"`
	// Facts are sorted by path, and no two have the same.
	Facts []Fact `json:"facts"`
	// Absent are names that the image would have with a package that it lacks, with
	// what brings them: where they are missing, packaging is why.
	Absent map[string]string `json:"absent,omitempty"`
}

// Unseen begins the value of what could not be looked into, because the program that was
// asked did not survive it.
const Unseen = "introspection: "

// Fact is one thing that is there.
type Fact struct {
	// Path are its name and those of what it belongs to, outermost first, each
	// after a slash: "blockdev-add/arguments/driver/=qcow2". A value that something
	// may have is a name after "=".
	Path string `json:"path"`
	// Value is what it is like: a type, a default, a mode.
	Value string `json:"value,omitempty"`
	// Required says of what is taken in that it must be given, and of what is given
	// that it is always there.
	Required bool `json:"required,omitempty"`
	// Optional says that nobody misses it: a part of a state that is only sent when it is used.
	Optional   bool `json:"optional,omitempty"`
	Deprecated bool `json:"deprecated,omitempty"`
}

// NewSet sorts the facts. Of several with one path it keeps the first by value, and
// what any of them says.
func NewSet(kind, subject string, facts []Fact) Set {
	facts = slices.Clone(facts)
	slices.SortFunc(facts, func(a, b Fact) int { return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Value, b.Value)) })
	kept := make([]Fact, 0, len(facts))
	for _, f := range facts {
		if n := len(kept); n > 0 && kept[n-1].Path == f.Path {
			kept[n-1].Required = kept[n-1].Required || f.Required
			kept[n-1].Optional = kept[n-1].Optional && f.Optional
			kept[n-1].Deprecated = kept[n-1].Deprecated || f.Deprecated
			continue
		}
		kept = append(kept, f)
	}
	return Set{Format: Format, Kind: kind, Subject: subject, Facts: kept}
}

// byPath indexes the facts.
func (s Set) byPath() map[string]Fact {
	index := make(map[string]Fact, len(s.Facts))
	for _, f := range s.Facts {
		index[f.Path] = f
	}
	return index
}

// split parts a path into the name of the fact and the path of what it belongs to.
func split(path string) (owner, name string) {
	i := strings.LastIndexByte(path, '/')
	return path[:max(i, 0)], path[i+1:]
}

// owners are the paths that a path is below, the nearest first.
func owners(path string) (all []string) {
	for owner, _ := split(path); owner != ""; owner, _ = split(owner) {
		all = append(all, owner)
	}
	return all
}
