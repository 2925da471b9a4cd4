package dnf

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/internal/source/candidate"
	"github.com/virtmatrix/virtmatrix/internal/source/tool"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// The repositories of a candidate: what belongs to its component goes before all else,
// also downwards; what else is there is taken where nothing else will do.
const (
	ownRepository  = "virtmatrix-candidate"
	moreRepository = "virtmatrix-candidate-more"
	first, last    = 1, 999
)

// elsewhere is how a release is called that the catalogue does not have.
const elsewhere = "elsewhere"

var _ source.Surveyor = (*Source)(nil)

// Survey looks at what is where a candidate is, and keeps it.
func (s *Source) Survey(ctx context.Context, release, where string, patterns []string) (matrix.Offer, error) {
	fail := func(err error) (matrix.Offer, error) {
		return matrix.Offer{}, fmt.Errorf("cannot use candidate %s: %w", where, err)
	}
	all, trust, err := s.find(ctx, release, where, patterns)
	if err == nil {
		err = candidate.Distinct(all, arch, "noarch")
	}
	var records []matrix.Record
	if err == nil && release != "" {
		records, err = s.Records(ctx, release, patterns)
	}
	if err != nil {
		return fail(err)
	}
	offer, err := candidate.Offer(all, patterns, candidate.Owners(records, patterns))
	if err != nil {
		return fail(err)
	}
	offer.Trust = trust
	offer.Published = s.serves(where)
	offer.Index, offer.Packages, err = s.index(ctx, offer.Packages, all)
	if err != nil {
		return fail(err)
	}
	return offer, nil
}

// find gets the package files of a place: a folder, an installed tree, a release or a
// repository of the catalogue, or a repository as "ADDRESS KEYRING" or "ADDRESS unsigned".
func (s *Source) find(ctx context.Context, over, where string, patterns []string) (all []candidate.File, trust string, err error) {
	r, named := s.named(where)
	switch words := strings.Fields(where); {
	case named:
	case strings.Contains(where, "://") && len(words) == 2:
		repository := matrix.Repository{Name: elsewhere, URL: words[0], Trust: matrix.TrustNone}
		if words[1] != candidate.Unsigned {
			repository.Trust, repository.Keyring = matrix.TrustPackages, words[1]
		}
		r.Repositories = []matrix.Repository{repository}
	case strings.Contains(where, "://"):
		return nil, "", fmt.Errorf("want the address of a repository, and the keyring that its packages are signed by or the word %q", candidate.Unsigned)
	case candidate.IsTree(where):
		return candidate.OfTree(ctx, s, candidate.Tree{Dir: where, Release: over, Files: s.files, Repack: s.repack, Take: s.take}, patterns)
	default:
		all, err = candidate.Collect(where, ".rpm", func(file string) (candidate.File, error) { return s.take(ctx, file) })
		return all, "files that nobody has signed", err
	}
	if err := check(r); err != nil {
		return nil, "", err
	}
	all, err = s.serve(ctx, r, patterns)
	return all, "of " + trusts(r.Repositories), err
}

// named is the release of that name, or with the repository of that name, without what
// others have.
func (s *Source) named(where string) (source.Release, bool) {
	if r, ok := s.releases[where]; ok {
		return source.Release{Repositories: r.Repositories, Variables: r.Variables, Modules: r.Modules}, true
	}
	for _, name := range slices.Sorted(maps.Keys(s.releases)) {
		r := s.releases[name]
		for _, repository := range declared(r) {
			if repository.Name == where {
				return source.Release{Repositories: []matrix.Repository{repository}, Variables: r.Variables, Modules: r.Modules}, true
			}
		}
	}
	return source.Release{}, false
}

// serves says whether a place is a repository's.
func (s *Source) serves(where string) bool {
	_, named := s.named(where)
	return named || strings.Contains(where, "://")
}

// trusts says who answers for what repositories have.
func trusts(repositories []matrix.Repository) string {
	var said []string
	for _, r := range repositories {
		o := matrix.Origin{Name: r.Name, Trust: r.Trust}
		said = append(said, strings.TrimSpace("repository "+o.String()+" "+r.Keyring))
	}
	return strings.Join(said, " and ")
}

// serve gets the files of a release that is not in the catalogue.
func (s *Source) serve(ctx context.Context, r source.Release, patterns []string) (all []candidate.File, err error) {
	from := s.beside(r)
	set, sources, err := from.belonging(ctx, elsewhere, patterns)
	if err == nil {
		err = from.Fetch(ctx, set, nil)
	}
	for _, p := range set.Packages {
		all = append(all, candidate.File{Package: p, Source: sources[p.SHA256]})
	}
	return all, err
}

// beside is a source of a release that is not in the catalogue. Its index is kept apart.
func (s *Source) beside(r source.Release) *Source {
	r.Name, r.CheckValidUntil = elsewhere, true
	from := *s
	from.releases = map[string]source.Release{elsewhere: r}
	from.files.Fail = from.fail
	return &from
}

