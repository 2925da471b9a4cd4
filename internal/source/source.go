// Package source is the way to packages: what a release offers under a name,
// the exact package files, and a tree made of them.
//
// Source is the one interface that the rest of the harness knows. Package apt
// implements it for Debian archives; repositories of other kinds come as
// further implementations.
package source

import (
	"context"
	"maps"
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
	// CheckValidUntil says whether metadata past its date is refused. It is
	// false for releases whose mirrors are known to lag.
	CheckValidUntil bool
}

// Request asks for packages of a release with everything they depend on.
type Request struct {
	Release string
	// Names of packages, without versions.
	Names []string
	// Base adds the packages that a root file system of the release cannot be
	// without.
	Base bool
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
	if src, ok := s[release]; ok {
		return src, nil
	}
	return nil, matrix.Unknown("release", release, slices.Sorted(maps.Keys(s)))
}
