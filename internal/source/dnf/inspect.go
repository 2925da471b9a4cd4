package dnf

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/google/rpmpack"

	"github.com/virtmatrix/virtmatrix/internal/rpmrepo"
	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/internal/source/cache"
	"github.com/virtmatrix/virtmatrix/internal/source/candidate"
	"github.com/virtmatrix/virtmatrix/matrix"
)

var _ source.Deliverer = (*Source)(nil)

// The flags of files in a package's header (rpmfileAttrs in rpm's rpmfiles.h).
const (
	configFile = 1 << 0
	ghostFile  = 1 << 6
	folderMode = 0o040000
	linkMode   = 0o120000
	kindOfFile = 0o170000
)

// contentFormat has a line for each thing that a package says or holds.
const contentFormat = `source %{SOURCERPM}
[provides %{PROVIDENEVRS}
][requires %{REQUIRENEVRS}
][conflicts %{CONFLICTNEVRS}
][obsoletes %{OBSOLETENEVRS}
][file %{FILEFLAGS} %{FILEMODES} %{FILEDIGESTS}-%{FILELINKTOS} %{FILENAMES}
]`

// Inspect reads what the files of a fetched set say and hold.
func (s *Source) Inspect(ctx context.Context, set matrix.PackageSet) ([]source.Content, error) {
	const op = "inspect packages"
	if err := s.files.Ready(set, op); err != nil {
		return nil, err
	}
	var all []source.Content
	for _, p := range set.Packages {
		out, err := s.query(ctx, p, contentFormat)
		if err != nil {
			return nil, s.fail(source.Failed, op, set.Release, "", fmt.Errorf("%s: %w", p.Name, err))
		}
		all = append(all, contentOf(p, out))
	}
	return all, nil
}

// contentOf reads what rpm says of a package. What a package obsoletes it takes the place
// of, files and all, and cannot be beside.
func contentOf(p matrix.Package, said string) source.Content {
	c := source.Content{Package: p, Kind: Kind}
	for line := range strings.Lines(said) {
		what, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		switch value = strings.TrimSpace(value); {
		case value == "" || value == "(none)":
		case what == "source":
			c.Source = sourceName(value)
		case what == "provides":
			c.Provides = append(c.Provides, value)
		case what == "requires":
			c.Depends = append(c.Depends, value)
		case what == "conflicts":
			c.Conflicts = append(c.Conflicts, value)
		case what == "obsoletes":
			c.Breaks, c.Replaces = append(c.Breaks, value), append(c.Replaces, value)
		case what == "file":
			addFile(&c, value)
		}
	}
	return c
}

// addFile reads "FLAGS MODE DIGEST-LINK PATH". A folder is everybody's, and a ghost is not
// in the package.
func addFile(c *source.Content, line string) {
	words := strings.SplitN(line, " ", 4)
	if len(words) != 4 {
		return
	}
	flags, _ := strconv.ParseUint(words[0], 10, 32)
	mode, _ := strconv.ParseUint(words[1], 10, 32)
	if mode&kindOfFile == folderMode || flags&ghostFile != 0 {
		return
	}
	c.Files = append(c.Files, words[3])
	c.Digests = append(c.Digests, words[2])
	if flags&configFile != 0 {
		c.Config = append(c.Config, words[3])
	}
}

// Signatures says of each repository of a release who answers for its index, or for its
// packages, of which the smallest is verified.
func (s *Source) Signatures(ctx context.Context, release, keyring string) (all []source.Signature, err error) {
	smallest, err := s.smallest(ctx, release)
	if err != nil {
		return nil, err
	}
	p, unlock, err := s.open(ctx, release)
	if err != nil {
		return nil, err
	}
	defer unlock()
	for _, r := range s.repositories(p.release) {
		sig := source.Signature{Index: r.Name, By: cmp.Or(keyring, r.Keyring)}
		var wrong error
		switch {
		case r.Name == ownRepository || r.Name == moreRepository:
			sig.By = "nobody: it is the candidate's, made here"
		case r.Trust.Metadata():
			wrong = p.signed(r.Name, sig.By)
		case r.Trust.Packages():
			for _, pkg := range smallest.Packages {
				if pkg.Repository == r.Name {
					sig.By += ", package by package: " + pkg.Name
					wrong = p.verify(ctx, cmp.Or(keyring, r.Keyring), s.files.Path(pkg))
				}
			}
		default:
			sig.By = "nobody: " + trusts([]matrix.Repository{r})
		}
		if wrong != nil {
			sig.Problem = wrong.Error()
		}
		all = append(all, sig)
	}
	return all, nil
}

// smallest fetches the smallest package of each repository of a release.
func (s *Source) smallest(ctx context.Context, release string) (set matrix.PackageSet, err error) {
	p, unlock, err := s.open(ctx, release)
	if err != nil {
		return set, err
	}
	defer unlock()
	const op = "read signatures"
	a, err := p.ask(ctx, op, "smallest")
	if err != nil {
		return set, err
	}
	if set, err = p.set(a); err == nil {
		err = s.files.Remember(addresses(a.Packages))
	}
	if err != nil {
		return set, s.fail(source.Failed, op, release, "", err)
	}
	unlock()
	return set, s.Fetch(ctx, set, nil)
}

// signed verifies the index of a repository, as dnf keeps it.
func (p *private) signed(repository, keyring string) error {
	keys, err := readKeyring(keyring)
	if err != nil {
		return err
	}
	found, err := filepath.Glob(p.path("cache", repository+"-*", "repodata", "repomd.xml"))
	if err != nil || len(found) != 1 {
		return errors.Join(err, fmt.Errorf("there is no one index of %s", repository))
	}
	index, err := os.Open(found[0])
	if err != nil {
		return err
	}
	defer index.Close()
	signature, err := os.Open(found[0] + ".asc")
	if err != nil {
		return err
	}
	defer signature.Close()
	_, err = openpgp.CheckArmoredDetachedSignature(keys, index, signature, nil)
	return err
}

// Plant returns a candidate that has one package more, in the place of its name.
func (s *Source) Plant(ctx context.Context, c matrix.Candidate, p source.Planted) (matrix.Candidate, error) {
	dir, err := cache.Scratch(s.opts.Home, "planted")
	if err != nil {
		return c, err
	}
	defer os.RemoveAll(dir)
	made := rpmrepo.Package{
		Name: p.Name, EVR: p.Version + "-1", Requires: p.Depends, Conflicts: p.Breaks, Obsoletes: p.Replaces, Post: p.AfterInstall,
	}
	for _, f := range p.Files {
		made.Files = append(made.Files, rpmpack.RPMFile{Name: f, Body: []byte(cmp.Or(p.Body, "planted\n")), Mode: 0o100755, Owner: "root", Group: "root"})
	}
	file, err := rpmrepo.Repository{Dir: dir}.Add(made)
	if err != nil {
		return c, err
	}
	planted, err := s.take(ctx, file)
	if err != nil {
		return c, err
	}
	// All of a candidate's own: what else was at its place is no part of the question.
	own, all := []matrix.Package{planted.Package}, []candidate.File{planted}
	for _, p := range c.Packages {
		if p.Name != planted.Name {
			own, all = append(own, p), append(all, candidate.File{Package: p})
		}
	}
	c.Index, c.Packages, err = s.index(ctx, own, all)
	return c, err
}
