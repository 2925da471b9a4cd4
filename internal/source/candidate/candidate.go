// Package candidate finds what of the package files at a place is a candidate of a
// component, whatever kind of packages they are.
package candidate

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/virtmatrix/virtmatrix/matrix"
)

// File is a package file where a candidate is, which is in the cache by now.
type File struct {
	matrix.Package
	// Source is the source package that it is built from.
	Source string
}

// Unsigned is the word of people for a repository that nobody has signed, in the place of
// its keyring.
const Unsigned = "unsigned"

// Matches says whether a name matches one of the patterns (path.Match).
func Matches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(g string) bool {
		ok, err := path.Match(g, name)
		return ok && err == nil
	})
}

// Collect takes the files of a folder whose names end with ext, sorted by the names of
// their packages. A build leaves its source package beside them, which nobody installs.
func Collect(dir, ext string, take func(file string) (File, error)) ([]File, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*"+ext))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		if _, err := os.Stat(dir); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("there is no %s file in it; COMPONENT@RELEASE=... lays it over a release with packages of another kind", ext)
	}
	var all []File
	for _, file := range files {
		if strings.HasSuffix(file, ".src"+ext) && len(files) > 1 {
			continue
		}
		f, err := take(file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Base(file), err)
		}
		all = append(all, f)
	}
	slices.SortStableFunc(all, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// Distinct refuses what nobody can lay over a release: two files of one name, or files of
// another architecture than the hosts', the first of the words for what fits.
func Distinct(all []File, fits ...string) error {
	for i, f := range all {
		if !slices.Contains(fits, f.Arch) {
			return fmt.Errorf("%s %s is built for %s, and hosts are %s: take it out", f.Name, f.Version, f.Arch, fits[0])
		}
		if i > 0 && all[i-1].Name == f.Name {
			return fmt.Errorf("there are two of %s, %s and %s: take one out", f.Name, all[i-1].Version, f.Version)
		}
	}
	return nil
}

// Offer is what of the files belongs to the component: those that match the patterns, and
// those that are built from the same source packages as they, or as one of owners.
func Offer(all []File, patterns, owners []string) (offer matrix.Offer, err error) {
	owners = slices.Clone(owners)
	for _, f := range all {
		if Matches(patterns, f.Name) {
			owners = append(owners, f.Source)
		}
	}
	var names []string
	for _, f := range all {
		names = append(names, f.Name)
		if !slices.Contains(owners, f.Source) {
			continue
		}
		offer.Packages = append(offer.Packages, f.Package)
		if offer.Lead == "" || Matches(patterns, f.Name) {
			offer.Lead = f.Version
		}
	}
	if len(offer.Packages) == 0 {
		return offer, fmt.Errorf("none of its packages (%s) belongs to the component, which is %s and what is built with them; name the release that it is laid over (COMPONENT@RELEASE=...) if it is only a part",
			strings.Join(names, ", "), strings.Join(patterns, ", "))
	}
	return offer, nil
}

// Owners are the source packages of those of a release's records that match.
func Owners(records []matrix.Record, patterns []string) (sources []string) {
	for _, r := range records {
		if Matches(patterns, r.Package) {
			sources = append(sources, r.Source)
		}
	}
	return sources
}

// Keep makes the folder of an index that is named by its content, once: fill gets a
// folder that becomes it.
func Keep(dir string, fill func(partial string) error) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	partial, err := os.MkdirTemp(filepath.Dir(dir), ".partial-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(partial)
	if err := errors.Join(os.Chmod(partial, 0o755), fill(partial)); err != nil {
		return err
	}
	// Another process may have been faster, with the same.
	if err := os.Rename(partial, dir); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return nil
}
