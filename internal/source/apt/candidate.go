package apt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/internal/source/candidate"
	"github.com/virtmatrix/virtmatrix/internal/source/tool"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// origin is what our own repositories say of where they are from, by which apt is told
// what to prefer.
const origin = "virtmatrix-candidate"

var _ source.Surveyor = (*Source)(nil)

// Survey looks at what is where a candidate is, and keeps it.
func (s *Source) Survey(ctx context.Context, release, where string, patterns []string) (matrix.Offer, error) {
	fail := func(err error) (matrix.Offer, error) {
		return matrix.Offer{}, fmt.Errorf("cannot use candidate %s: %w", where, err)
	}
	all, trust, err := s.find(ctx, release, where, patterns)
	if err == nil {
		err = candidate.Distinct(all, arch, "all")
	}
	var owners []string
	if err == nil && release != "" {
		owners, err = s.owners(ctx, release, patterns)
	}
	if err != nil {
		return fail(err)
	}
	offer, err := candidate.Offer(all, patterns, owners)
	if err != nil {
		return fail(err)
	}
	offer.Trust = trust
	if offer.Index, err = s.index(ctx, all); err != nil {
		return fail(err)
	}
	return offer, nil
}

// find gets the package files of a place: a folder, an installed tree, a release, or a
// repository as "ADDRESS SUITE", with a keyring of its own or the word "unsigned" after that.
func (s *Source) find(ctx context.Context, over, where string, patterns []string) (all []candidate.File, trust string, err error) {
	words := strings.Fields(where)
	from, release := s, where
	switch {
	case s.releases[where].Name != "":
	case strings.Contains(where, "://") && (len(words) == 2 || len(words) == 3):
		key, unsigned := s.opts.Keyring, false
		if len(words) == 3 {
			key, unsigned = words[2], words[2] == candidate.Unsigned
		}
		from, release = s.elsewhere(trimSlash(words[0]), words[1], key, unsigned), elsewhere
	case strings.Contains(where, "://"):
		return nil, "", fmt.Errorf("want the address of a repository, its suite (a folder that ends in / where there is none), and its keyring or the word %q", candidate.Unsigned)
	case candidate.IsTree(where):
		return candidate.OfTree(ctx, s, candidate.Tree{Dir: where, Release: over, Files: s.files, Repack: s.repack, Take: s.take}, patterns)
	default:
		all, err = candidate.Collect(where, ".deb", func(file string) (candidate.File, error) { return s.take(ctx, file) })
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
		var f candidate.File
		f, err = s.describe(ctx, p)
		all = append(all, f)
	}
	trust = "of a repository that is signed by " + from.opts.Keyring
	if from.opts.Unsigned {
		trust = "of a repository that nobody has signed"
	}
	return all, trust, err
}

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
	return candidate.Owners(records, patterns), err
}

// take keeps a package file in the cache and reads what it is.
func (s *Source) take(ctx context.Context, file string) (candidate.File, error) {
	kept, err := s.files.Adopt(file)
	if err != nil {
		return candidate.File{}, err
	}
	// From the copy: the file may be written to meanwhile.
	f, err := s.describe(ctx, kept)
	if err != nil {
		err = errors.Join(err, os.Remove(s.files.Path(kept)))
	}
	return f, err
}

// describe reads what a package file in the cache is.
func (s *Source) describe(ctx context.Context, kept matrix.Package) (candidate.File, error) {
	out, _, err := tool.Run(ctx, tool.Command{Argv: []string{"dpkg-deb", "--field", s.files.Path(kept)}})
	if err != nil {
		return candidate.File{}, err
	}
	f := candidate.File{Package: kept}
	err = stanzas(strings.NewReader(string(out)), func(fields map[string]string) {
		r := (&private{}).record(fields)
		f.Name, f.Version, f.Arch, f.Source = r.Package, r.Version, fields["Architecture"], r.Source
	})
	if err == nil && (!packageName.MatchString(f.Name) || f.Version == "" || f.Arch == "") {
		err = fmt.Errorf("it says to be %q, version %q, for %q, which is no package", f.Name, f.Version, f.Arch)
	}
	return f, err
}

// index makes a repository of the files, which stay in the cache, and names it by what is
// in it.
func (s *Source) index(ctx context.Context, all []candidate.File) (name string, err error) {
	set := matrix.PackageSet{Source: Kind, Release: origin}
	for _, f := range all {
		set.Packages = append(set.Packages, f.Package)
	}
	name = fmt.Sprintf("%.32s", set.Key())
	return name, candidate.Keep(s.indexDir(name), func(dir string) error { return s.makeRepository(ctx, set, origin, dir, os.Symlink) })
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
	p.preferred = pulledFile
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
