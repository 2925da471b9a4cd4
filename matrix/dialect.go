package matrix

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// dialect is how the repositories of a kind write versions and relations.
type dialect struct {
	// compare orders versions.
	compare func(a, b string) int
	// relate orders the version that a package offers and the one that a relation names.
	relate func(offered, asked string) int
	// alternatives reads what a package says of others, and leaves out what is about
	// none that a component could be.
	alternatives func(text string) ([]relation, error)
}

// dialects are those of the kinds that a release can come from.
var dialects = map[string]dialect{
	"apt": {Compare, Compare, parseAlternatives},
	"dnf": {CompareRPM, relateRPM, parseRPMRelation},
}

// SourceKinds are the kinds of repository that a release can come from, sorted.
func SourceKinds() []string { return slices.Sorted(maps.Keys(dialects)) }

// Order returns the order of versions in repositories of a kind, Debian's where
// nothing is known of it.
func Order(source string) func(a, b string) int {
	if d, ok := dialects[source]; ok {
		return d.compare
	}
	return Compare
}

// relateRPM compares as rpmdsCompare does: where one of the two names no release, any
// will do.
func relateRPM(offered, asked string) int {
	if !strings.Contains(asked, "-") || !strings.Contains(offered, "-") {
		offered, _, _ = strings.Cut(offered, "-")
		asked, _, _ = strings.Cut(asked, "-")
	}
	return CompareRPM(offered, asked)
}

// parseRPMRelation reads one relation of a package's header: "libvirt-libs = 1:5.1.0-9".
// A rich one, in parentheses, asks for no one package (rpm's boolean dependencies).
func parseRPMRelation(text string) ([]relation, error) {
	if strings.HasPrefix(text, "(") {
		return nil, nil
	}
	words := strings.Fields(text)
	switch len(words) {
	case 1:
		return []relation{{name: words[0]}}, nil
	case 3:
		// Strictly less is "<<" in Debian's words, which statements are made of.
		op, known := map[string]string{"<": "<<", "<=": "<=", "=": "=", ">=": ">=", ">": ">>"}[words[1]]
		if known {
			return []relation{{name: words[0], op: op, version: words[2]}}, nil
		}
	}
	return nil, fmt.Errorf("cannot read relation %q", text)
}
