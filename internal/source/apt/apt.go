// Package apt gets packages from Debian archives with the machine's own apt,
// in private directories: the machine's apt state is never touched.
//
// Trust goes apt's way: an InRelease file signed by the archive's keyring holds
// the digests of the indexes, which hold the digests of the package files.
package apt

import (
	"context"
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
	Kind = "apt"
	// MirrorEnv is the environment variable that overrides the mirror.
	MirrorEnv = "VIRTMATRIX_MIRROR"

	arch           = "amd64"
	archiveKeyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
	aptHelper      = "/usr/lib/apt/apt-helper"
)

// Options configure a Source.
type Options struct {
	// Home is the cache folder: indexes go to HOME/apt, package files to
	// HOME/packages, logs of failed installations to HOME/logs.
	Home string
	// Releases that the source serves.
	Releases []source.Release
	// Mirror is the archive's address. Empty means $VIRTMATRIX_MIRROR, or else
	// the Debian archive in the machine's own apt sources.
	Mirror string
	// Keyring that the archive must be signed by. Empty means Debian's.
	Keyring string
	// Unsigned says that the archive is not signed at all, and is taken as it is.
	Unsigned bool
	// MaxAge is how long an index is used before the mirror is asked again; 0
	// means six hours.
	MaxAge time.Duration
	// Fresh asks the mirror again, once per release, whatever the index's age.
	Fresh bool
}

// Source serves the packages of Debian releases.
type Source struct {
	opts     Options
	releases map[string]source.Release
	files    cache.Files
	// lists is the kind of lists that are read where it is not those of packages.
	lists string
	// since is when an index must have been made at the earliest.
	since time.Time
}

var _ source.Source = (*Source)(nil)

// New makes a source. It finds the mirror, but does not ask it anything yet.
func New(ctx context.Context, opts Options) (*Source, error) {
	if opts.Keyring == "" {
		opts.Keyring = archiveKeyring
	}
	if opts.MaxAge == 0 {
		opts.MaxAge = cache.MaxAge
	}
	if opts.Mirror == "" {
		opts.Mirror = os.Getenv(MirrorEnv)
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
		if len(r.Repositories) == 0 {
			return nil, fmt.Errorf("cannot use release %q: it has no repositories", r.Name)
		}
		s.releases[r.Name] = r
	}
	if s.opts.Mirror == "" {
		mirror, err := machineMirror(ctx, opts.Releases, filepath.Join(opts.Home, "apt", ".machine"))
		if err != nil {
			return nil, err
		}
		s.opts.Mirror = mirror
	}
	s.opts.Mirror = trimSlash(s.opts.Mirror)
	// apt answers "file:" with links to the mirror's own files, which may
	// change under us.
	if path, ok := strings.CutPrefix(s.opts.Mirror, "file:"); ok {
		s.opts.Mirror = "copy:" + path
	}
	return s, nil
}

// Mirror returns the address of the archive in use.
func (s *Source) Mirror() string { return s.opts.Mirror }

// Tools lists the programs that any source of this kind runs, so a nil one
// will do, and the keyring of Debian.
func (*Source) Tools() []tool.Tool {
	return []tool.Tool{
		{Name: "apt-get", Package: "apt"},
		{Name: "apt-cache", Package: "apt"},
		{Name: aptHelper, Package: "apt"},
		{Name: "gpgv", Package: "gpgv"},
		{Name: "dpkg-deb", Package: "dpkg"},
		{Name: "dpkg-query", Package: "dpkg"},
		{Name: "tar", Package: "tar"},
		{Name: "mmdebstrap", Package: "mmdebstrap"},
		{Name: "unshare", Package: "util-linux"},
		{Name: archiveKeyring, Package: "debian-archive-keyring"},
	}
}

func (s *Source) release(name string) (source.Release, error) { return source.Find(s.releases, name) }

func (s *Source) fail(kind source.Kind, op, release, cure string, err error) error {
	return source.Fail(s.opts.Home, source.Error{Kind: kind, Op: op, Release: release, Mirror: s.opts.Mirror, Cure: cure, Err: err})
}

func (s *Source) releaseDir(name string) string { return filepath.Join(s.opts.Home, "apt", name) }
