package matrix

import (
	"fmt"
	"slices"
	"strings"
)

// Way is how a package of one set differs from that of its name in another.
type Way string

// The ways.
const (
	Added   Way = "added"
	Removed Way = "removed"
	Up      Way = "up"
	Down    Way = "down"
	// Rebuilt is another file of the same version.
	Rebuilt Way = "rebuilt"
)

// Difference is one package that two sets do not have alike. Was or Now is the zero
// value where there is none.
type Difference struct {
	Name string  `json:"name"`
	Way  Way     `json:"way"`
	Was  Package `json:"was,omitzero"`
	Now  Package `json:"now,omitzero"`
}

// String returns "libvirt0 9.0.0-4 -> 11.3.0-3 (up)".
func (d Difference) String() string {
	switch d.Way {
	case Added:
		return fmt.Sprintf("%s %s (%s)", d.Name, d.Now.Version, d.Way)
	case Removed:
		return fmt.Sprintf("%s %s (%s)", d.Name, d.Was.Version, d.Way)
	case Rebuilt:
		return fmt.Sprintf("%s %s (%s: %.12s -> %.12s)", d.Name, d.Now.Version, d.Way, d.Was.SHA256, d.Now.SHA256)
	}
	return fmt.Sprintf("%s %s -> %s (%s)", d.Name, d.Was.Version, d.Now.Version, d.Way)
}

// Differences lists the packages in which two sets of one kind of repository differ,
// by name.
func Differences(was, now PackageSet) (out []Difference) {
	before := map[string]Package{}
	for _, p := range was.Packages {
		before[p.Name] = p
	}
	order := Order(now.Source)
	for _, p := range now.Packages {
		old, ok := before[p.Name]
		delete(before, p.Name)
		d := Difference{Name: p.Name, Was: old, Now: p}
		switch sign := order(p.Version, old.Version); {
		case !ok:
			d.Way = Added
		case p.SHA256 == old.SHA256:
			continue
		case sign > 0:
			d.Way = Up
		case sign < 0:
			d.Way = Down
		default:
			d.Way = Rebuilt
		}
		out = append(out, d)
	}
	for _, p := range before {
		out = append(out, Difference{Name: p.Name, Way: Removed, Was: p})
	}
	slices.SortFunc(out, func(a, b Difference) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// Differing lists the packages in which the images of a host differ from those of the same
// role of another, by name: of all images, where their roles are not the same. sets has
// what is in them.
func Differing(sets map[string]PackageSet, was, now []ImageRef) (out []Difference) {
	before := map[string]PackageSet{}
	for _, ref := range was {
		before[ref.Role] = sets[ref.Packages]
	}
	seen := map[Difference]bool{}
	for _, ref := range now {
		old, ok := before[ref.Role]
		if !ok || len(was) != len(now) {
			return Differences(together(sets, was), together(sets, now))
		}
		for _, d := range Differences(old, sets[ref.Packages]) {
			if !seen[d] {
				out, seen[d] = append(out, d), true
			}
		}
	}
	slices.SortStableFunc(out, func(a, b Difference) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// together are the packages of several images, each once.
func together(sets map[string]PackageSet, images []ImageRef) (all PackageSet) {
	seen := map[Package]bool{}
	for _, ref := range images {
		set := sets[ref.Packages]
		all.Source = set.Source
		for _, p := range set.Packages {
			if !seen[p] {
				all.Packages, seen[p] = append(all.Packages, p), true
			}
		}
	}
	return all
}
