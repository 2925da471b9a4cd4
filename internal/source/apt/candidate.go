package apt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/internal/source/cache"
	"github.com/virtmatrix/virtmatrix/internal/source/tool"
	"github.com/virtmatrix/virtmatrix/internal/store/disk"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// origin is what our own repositories say of where they are from, by which apt is told
// what to prefer.
const origin = "virtmatrix-candidate"

var _ source.Surveyor = (*Source)(nil)

// offered is a package file where a candidate is.
type offered struct {
	matrix.Package
	source string
}

// Survey looks at what is where a candidate is, and keeps it.
func (s *Source) Survey(ctx context.Context, release, where string, patterns []string) (matrix.Offer, error) {
	all, trust, err := s.find(ctx, where, patterns)
	if err == nil {
		err = distinct(all)
	}
	var owners []string
	if err == nil && release != "" {
		owners, err = s.owners(ctx, release, patterns)
	}
	if err != nil {
		return matrix.Offer{}, fmt.Errorf("cannot use candidate %s: %w", where, err)
	}
	offer := matrix.Offer{Trust: trust}
	for _, f := range all {
		if matches(patterns, f.Name) {
			owners = append(owners, f.source)
		}
	}
	var names []string
	for _, f := range all {
		names = append(names, f.Name)
		if !slices.Contains(owners, f.source) {
			continue
		}
		offer.Packages = append(offer.Packages, f.Package)
		if offer.Lead == "" || matches(patterns, f.Name) {
			offer.Lead = f.Version
		}
	}
	if len(offer.Packages) == 0 {
		return offer, fmt.Errorf("cannot use candidate %s: none of its packages (%s) belongs to the component, which is %s and what is built with them; name the release that it is laid over (COMPONENT@RELEASE=...) if it is only a part",
			where, strings.Join(names, ", "), strings.Join(patterns, ", "))
	}
	offer.Index, err = s.index(ctx, all)
	if err != nil {
		return offer, fmt.Errorf("cannot use candidate %s: %w", where, err)
	}
	return offer, nil
}

// find gets the package files of a place: a folder, a release, or a repository as
// "ADDRESS SUITE", with a keyring of its own or the word "unsigned" after that.
func (s *Source) find(ctx context.Context, where string, patterns []string) (all []offered, trust string, err error) {
	words := strings.Fields(where)
	from, release := s, where
	switch {
	case s.releases[where].Name != "":
	case strings.Contains(where, "://") && (len(words) == 2 || len(words) == 3):
		key, unsigned := s.opts.Keyring, false
		if len(words) == 3 {
			key, unsigned = words[2], words[2] == unsignedWord
		}
		from, release = s.elsewhere(trimSlash(words[0]), words[1], key, unsigned), elsewhere
	case strings.Contains(where, "://"):
		return nil, "", fmt.Errorf("want the address of a repository, its suite (a folder that ends in / where there is none), and its keyring or the word %q", unsignedWord)
	default:
		all, err = s.collect(ctx, where)
		return all, "files that nobody has signed", err
	}
	set, err := from.Belonging(ctx, release, patterns)
	if err == nil {
		err = from.Fetch(ctx, set, nil)
	}
	for _, p := range set.Packages {
		if err != nil {
			break
		}
		var f offered
		f, err = s.describe(ctx, p)
		all = append(all, f)
	}
	trust = "of a repository that is signed by " + from.opts.Keyring
	if from.opts.Unsigned {
		trust = "of a repository that nobody has signed"
	}
	return all, trust, err
}

// unsignedWord says that a repository is not signed.
const unsignedWord = "unsigned"

// elsewhere is how a release is called that is in another repository than the source's.
const elsewhere = "elsewhere"

