package matrix

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
)

// Catalog is everything that can be planned: the checks that the suites have, and
// the content of the five files of a catalogue, releases.yaml, components.yaml,
// axes.yaml, constraints.yaml and profiles.yaml, and of those that they include.
type Catalog struct {
	Releases []Release
	// Axes are the components', then the settings, each in its file's order.
	Axes []Axis
	// Constraints are those of the files, and those that Derive added.
	Constraints []Constraint
	Checks      []Check
	Profiles    []Profile
}

//go:embed releases.yaml components.yaml axes.yaml constraints.yaml profiles.yaml
var embedded embed.FS

// Builtin are the files of that catalogue, for others that include them.
func Builtin() fs.FS { return embedded }

// Default returns the catalog that this virtmatrix was built with.
func Default() (*Catalog, error) {
	c, err := Load(embedded)
	if err != nil {
		return nil, err
	}
	return c, c.verifyDepends()
}

// Load reads a catalog from the five files at the root of a file system. It is
// strict: the first unknown key or name, duplicate, circle of files, or cell
// that cannot be composed or that a constraint forbids is an error with file,
// line, column and the nearest valid name, and then there is no catalog.
//
// The checks are always the built-in ones: their bodies are in the suites.
func Load(fsys fs.FS) (*Catalog, error) {
	checks, err := ReadChecks(builtinChecks)
	if err != nil {
		return nil, err
	}
	l := &loader{Catalog: &Catalog{Checks: checks}, fsys: fsys, places: map[string]string{}}
	// In this order: each file may name only what is known by then.
	files := []struct {
		name string
		keys []key
	}{
		{"releases.yaml", l.readReleases()},
		{"components.yaml", l.readComponents()},
		{"axes.yaml", l.readSettings()},
		{"constraints.yaml", l.readConstraints()},
		{"profiles.yaml", l.readProfiles()},
	}
	for _, f := range files {
		if err := l.readFile(f.name, f.keys); err != nil {
			return nil, fmt.Errorf("cannot load matrix: %w", err)
		}
	}
	return l.Catalog, nil
}

// loader reads the files of a catalog into it.
type loader struct {
	*Catalog
	fsys fs.FS
	// places tells where each name was given first.
	places map[string]string
	// selections are lists of checks that profiles share.
	selections map[string][]string
}

// claim takes a name for what stands at the node. A name that is taken is an
// error with both places.
func (l *loader) claim(n node, what, name string) error {
	id := what + " " + name
	if first, taken := l.places[id]; taken {
		return n.errorf("duplicate %s %q, first in %s", what, name, first)
	}
	l.places[id] = n.place()
	return nil
}

// fresh reads a name that nothing of its sort has yet.
func (l *loader) fresh(to *string, what string) reader {
	return func(n node) error {
		if err := text(to)(n); err != nil {
			return err
		}
		return l.claim(n, what, *to)
	}
}

// On returns the catalogue for a machine: without the constraints and requirements that
// hold only where L1 is emulated, unless it is.
func (c *Catalog) On(emulated bool) *Catalog {
	if emulated {
		return c
	}
	out := *c
	out.Constraints = slices.DeleteFunc(slices.Clone(c.Constraints), func(k Constraint) bool { return k.Emulated })
	out.Checks = slices.Clone(c.Checks)
	for i := range out.Checks {
		check := &out.Checks[i]
		check.Requires = slices.DeleteFunc(slices.Clone(check.Requires), Requirement.emulated)
	}
	return &out
}

// find returns the element with the name, or the error that it is unknown.
func find[T any](list []T, name func(*T) string, what, want string) (*T, error) {
	for i := range list {
		if name(&list[i]) == want {
			return &list[i], nil
		}
	}
	return nil, Unknown(what, want, namesOf(list, name))
}

func namesOf[T any](list []T, name func(*T) string) []string {
	out := make([]string, len(list))
	for i := range list {
		out[i] = name(&list[i])
	}
	return out
}
