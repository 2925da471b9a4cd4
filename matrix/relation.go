package matrix

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// packageArch is the architecture that hosts are made of.
const packageArch = "amd64"

// relation is what a package says about another: its name and, if op is not
// empty, which of its versions.
type relation struct {
	name    string
	op      string
	version string
	// elsewhere says that it is about another architecture than ours.
	elsewhere bool
}

// String writes the relation as Debian does.
func (r relation) String() string {
	if r.op == "" {
		return r.name
	}
	return fmt.Sprintf("%s (%s %s)", r.name, r.op, r.version)
}

// relationText is Debian's rule (policy 7.1): a name with an optional
// architecture, a version, architectures and build profiles.
var relationText = regexp.MustCompile(
	`^([a-zA-Z0-9][a-zA-Z0-9+.-]*)(?::([a-z0-9-]+))?` +
		`(?:\s*\(\s*(<<|<=|=|>=|>>|<|>)\s*([^\s()<>=]+)\s*\))?` +
		`(?:\s*\[([^\]]*)\])?(?:\s*<[^>]*>)*$`)

// parseRelation reads one relation: "libvirt-daemon (<< 7.2.0-1)".
func parseRelation(text string) (relation, error) {
	m := relationText.FindStringSubmatch(strings.TrimSpace(text))
	if m == nil {
		return relation{}, fmt.Errorf("cannot read relation %q", text)
	}
	r := relation{name: m[1], op: m[3], version: m[4]}
	switch r.op {
	// The old forms meant "or equal" (policy 7.1).
	case "<", ">":
		r.op += "="
	}
	switch m[2] {
	case "", "any", "native", "all", packageArch:
	default:
		r.elsewhere = true
	}
	if m[5] != "" && !builtHere(strings.Fields(m[5])) {
		r.elsewhere = true
	}
	return r, nil
}

// builtHere says whether a list of architectures, all of them named or all of
// them excluded, has ours.
func builtHere(archs []string) bool {
	for _, a := range archs {
		switch strings.TrimPrefix(a, "!") {
		case packageArch, "any", "linux-any", "any-" + packageArch:
			return !strings.HasPrefix(a, "!")
		}
	}
	return len(archs) > 0 && strings.HasPrefix(archs[0], "!")
}

// parseAlternatives reads "a (>= 1) | b" and leaves out what is about other
// architectures.
func parseAlternatives(text string) ([]relation, error) {
	var out []relation
	for part := range strings.SplitSeq(text, "|") {
		r, err := parseRelation(part)
		if err != nil {
			return nil, err
		}
		if !r.elsewhere {
			out = append(out, r)
		}
	}
	return out, nil
}

// offer is a name that a package can be asked for, its own or a virtual one.
// Its version is empty where a virtual package has none.
type offer struct{ name, version string }

// metBy says whether the offer is what the relation is about. A relation with a
// version is never about a virtual package without one (policy 7.5).
func (r relation) metBy(o offer, compare func(a, b string) int) bool {
	if r.name != o.name || r.elsewhere {
		return false
	}
	if r.op == "" {
		return true
	}
	if o.version == "" {
		return false
	}
	switch sign := compare(o.version, r.version); r.op {
	case "<<":
		return sign < 0
	case "<=":
		return sign <= 0
	case "=":
		return sign == 0
	case ">=":
		return sign >= 0
	default:
		return sign > 0
	}
}

// Names says whether one of a package's relations, "libvirt-daemon (<< 7.2.0-1)", is
// about another package, or about a name that this provides. They are in the words of a
// kind of repository, Debian's where nothing is known of it.
func Names(kind string, relations []string, p Package, provides []string) (bool, error) {
	words, ok := dialects[kind]
	if !ok {
		words = dialects["apt"]
	}
	offers := []offer{{p.Name, p.Version}}
	for _, text := range provides {
		alternatives, err := words.alternatives(text)
		if err != nil {
			return false, err
		}
		for _, r := range alternatives {
			offers = append(offers, offer{r.name, r.version})
		}
	}
	for _, text := range relations {
		alternatives, err := words.alternatives(text)
		if err != nil {
			return false, err
		}
		for _, r := range alternatives {
			if slices.ContainsFunc(offers, func(o offer) bool { return r.metBy(o, words.relate) }) {
				return true, nil
			}
		}
	}
	return false, nil
}
