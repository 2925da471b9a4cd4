// Package source is the way to packages: what a release offers under a name,
// the exact package files, and a tree made of them.
//
// Source is the one interface that the rest of the harness knows. Package apt
// implements it for Debian archives; repositories of other kinds come as
// further implementations.
package source

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"

	"github.com/virtmatrix/virtmatrix/internal/source/tool"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// Release is a distribution release as the matrix declares it.
type Release struct {
	Name string
	// Repositories are the release's own, the leading one first.
	Repositories []matrix.Repository
	// Parents are repositories of other releases that it needs as well. A
	// package that is in the leading suite too is taken from there, whichever
	// is newer.
	Parents []matrix.Repository
	// Variables are the values of names in addresses, Modules the modular streams that
	// are taken.
	Variables map[string]string
	Modules   []string
	// Publishes is what it brings beside the packages of hosts.
	Publishes matrix.Publishes
	// CheckValidUntil says whether metadata past its date is refused. It is
	// false for releases whose mirrors are known to lag.
	CheckValidUntil bool
	// Candidate is laid over it, and preferred to all else; nil for none.
	Candidate *matrix.Candidate
}

// Content is what a package file says of other packages, and what is in it.
type Content struct {
	matrix.Package
	// Kind is the kind of repository whose words these are.
	Kind string
	// Source is the source package that it is built from.
	Source string
	// Provides, Depends, Breaks, Conflicts and Replaces are the fields of that name, cut
	// at their commas, in the words of the kind of repository.
	Provides, Depends, Breaks, Conflicts, Replaces []string
	// Files are the paths of what is in it but folders, Config those of the files that
	// users may change.
	Files, Config []string
	// Digests are what the Files hold, one each, where packages of the kind may share
	// files that are the same; otherwise nil.
	Digests []string
}

// Planted is a package that a control makes: it says and holds what no package should.
type Planted struct {
	Name, Version string
	// Depends, Breaks and Replaces are fields as in Content.
	Depends, Breaks, Replaces []string
	// Files are what it holds, each with this Body or a word, AfterInstall is what it runs
	// in the root.
	Files              []string
	Body, AfterInstall string
}

// Move is the way of a root from one set of packages to another.
type Move struct {
	// Image is the file system of a root in which exactly From is installed.
	Image    string
	From, To matrix.PackageSet
	// Before and After are commands that are run in the root, around the move.
	Before, After string
}

// Way is the way that a root is taken.
type Way string

// The ways: from what the release has to the candidate, back, and from the oldest that the
// release has.
const (
	Upgrade       Way = "upgrade"
	Downgrade     Way = "downgrade"
	UpgradeOldest Way = "upgrade from the oldest"
)

// Moved is what came of a move.
type Moved struct {
	// From and To are what was moved.
	From, To matrix.PackageSet
	// Log has all that was said, Complaint why the move itself failed; empty if it went
	// through. Output is what the command after it printed.
	Log, Complaint, Output string
}

// Signature says who answers for an index, or what is wrong with that.
type Signature struct{ Index, By, Problem string }

// Deliverer is a source that shows how packages come to a host.
type Deliverer interface {
	Source
	Surveyor
	// Belonging lists the packages of a release that are built from the source packages
	// of those that match the patterns.
	Belonging(ctx context.Context, release string, patterns []string) (matrix.PackageSet, error)
	// Inspect reads the files of a fetched set.
	Inspect(ctx context.Context, set matrix.PackageSet) ([]Content, error)
	// Move takes a throw-away root from one set to another, whose files are fetched, with
	// the package manager in it and the packages' own scripts.
	Move(ctx context.Context, m Move) (Moved, error)
	// Signatures says of each index that an installation of the release reads who answers
	// for it; keyring is another one than the repository's own, if it is not empty.
	Signatures(ctx context.Context, release, keyring string) ([]Signature, error)
	// Plant returns a candidate that has one package more.
	Plant(ctx context.Context, c matrix.Candidate, p Planted) (matrix.Candidate, error)
}

// Publisher is a source that shows what its releases bring beside the packages of hosts
// (matrix.Publishes).
type Publisher interface {
	// Enabled says of each repository that the release's own packages have on users'
	// machines what they get from it unasked, and who answers for that; keyring is another
	// one than the catalogue's, if it is not empty.
	Enabled(ctx context.Context, release, keyring string) ([]Signature, error)
	// Stripped lists the programs and libraries of a fetched set whose symbols for debuggers
	// are published nowhere.
	Stripped(ctx context.Context, release string, set matrix.PackageSet) ([]string, error)
	// Sourceless lists the packages of a fetched set whose source package is published
	// nowhere.
	Sourceless(ctx context.Context, release string, set matrix.PackageSet) ([]string, error)
}

