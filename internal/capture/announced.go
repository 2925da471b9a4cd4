package capture

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"
)

//go:embed announced.yaml
var announcedYAML []byte

// Announcement is where upstream says that something goes.
type Announcement struct {
	Kinds []string `yaml:"kinds" json:"-"`
	Match []string `yaml:"match" json:"-"`
	// Document is upstream's, with the heading in it; Version is the release from
	// which on it holds.
	Document string `yaml:"document" json:"document"`
	Version  string `yaml:"version" json:"version"`
}

// String names the source.
func (a Announcement) String() string { return a.Document + ", since " + a.Version }

// list is what was read of the file. It is filled by the first who compares: the program
// that takes captures does not depend on it.
var list struct {
	once sync.Once
	all  []Announcement
	err  error
}

// announced reads the list once. A mistake in it is one of ours, and a test finds it.
func announced() ([]Announcement, error) {
	list.once.Do(func() { list.all, list.err = parseAnnounced(announcedYAML) })
	return list.all, list.err
}

func parseAnnounced(text []byte) ([]Announcement, error) {
	var file struct {
		Announced []Announcement `yaml:"announced"`
	}
	if err := yaml.UnmarshalWithOptions(text, &file, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("cannot read internal/capture/announced.yaml: %w", err)
	}
	for _, a := range file.Announced {
		for _, kind := range a.Kinds {
			if _, err := KindNamed(kind); err != nil {
				return nil, fmt.Errorf("cannot read internal/capture/announced.yaml: %w", err)
			}
		}
		if len(a.Kinds) == 0 || len(a.Match) == 0 || a.Document == "" || a.Version == "" {
			return nil, fmt.Errorf("cannot read internal/capture/announced.yaml: the entry %q lacks kinds, match, document or version", a)
		}
	}
	return file.Announced, nil
}

// announcedBy is the announcement of a group: one that matches its name or all its
// places. Nil when there is none.
func announcedBy(kind string, g Group) *Announcement {
	all, err := announced()
	if err != nil {
		return nil
	}
	for _, a := range all {
		matches := func(name string) bool {
			return slices.ContainsFunc(a.Match, func(pattern string) bool { return wildcard(pattern, name) })
		}
		if slices.Contains(a.Kinds, kind) && (matches(g.Name) || !slices.ContainsFunc(g.Places, func(p string) bool { return !matches(p) })) {
			return &a
		}
	}
	return nil
}

// wildcard matches a name with a pattern in which "*" stands for any text.
func wildcard(pattern, name string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == name
	}
	last := parts[len(parts)-1]
	name, ok := strings.CutPrefix(name, parts[0])
	for _, part := range parts[1 : len(parts)-1] {
		if ok {
			_, name, ok = strings.Cut(name, part)
		}
	}
	return ok && strings.HasSuffix(name, last)
}