// take keeps a package file in the cache and reads what it is.
func (s *Source) take(ctx context.Context, file string) (candidate.File, error) {
	kept, err := s.files.Adopt(file)
	if err != nil {
		return candidate.File{}, err
	}
	f := candidate.File{Package: kept}
	out, err := s.query(ctx, kept, "%{NAME}\n%|EPOCH?{%{EPOCH}:}|%{VERSION}-%{RELEASE}\n%{ARCH}\n%{SOURCERPM}\n")
	if lines := strings.Split(out, "\n"); err == nil && len(lines) == 5 {
		// As dnf writes them: an epoch of 0 is none.
		f.Name, f.Version, f.Arch, f.Source = lines[0], strings.TrimPrefix(lines[1], "0:"), lines[2], sourceName(lines[3])
	}
	if err == nil && !packageName.MatchString(f.Name) {
		err = errors.New("it is no package of RPM's")
	}
	if err == nil && f.Source == "" {
		err = fmt.Errorf("%s is a source package: build it", f.Name)
	}
	if err == nil {
		var said string
		if said, err = s.alone(ctx, "", "rpmkeys", "--nosignature", "--checksig", "--verbose", s.files.Path(kept)); err != nil {
			err = fmt.Errorf("it is torn: %s", strings.Join(strings.Fields(said), " "))
		}
	}
	if err != nil {
		err = errors.Join(err, os.Remove(s.files.Path(kept)))
	}
	return f, err
}

// sourceName is the name of a source package's file, NAME-VERSION-RELEASE.src.rpm. A
// source package has none itself.
func sourceName(file string) string {
	parts := strings.Split(file, "-")
	if len(parts) < 3 {
		return ""
	}
	return strings.Join(parts[:len(parts)-2], "-")
}

// index makes two repositories of a candidate's files, of its own ones and the others, in
// a folder that is named by what is in it. The packages are then of these.
func (s *Source) index(ctx context.Context, own []matrix.Package, all []candidate.File) (name string, laid []matrix.Package, err error) {
	sets := map[string]*matrix.PackageSet{ownRepository: {Source: Kind}, moreRepository: {Source: Kind}}
	for _, f := range all {
		of := moreRepository
		if slices.ContainsFunc(own, func(p matrix.Package) bool { return p.SHA256 == f.SHA256 }) {
			of = ownRepository
		}
		f.Repository = of
		sets[of].Packages = append(sets[of].Packages, f.Package)
	}
	laid = sets[ownRepository].Packages
	name = fmt.Sprintf("%.16s%.16s", sets[ownRepository].Key(), sets[moreRepository].Key())
	return name, laid, candidate.Keep(s.indexDir(name), func(dir string) error {
		for of, set := range sets {
			if err := s.lay(ctx, *set, filepath.Join(dir, of), os.Symlink); err != nil {
				return err
			}
		}
		return nil
	})
}

// lay makes a folder a repository of a set's files, by names that dnf takes.
func (s *Source) lay(ctx context.Context, set matrix.PackageSet, dir string, link func(file, name string) error) error {
	err := os.Mkdir(dir, 0o755)
	for _, p := range set.Packages {
		name := strings.ReplaceAll(fmt.Sprintf("%s-%s.%s.rpm", p.Name, p.Version, p.Arch), ":", "_")
		err = errors.Join(err, link(s.files.Path(p), filepath.Join(dir, name)))
	}
	if err != nil {
		return err
	}
	return makeIndex(ctx, dir)
}

func (s *Source) indexDir(name string) string {
	return filepath.Join(s.opts.Home, "dnf", "candidates", name)
}

// offered are the repositories of a candidate; none without one.
func (s *Source) offered(c *matrix.Candidate) (all []matrix.Repository) {
	if c == nil {
		return nil
	}
	for name, priority := range map[string]int{ownRepository: first, moreRepository: last} {
		all = append(all, matrix.Repository{
			Name: name, URL: "file://" + filepath.Join(s.indexDir(c.Index), name), Trust: matrix.TrustNone, Priority: priority, OverModules: true,
		})
	}
	slices.SortFunc(all, func(a, b matrix.Repository) int { return cmp.Compare(a.Priority, b.Priority) })
	return all
}

// candidate is the repository whose packages are not to be left out; empty for none.
func (p *private) candidate() string {
	if p.release.Candidate == nil {
		return ""
	}
	return ownRepository
}

// shareIndexes takes the indexes of the release below, so that both are judged by the same.
func (p *private) shareIndexes(ctx context.Context) error {
	below, unlock, err := p.src.open(ctx, matrix.Below(p.release.Name))
	if err != nil {
		return err
	}
	defer unlock()
	if _, _, err := tool.Run(ctx, tool.Command{Argv: []string{"cp", "--archive", below.path("cache") + "/.", p.path("cache")}}); err != nil {
		return p.src.fail(source.Failed, "share the index", p.release.Name, "", err)
	}
	return nil
}

// Belonging lists the packages of a release that are built from the source packages of
// those that match.
func (s *Source) Belonging(ctx context.Context, release string, patterns []string) (matrix.PackageSet, error) {
	set, _, err := s.belonging(ctx, release, patterns)
	return set, err
}

// belonging tells the source packages, too, by the digests of the packages.
func (s *Source) belonging(ctx context.Context, release string, patterns []string) (set matrix.PackageSet, sources map[string]string, err error) {
	p, unlock, err := s.open(ctx, release)
	if err != nil {
		return set, nil, err
	}
	defer unlock()
	const op = "list packages"
	a, err := p.ask(ctx, op, "belonging", patterns...)
	if err != nil {
		return set, nil, err
	}
	if set, err = p.set(a); err == nil {
		err = s.files.Remember(addresses(a.Packages))
	}
	if err != nil {
		return set, nil, s.fail(source.Failed, op, release, "", err)
	}
	sources = map[string]string{}
	for _, f := range a.Packages {
		sources[f.SHA256] = f.Source
	}
	return set, sources, nil
}
