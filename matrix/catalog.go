package matrix

import (
	"embed"
	"fmt"
	"io/fs"
)

// Catalog is everything that can be planned: the content of releases.yaml,
// components.yaml, checks.yaml and profiles.yaml.
type Catalog struct {
	Releases []Release
	// Axes are the components', then the settings, each in its file's order.
	Axes []Axis
	// Constraints are those of the files, and those that Derive added.
	Constraints []Constraint
	Checks      []Check
	Profiles    []Profile
	// boot is the ID of the check that all others on a kind need.
	boot map[Kind]string
}

//go:embed releases.yaml components.yaml checks.yaml profiles.yaml
var embedded embed.FS

// Default returns the catalog that this virtmatrix was built with.
func Default() (*Catalog, error) { return Load(embedded) }

// Load reads a catalog from the four files at the root of a file system. It is
// strict: the first unknown key or name, duplicate, or stack that no releases
// can compose is an error with file, line, column and the nearest valid name,
// and then there is no catalog.
func Load(fsys fs.FS) (*Catalog, error) {
	c := &Catalog{boot: map[Kind]string{}}
	// In this order: each file may name only what is known by then.
	files := []struct {
		name string
		read reader
	}{
		{"releases.yaml", c.readReleases},
		{"components.yaml", c.readComponents},
		{"checks.yaml", c.readChecks},
		{"profiles.yaml", c.readProfiles},
	}
	for _, f := range files {
		if err := readFile(fsys, f.name, f.read); err != nil {
			return nil, fmt.Errorf("cannot load matrix: %w", err)
		}
	}
	return c, nil
}

func readFile(fsys fs.FS, name string, read reader) error {
	b, err := fs.ReadFile(fsys, name)
	if err != nil {
		return err
	}
	root, err := parse(name, b)
	if err != nil {
		return err
	}
	return read(root)
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

// fresh reads a name that no element of the list has yet.
func fresh[T any](to *string, list []T, name func(*T) string, what string) reader {
	return func(n node) error {
		if err := text(to)(n); err != nil {
			return err
		}
		if _, err := find(list, name, what, *to); err == nil {
			return n.errorf("duplicate %s %q", what, *to)
		}
		return nil
	}
}