// elsewhere is a source of a suite in another repository. Its lists are kept apart, by
// where it is.
func (s *Source) elsewhere(mirror, suite, keyring string, unsigned bool) *Source {
	out := *s
	out.opts.Mirror, out.opts.Keyring, out.opts.Unsigned = mirror, keyring, unsigned
	out.releases = map[string]source.Release{elsewhere: {Name: elsewhere, Repositories: []matrix.Repository{{Name: suite}}, CheckValidUntil: true}}
	return &out
}

// owners are the source packages of those that match in a release.
func (s *Source) owners(ctx context.Context, release string, patterns []string) (sources []string, err error) {
	records, err := s.Records(ctx, release, patterns)
	for _, r := range records {
		if matches(patterns, r.Package) {
			sources = append(sources, r.Source)
		}
	}
	return sources, err
}

// collect keeps the package files of a folder in the cache, sorted by name.
func (s *Source) collect(ctx context.Context, dir string) ([]offered, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		if _, err := os.Stat(dir); err != nil {
			return nil, err
		}
		return nil, errors.New("there is no .deb file in it")
	}
	var all []offered
	for _, file := range files {
		f, err := s.take(ctx, file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Base(file), err)
		}
		all = append(all, f)
	}
	slices.SortFunc(all, func(a, b offered) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// take keeps a package file in the cache and reads what it is.
func (s *Source) take(ctx context.Context, file string) (offered, error) {
	kept, err := s.keepCopy(file)
	if err != nil {
		return offered{}, err
	}
	// From the copy: the file may be written to meanwhile.
	f, err := s.describe(ctx, kept)
	if err != nil {
		err = errors.Join(err, os.Remove(s.files.Path(kept)))
	}
	return f, err
}

// describe reads what a package file in the cache is.
func (s *Source) describe(ctx context.Context, kept matrix.Package) (offered, error) {
	out, _, err := tool.Run(ctx, tool.Command{Argv: []string{"dpkg-deb", "--field", s.files.Path(kept)}})
	if err != nil {
		return offered{}, err
	}
	f := offered{Package: kept}
	err = stanzas(strings.NewReader(string(out)), func(fields map[string]string) {
		r := (&private{}).record(fields)
		f.Name, f.Version, f.Arch, f.source = r.Package, r.Version, fields["Architecture"], r.Source
	})
	if err == nil && (!packageName.MatchString(f.Name) || f.Version == "" || f.Arch == "") {
		err = fmt.Errorf("it says to be %q, version %q, for %q, which is no package", f.Name, f.Version, f.Arch)
	}
	return f, err
}

// keepCopy copies a file into the cache, under its digest.
func (s *Source) keepCopy(file string) (matrix.Package, error) {
	dir := cache.Folder(s.opts.Home)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return matrix.Package{}, err
	}
	from, err := os.Open(file)
	if err != nil {
		return matrix.Package{}, err
	}
	defer from.Close()
	to, err := os.CreateTemp(dir, ".candidate-")
	if err != nil {
		return matrix.Package{}, err
	}
	defer os.Remove(to.Name())
	_, err = io.Copy(to, from)
	if err = errors.Join(err, to.Close()); err != nil {
		return matrix.Package{}, disk.Explain(err, dir)
	}
	sum, size, err := disk.Digest(to.Name())
	p := matrix.Package{SHA256: sum, Size: size}
	if err != nil {
		return p, err
	}
	return p, s.files.Keep(to.Name(), p)
}

// distinct refuses what nobody can lay over a release: two files of one name, or files of
// another architecture than ours.
func distinct(all []offered) error {
	for i, f := range all {
		if f.Arch != arch && f.Arch != "all" {
			return fmt.Errorf("%s %s is built for %s, and hosts are %s: take it out", f.Name, f.Version, f.Arch, arch)
		}
		if i > 0 && all[i-1].Name == f.Name {
			return fmt.Errorf("there are two of %s, %s and %s: take one out", f.Name, all[i-1].Version, f.Version)
		}
	}
	return nil
}

