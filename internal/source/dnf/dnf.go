// Package dnf gets packages from repositories of RPMs. dnf's own library resolves, in
// private folders and with nothing of the machine's configuration; our code fetches by
// digest; rpm verifies and installs.
//
// Trust goes as each repository declares it (matrix.Trust). Most repositories sign
// packages and not the index: then what the index says is the mirror's word, and
// rpmkeys verifies each package before it enters the cache.
package dnf

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/internal/source/cache"
	"github.com/virtmatrix/virtmatrix/internal/source/tool"
)

const (
	// Kind is the name of this kind of repository in releases and package sets.
	Kind = "dnf"

	arch = "x86_64"
	// python is the machine's own, which dnf's library belongs to: another may be
	// first in PATH.
	python  = "/usr/bin/python3"
	library = "/usr/lib/python3/dist-packages/dnf/__init__.py"
)

// Options configure a Source.
type Options struct {
	// Home is the cache folder: indexes go to HOME/dnf, package files to HOME/packages,
	// logs of failed installations to HOME/logs.
	Home     string
	Releases []source.Release
	// MaxAge is how long an index is used before the repository is asked again; 0 means
	// six hours.
	MaxAge time.Duration
	// Fresh asks the repositories again, once per release, whatever the index's age.
	Fresh bool
}

// Source serves the packages of releases of this kind.
type Source struct {
	opts     Options
	releases map[string]source.Release
	files    cache.Files
	// since is when an index must have been made at the earliest.
	since time.Time
}

var _ source.Source = (*Source)(nil)

// New makes a source. It asks no repository yet.
func New(opts Options) (*Source, error) {
	if opts.MaxAge == 0 {
		opts.MaxAge = cache.MaxAge
	}
	s := &Source{opts: opts, releases: map[string]source.Release{}, files: packageFiles(opts.Home)}
	s.files.Fail = s.fail
	if opts.Fresh {
		s.since = time.Now()
	}
	if err := tool.Require(s.Tools()); err != nil {
		return nil, err
	}
	for _, r := range opts.Releases {
		if err := check(r); err != nil {
			return nil, fmt.Errorf("cannot use release %q: %w", r.Name, err)
		}
		s.releases[r.Name] = r
	}
	return s, nil
}

// check finds what cannot be read of a release.
func check(r source.Release) error {
	seen := map[string]bool{}
	for _, repository := range declared(r) {
		switch {
		case repository.URL == "" && repository.Mirrors == "":
			return fmt.Errorf("repository %q says neither its url nor where its mirrors are listed", repository.Name)
		case seen[repository.Name]:
			return fmt.Errorf("two repositories are called %q", repository.Name)
		// dnf's configuration has a line for each setting.
		case strings.ContainsAny(repository.Name+repository.URL+repository.Mirrors+repository.Keyring+strings.Join(repository.Exclude, ""), " \t\n[]"):
			return fmt.Errorf("repository %q has a space or a bracket in its settings", repository.Name)
		}
		seen[repository.Name] = true
	}
	return nil
}

// Tools lists the programs that any source of this kind runs, so a nil one will do.
func (*Source) Tools() []tool.Tool {
	return []tool.Tool{
		{Name: python, Package: "python3"},
		{Name: library, Package: "python3-dnf"},
		{Name: "rpm", Package: "rpm"},
		{Name: "rpmkeys", Package: "rpm"},
		{Name: "unshare", Package: "util-linux"},
		{Name: "createrepo_c", Package: "createrepo-c"},
	}
}

// Mirror says where the repositories are.
func (s *Source) Mirror() string {
	var all []string
	for _, r := range s.opts.Releases {
		for _, repository := range r.Repositories {
			all = append(all, repository.URL+repository.Mirrors)
		}
	}
	return strings.Join(all, ", ")
}

func (s *Source) release(name string) (source.Release, error) { return source.Find(s.releases, name) }

func (s *Source) fail(kind source.Kind, op, release, cure string, err error) error {
	return source.Fail(s.opts.Home, source.Error{Kind: kind, Op: op, Release: release, Mirror: s.mirrors(release), Cure: cure, Err: err})
}

func (s *Source) mirrors(release string) string {
	var names []string
	for _, r := range s.repositories(s.releases[release]) {
		names = append(names, r.Name)
	}
	return "repositories " + strings.Join(names, ", ")
}

// home makes a folder that rpm's programs and libraries take for the user's. The
// database is where that says: the machine's own is opened even by those who need none.
func home(dir, database string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, ".rpmmacros"), []byte("%_dbpath "+database+"\n"), 0o644)
}