// Builder is a source that has what packages are built of.
type Builder interface {
	Source
	// SourcePackage finds the files of a version of a source package, with digests from
	// signed metadata. Fetch gets them as it gets packages.
	SourcePackage(ctx context.Context, release, name, version string) (matrix.PackageSet, error)
	// Lay copies the files of a fetched set into a folder, by their names.
	Lay(set matrix.PackageSet, dir string) error
}

// Chronicler is a source whose packages tell what changed in them.
type Chronicler interface {
	// Changelog returns the entries of a fetched package's changelog that are newer than
	// a version, the newest first; none where there is none.
	Changelog(ctx context.Context, p matrix.Package, since string) ([]string, error)
}

// Surveyor is a source that lays candidates over its releases. Of such a release it
// serves the packages that belong to the candidate's component from the candidate,
// whatever their versions; of what else is there only what these cannot do without.
type Surveyor interface {
	// Survey looks at what is where a candidate is: package files in a folder, an
	// installed tree, a repository or another release. What belongs to the component
	// are the packages that match the patterns (path.Match), and those of the same
	// source packages there and in the release that it is to be laid over, if that is
	// known already. Files are kept, so that the place may change afterwards.
	Survey(ctx context.Context, release, where string, patterns []string) (matrix.Offer, error)
}

// Request asks for packages of a release with everything they depend on.
type Request struct {
	Release string
	// Names of packages, without versions.
	Names []string
	// Base adds the packages that a root file system of the release cannot be
	// without.
	Base bool
	// Oldest are patterns (path.Match): of the packages that match, and of those built
	// from the same source packages, the release has only the oldest build. Names of these
	// that it lacks are left out.
	Oldest []string
}

// Question is what is asked for in words, in which a kind of source keeps the answer.
func (r Request) Question() []string {
	words := slices.Clone(r.Names)
	for _, pattern := range r.Oldest {
		// No package has a colon in its name.
		words = append(words, "oldest:"+pattern)
	}
	return words
}

// Progress is told how many bytes of a set are there, of how many.
type Progress func(done, total int64)

// Index tells what releases offer; nothing of a package is fetched for it.
type Index interface {
	// Resolve finds the exact packages that answer the request, with digests
	// from signed metadata. A name that does not exist is an *Error of kind
	// NoSuchPackage which holds the nearest name that does.
	Resolve(ctx context.Context, req Request) (matrix.PackageSet, error)
	// Records returns what a release says of the packages that match the
	// patterns (path.Match), and of those that they depend on and that are built
	// from the same source packages. No match is no error.
	Records(ctx context.Context, release string, patterns []string) ([]matrix.Record, error)
}

// Source serves the packages of releases.
type Source interface {
	Index
	// Fetch gets every package file of the set into the cache, each verified
	// by digest; what is there already is verified and not fetched again.
	// progress may be nil.
	Fetch(ctx context.Context, set matrix.PackageSet, progress Progress) error
	// Unpack extracts a fetched set into dir, which must be empty or missing.
	// Nothing of the packages is executed. The tree has /bin, /sbin and /lib*
	// merged into /usr whatever the release does.
	Unpack(ctx context.Context, set matrix.PackageSet, dir string) error
	// Install makes root, which must be empty or missing, a root file system
	// in which exactly the fetched set is installed, by the release's package
	// manager and with the packages' own scripts.
	Install(ctx context.Context, set matrix.PackageSet, root string) error
	// Tools lists the programs that the source needs on the machine.
	Tools() []tool.Tool
}

// Sources finds the source that serves a release, by the release's name.
type Sources map[string]Source

// For returns the source of a release.
func (s Sources) For(release string) (Source, error) {
	return Find(s, release)
}

// Find returns what there is of a release, by its name.
func Find[T any](releases map[string]T, name string) (of T, err error) {
	of, ok := releases[name]
	if !ok {
		err = matrix.Unknown("release", name, slices.Sorted(maps.Keys(releases)))
	}
	return of, err
}

// CheckPatterns names the first that path.Match cannot read.
func CheckPatterns(patterns []string) error {
	for _, g := range patterns {
		if _, err := path.Match(g, ""); err != nil {
			return fmt.Errorf("pattern %q: %w", g, err)
		}
	}
	return nil
}