// index makes a repository of the files, which stay in the cache, and names it by what is
// in it.
func (s *Source) index(ctx context.Context, all []offered) (name string, err error) {
	set := matrix.PackageSet{Source: Kind, Release: origin}
	for _, f := range all {
		set.Packages = append(set.Packages, f.Package)
	}
	name = fmt.Sprintf("%.32s", set.Key())
	dir := s.indexDir(name)
	if _, err := os.Stat(dir); err == nil {
		return name, nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", err
	}
	partial, err := os.MkdirTemp(filepath.Dir(dir), ".partial-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(partial)
	if err := errors.Join(os.Chmod(partial, 0o755), s.makeRepository(ctx, set, origin, partial, os.Symlink)); err != nil {
		return "", err
	}
	// Another process may have been faster, with the same.
	if err := os.Rename(partial, dir); err != nil && !errors.Is(err, os.ErrExist) {
		return "", err
	}
	return name, nil
}

func (s *Source) indexDir(name string) string {
	return filepath.Join(s.opts.Home, "apt", "candidates", name)
}

// candidateSource is the line of sources.list for the candidate; empty without one.
func (p *private) candidateSource() string {
	if p.release.Candidate == nil {
		return ""
	}
	return fmt.Sprintf("deb [trusted=yes] copy:%s ./\n", p.src.indexDir(p.release.Candidate.Index))
}

// preferences make apt take what belongs to the candidate's component from the candidate,
// also downwards, and what else is there only where nothing else will do
// (apt_preferences(5)).
func (p *private) preferences() string {
	c := p.release.Candidate
	if c == nil {
		return ""
	}
	names := slices.Clone(p.pulled)
	for _, own := range c.Packages {
		names = append(names, own.Name)
	}
	return fmt.Sprintf("Package: %s\nPin: release o=%[2]s\nPin-Priority: 1001\n\nPackage: *\nPin: release o=%[2]s\nPin-Priority: 1\n",
		strings.Join(names, " "), origin)
}

// pulledFile is preferences with what a candidate pulls in.
const pulledFile = "preferences.pulled"

// unmet is what apt says of a dependency that it does not meet.
var unmet = regexp.MustCompile(`Depends: ([a-z0-9][a-z0-9+.-]*)`)

// pullIn has what apt misses taken from the candidate's place too, and says whether there
// is anything more that it could be.
func (p *private) pullIn(said string) (more bool, err error) {
	if p.release.Candidate == nil {
		return false, nil
	}
	there, err := os.ReadFile(filepath.Join(p.src.indexDir(p.release.Candidate.Index), "Packages"))
	if err != nil {
		return false, err
	}
	for _, m := range unmet.FindAllStringSubmatch(said, -1) {
		_, own := p.release.Candidate.Has(matrix.Package{Name: m[1]})
		if !own && !slices.Contains(p.pulled, m[1]) && bytes.Contains(there, []byte("Package: "+m[1]+"\n")) {
			p.pulled, more = append(p.pulled, m[1]), true
		}
	}
	return more, os.WriteFile(filepath.Join(p.dir, "etc", pulledFile), []byte(p.preferences()), 0o644)
}

// shareLists takes the lists of the release below, so that both are judged by the same.
func (p *private) shareLists(ctx context.Context) error {
	below, unlock, err := p.src.open(ctx, matrix.Below(p.release.Name))
	if err != nil {
		return err
	}
	defer unlock()
	from, to := filepath.Join(below.dir, "state/lists"), filepath.Join(p.dir, "state/lists")
	files, err := filepath.Glob(filepath.Join(from, "*_*"))
	err = errors.Join(err, os.RemoveAll(to), os.MkdirAll(filepath.Join(to, "partial"), 0o755))
	for _, file := range files {
		err = errors.Join(err, os.Link(file, filepath.Join(to, filepath.Base(file))))
	}
	if err != nil {
		return p.src.fail(source.Failed, "share the index", p.release.Name, "", err)
	}
	return nil
}
