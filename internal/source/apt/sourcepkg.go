package apt

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/matrix"
)

var _ source.Builder = (*Source)(nil)

// archSource is the architecture of what is built for any.
const archSource = "source"

// SourcePackage finds the files of a version of a source package. The lists of those are
// kept apart: nothing else reads them.
func (s *Source) SourcePackage(ctx context.Context, release, name, version string) (set matrix.PackageSet, err error) {
	const op = "find source package"
	if !packageName.MatchString(name) {
		return set, fmt.Errorf("cannot find source package of %s: %q is not a package name", release, name)
	}
	r, err := s.release(release)
	if err != nil {
		return set, err
	}
	sources := *s
	sources.lists = "deb-src"
	sources.releases = map[string]source.Release{release + "-sources": r}
	p, unlock, err := sources.open(ctx, release+"-sources")
	if err != nil {
		return set, err
	}
	defer unlock()
	out, err := p.run(ctx, "apt-get", "source", "-qq", "--print-uris", "--only-source", name+"="+version)
	if err != nil {
		kind := source.Failed
		if strings.Contains(err.Error(), "Unable to find a source package") {
			kind = source.NoSuchPackage
		}
		return set, s.fail(kind, op, release, "", err)
	}
	set = matrix.PackageSet{Source: Kind, Release: release}
	addresses := map[string]string{}
	for line := range strings.Lines(out) {
		address, file, err := sourceFile(line, version)
		if err != nil {
			return matrix.PackageSet{}, s.fail(source.Failed, op, release, "", err)
		}
		set.Packages, addresses[file.SHA256] = append(set.Packages, file), address
	}
	if len(set.Packages) == 0 {
		return set, s.fail(source.NoSuchPackage, op, release, "", fmt.Errorf("apt names no file of %s %s", name, version))
	}
	return set, s.files.Remember(addresses)
}

// sourceLine is one line of `apt-get source --print-uris`: 'URI' FILE SIZE SHA256:HEX.
var sourceLine = regexp.MustCompile(`^'([^']+/([^'/]+))' \S+ (\d+) SHA256:([0-9a-f]{64})$`)

// sourceFile reads where a file of a source package is, and what it is.
func sourceFile(line, version string) (address string, p matrix.Package, err error) {
	m := sourceLine.FindStringSubmatch(strings.TrimSpace(line))
	if m == nil {
		return "", p, fmt.Errorf("cannot read apt's line %q: no file with a SHA-256 in it", line)
	}
	p = matrix.Package{Version: version, Arch: archSource, SHA256: m[4]}
	if p.Name, err = url.PathUnescape(m[2]); err == nil {
		p.Size, err = strconv.ParseInt(m[3], 10, 64)
	}
	if err == nil && filepath.Base(p.Name) != p.Name {
		err = fmt.Errorf("%q is no file's name", p.Name)
	}
	if err != nil {
		return "", p, fmt.Errorf("cannot read apt's line %q: %w", line, err)
	}
	return m[1], p, nil
}

// Lay copies the files of a fetched set into a folder, by their names.
func (s *Source) Lay(set matrix.PackageSet, dir string) error {
	const op = "lay out files"
	if err := s.files.Ready(set, op); err != nil {
		return err
	}
	for _, p := range set.Packages {
		text, err := os.ReadFile(s.files.Path(p))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, p.Name), text, 0o644)
		}
		if err != nil {
			return s.fail(source.Failed, op, set.Release, "", err)
		}
	}
	return nil
}
