package matrix

import (
	"path"
	"slices"
)

// Trust says what of a repository its keyring vouches for.
type Trust string

// The kinds of Trust. Where the packages are signed and the index is not, what is
// there at all is the mirror's word; where only the index is signed, a package is
// known by its digest.
const (
	TrustPackages Trust = "packages"
	TrustMetadata Trust = "metadata"
	TrustBoth     Trust = "both"
	TrustNone     Trust = "none"
)

var trusts = []Trust{TrustPackages, TrustMetadata, TrustBoth, TrustNone}

// Packages says whether each package must be signed.
func (t Trust) Packages() bool { return t == TrustPackages || t == TrustBoth }

// Metadata says whether the index must be signed.
func (t Trust) Metadata() bool { return t == TrustMetadata || t == TrustBoth }

// Repository is one place that packages of a release come from. One with nothing but a
// name is found, and trusted, as its kind of source does by itself.
type Repository struct {
	Name string
	// URL is where it is; Mirrors is where a list of such places is. Variables of the
	// release may stand in both: "$basearch".
	URL, Mirrors string
	// Keyring is the file of the keys that what Trust says is signed by.
	Keyring string
	Trust   Trust
	// Priority: the packages of a repository hide those of the same name in one of a
	// greater number. 0 is 99.
	Priority int
	// Exclude are patterns of packages that are not taken from here.
	Exclude []string
	// OverModules: its packages are to be had whichever modular streams hide packages
	// of these names.
	OverModules bool
}

// readRepositories reads a list of names, or of repositories described in full.
func readRepositories(to *[]Repository) reader {
	return each(func(n node) error {
		var r Repository
		read := text(&r.Name)
		if n.isMapping() {
			read = r.read
		}
		if err := read(n); err != nil {
			return err
		}
		if slices.ContainsFunc(*to, func(o Repository) bool { return o.Name == r.Name }) {
			return n.errorf("duplicate repository %q", r.Name)
		}
		*to = append(*to, r)
		return nil
	})
}

func (r *Repository) read(n node) error {
	err := n.object(
		required("name", text(&r.Name)),
		optional("url", text(&r.URL)),
		optional("mirrors", text(&r.Mirrors)),
		optional("keyring", text(&r.Keyring)),
		required("trust", word(&r.Trust, "trust", trusts)),
		optional("priority", integer(&r.Priority, 1, 99)),
		optional("exclude", unique(&r.Exclude, "pattern", glob)),
		optional("over_modules", boolean(&r.OverModules)),
	)
	switch {
	case err != nil:
		return err
	case (r.URL == "") == (r.Mirrors == ""):
		return n.errorf("repository %q needs either a url or mirrors", r.Name)
	case (r.Keyring == "") != (r.Trust == TrustNone):
		return n.errorf("repository %q needs a keyring if anything of it is signed, and none otherwise", r.Name)
	case r.Keyring != "" && !path.IsAbs(r.Keyring):
		return n.errorf("the keyring of repository %q is no absolute path: %q", r.Name, r.Keyring)
	}
	return nil
}

// readVariables reads the values of names.
func readVariables(to *map[string]string) reader {
	return func(n node) error {
		*to = map[string]string{}
		return n.entries(func(name string, _, value node) error {
			var s string
			if err := text(&s)(value); err != nil {
				return err
			}
			(*to)[name] = s
			return nil
		})
	}
}
