package dnf

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// packageName leaves out what dnf would take for a pattern, a file or a version.
var packageName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_+.-]*$`)

// base are what no root can be without. The last is what packages of all distributions
// of this kind call the one that says which release it is.
var base = []string{"basesystem", "bash", "coreutils", "system-release"}

// Resolve finds the exact packages that answer the request.
func (s *Source) Resolve(ctx context.Context, req source.Request) (matrix.PackageSet, error) {
	const op = "resolve packages"
	for _, n := range req.Names {
		if !packageName.MatchString(n) {
			return matrix.PackageSet{}, fmt.Errorf("cannot resolve packages of %s: %q is not a package name", req.Release, n)
		}
	}
	p, unlock, err := s.open(ctx, req.Release)
	if err != nil {
		return matrix.PackageSet{}, err
	}
	defer unlock()
	if req.Base {
		req.Names = append(slices.Clone(req.Names), base...)
	}
	var set matrix.PackageSet
	if p.index.Recall(req.Question(), &set) {
		return set, nil
	}
	a, err := p.put(ctx, op, question{Ask: "resolve", Names: req.Names, Oldest: req.Oldest})
	if err != nil {
		return set, err
	}
	set, err = p.set(a)
	if err == nil {
		err = errors.Join(s.files.Remember(addresses(a.Packages)), p.index.Note(req.Question(), set))
	}
	if err != nil {
		return matrix.PackageSet{}, s.fail(source.Failed, op, req.Release, "", err)
	}
	return set, nil
}

// set is what the solver chose, with the repositories that it is from.
func (p *private) set(a *answer) (matrix.PackageSet, error) {
	set := matrix.PackageSet{Source: Kind, Release: p.release.Name}
	used := map[string]bool{}
	for _, f := range a.Packages {
		if f.SHA256 == "" {
			return set, fmt.Errorf("the index of repository %s has no SHA-256 of package %s", f.Repository, f.Name)
		}
		set.Packages = append(set.Packages, matrix.Package{Name: f.Name, Version: f.Version, Arch: f.Arch, SHA256: f.SHA256, Size: f.Size, Repository: f.Repository})
		used[f.Repository] = true
	}
	slices.SortFunc(set.Packages, func(a, b matrix.Package) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), matrix.CompareRPM(a.Version, b.Version), cmp.Compare(a.Arch, b.Arch))
	})
	for _, r := range p.src.repositories(p.release) {
		if !used[r.Name] {
			continue
		}
		index := a.Indexes[r.Name]
		o := matrix.Origin{Name: r.Name, URL: cmp.Or(r.URL, r.Mirrors), Trust: r.Trust, Revision: index.Revision, Index: index.SHA256}
		if r.Keyring != "" {
			keys, err := readKeyring(r.Keyring)
			if err != nil {
				return set, err
			}
			for _, k := range keys {
				o.Keys = append(o.Keys, fingerprint(k))
			}
		}
		set.Repositories = append(set.Repositories, o)
	}
	return set, nil
}

func addresses(packages []found) map[string]string {
	at := map[string]string{}
	for _, f := range packages {
		at[f.SHA256] = f.Address
	}
	return at
}

// Records returns what the release says of the packages that match the patterns, and
// of those that they depend on and that are built from the same source packages,
// sorted by name. Each is in the newest version.
func (s *Source) Records(ctx context.Context, release string, patterns []string) ([]matrix.Record, error) {
	const op = "read package records"
	if err := source.CheckPatterns(patterns); err != nil {
		return nil, fmt.Errorf("cannot %s of %s: %w", op, release, err)
	}
	p, unlock, err := s.open(ctx, release)
	if err != nil {
		return nil, err
	}
	defer unlock()
	// No package has a colon in its name: no other question is like it.
	question := append([]string{"records:"}, patterns...)
	records := []matrix.Record{}
	if p.index.Recall(question, &records) {
		return records, nil
	}
	a, err := p.ask(ctx, op, "records", patterns...)
	if err != nil {
		return nil, err
	}
	for _, r := range a.Records {
		records = append(records, matrix.Record{
			Release: release, Package: r.Package, Version: r.Version, Source: r.Source,
			Provides: r.Provides, Depends: r.Requires, Conflicts: r.Conflicts,
		})
	}
	if err := p.index.Note(question, records); err != nil {
		return nil, s.fail(source.Failed, op, release, "", err)
	}
	return records, nil
}
