package matrix

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"sort"
)

// Package is one binary package, exactly.
type Package struct {
	Name string `json:"name"`
	// Version is the full version with epoch and distribution release.
	Version string `json:"version"`
	Arch    string `json:"arch"`
	// SHA256 is the digest of the package file, from signed metadata.
	SHA256 string `json:"sha256"`
	// Size of the package file in bytes.
	Size int64 `json:"size,omitempty"`
	// Repository is the one of PackageSet.Repositories that it came from.
	Repository string `json:"repository,omitempty"`
}

// Origin is a repository as it was when a set was resolved in it.
type Origin struct {
	Name string `json:"name"`
	URL  string `json:"url"`
	// Trust says what of it the keys, by their fingerprints, vouch for.
	Trust Trust    `json:"trust"`
	Keys  []string `json:"keys,omitempty"`
	// Revision is the index's own number, and Index its digest: an index with a valid
	// signature may be an old one.
	Revision string `json:"revision,omitempty"`
	Index    string `json:"index,omitempty"`
}

// String names the repository and what vouches for it.
func (o Origin) String() string {
	said := map[Trust]string{
		TrustPackages: "packages signed", TrustMetadata: "index signed", TrustBoth: "index and packages signed", TrustNone: "not signed",
	}[o.Trust]
	for i, k := range o.Keys {
		said += map[bool]string{true: " by ", false: " or "}[i == 0] + k
	}
	return fmt.Sprintf("%s (%s)", o.Name, said)
}

// PackageSet is what a verdict is about: the exact packages that realise one
// version of one component, or of one image.
type PackageSet struct {
	// Source is the kind of repository it came from: "apt", "dnf".
	Source string `json:"source"`
	// Release is the distribution release it was resolved in.
	Release string `json:"release"`
	// Packages are sorted by name.
	Packages []Package `json:"packages"`
	// Repositories are where the packages came from, if not all from where the kind's
	// own archive is.
	Repositories []Origin `json:"repositories,omitempty"`
}

// Version returns the version of the named package, or "" when absent.
func (s *PackageSet) Version(name string) string {
	for _, p := range s.Packages {
		if p.Name == name {
			return p.Version
		}
	}
	return ""
}

// Key is the content address of the set: it changes when any package does, and
// does not depend on order.
func (s *PackageSet) Key() string {
	lines := make([]string, len(s.Packages))
	for i, p := range s.Packages {
		lines[i] = fmt.Sprintf("%s %s %s %s\n", p.Name, p.Version, p.Arch, p.SHA256)
	}
	sort.Strings(lines)
	h := sha256.New()
	fmt.Fprintf(h, "%s %s\n", s.Source, s.Release)
	for _, l := range lines {
		h.Write([]byte(l))
	}
	return hex.EncodeToString(h.Sum(nil))
}
