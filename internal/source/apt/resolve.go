package apt

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// packageName is Debian's rule (policy 5.6.1). apt reads anything else as a
// pattern, a removal or a version.
var packageName = regexp.MustCompile(`^[a-z0-9][a-z0-9+.-]*[a-z0-9+.]$`)

// base are the packages that no root can be without. apt counts itself among
// them, dpkg and the policy do not.
const base = "?and(?essential,?not(?name(^apt$)))"

// Resolve finds the exact packages that answer the request.
func (s *Source) Resolve(ctx context.Context, req source.Request) (matrix.PackageSet, error) {
	const op = "resolve packages"
	for _, n := range req.Names {
		if !packageName.MatchString(n) {
			return matrix.PackageSet{}, fmt.Errorf("cannot resolve packages of %s: %q is not a package name", req.Release, n)
		}
	}
	p, release, err := s.open(ctx, req.Release)
	if err != nil {
		return matrix.PackageSet{}, err
	}
	defer release()
	if req.Base {
		req.Names = append(slices.Clone(req.Names), base)
	}
	var set matrix.PackageSet
	if p.index.Recall(req.Question(), &set) {
		return set, nil
	}
	names := req.Names
	if len(req.Oldest) > 0 {
		names, err = p.keepOldest(ctx, names, req.Oldest)
	}
	var out string
	if err == nil {
		out, err = p.solve(ctx, names)
	}
	if err != nil {
		kind, cure := p.explainResolve(ctx, err)
		return matrix.PackageSet{}, s.fail(kind, op, req.Release, cure, err)
	}
	files, err := parseURIs(out)
	if err != nil {
		return matrix.PackageSet{}, s.fail(source.Failed, op, req.Release, "", err)
	}
	set = matrix.PackageSet{Source: Kind, Release: req.Release}
	addresses := map[string]string{}
	for _, f := range files {
		set.Packages = append(set.Packages, f.pkg)
		addresses[f.pkg.SHA256] = f.uri
	}
	if err := errors.Join(s.files.Remember(addresses), p.index.Note(req.Question(), set)); err != nil {
		return matrix.PackageSet{}, s.fail(source.Failed, op, req.Release, "", err)
	}
	return set, nil
}

// solve has apt find the files of an installation. What of a candidate's place the
// candidate cannot do without is taken from there as well.
func (p *private) solve(ctx context.Context, names []string) (out string, err error) {
	for {
		install := []string{"apt-get", "install"}
		if p.preferred != "" {
			install = []string{"apt-get", "-o", "Dir::Etc::preferences=" + p.preferred, "install"}
		}
		out, err = p.run(ctx, slices.Concat(install, []string{"-qq", "--print-uris"}, names)...)
		if err == nil || !unsatisfiable(err) {
			return out, err
		}
		// Only a louder try says, on standard output, which packages it is about.
		said, _ := p.run(ctx, slices.Concat(install, []string{"-q", "--simulate"}, names)...)
		more, pullErr := p.pullIn(said)
		if pullErr != nil || !more {
			return out, errors.Join(fmt.Errorf("%w: %s", err, strings.TrimSpace(said)), pullErr)
		}
	}
}

// unsatisfiable says whether apt says that packages cannot be installed together.
func unsatisfiable(err error) bool {
	text := err.Error()
	return strings.Contains(text, "unmet dependencies") || strings.Contains(text, "Unable to correct problems")
}

var (
	unknownName = regexp.MustCompile(`Unable to locate package (\S+)`)
	noCandidate = regexp.MustCompile(`Package '?([^\s']+)'? has no installation candidate`)
)

func (p *private) explainResolve(ctx context.Context, err error) (source.Kind, string) {
	text := err.Error()
	m := unknownName.FindStringSubmatch(text)
	if m == nil {
		m = noCandidate.FindStringSubmatch(text)
	}
	switch {
	case m != nil:
		out, listErr := p.run(ctx, "apt-cache", "pkgnames")
		if listErr != nil {
			return source.NoSuchPackage, ""
		}
		names := strings.Fields(out)
		sort.Strings(names)
		// A name without a candidate is still listed.
		names = slices.DeleteFunc(names, func(n string) bool { return n == m[1] })
		if near := matrix.Nearest(m[1], names); near != "" {
			return source.NoSuchPackage, fmt.Sprintf("did you mean %q?", near)
		}
		return source.NoSuchPackage, ""
	case unsatisfiable(err):
		return source.Unsatisfiable, "the packages cannot be installed together from this release alone; check the recipe's names"
	}
	return source.Failed, ""
}

// file is a package and where it is served.
type file struct {
	pkg matrix.Package
	uri string
}

// uriLine is one line of `apt-get --print-uris`: 'URI' NAME_VERSION_ARCH.deb SIZE SHA256:HEX.
var uriLine = regexp.MustCompile(`^'([^']+)' ([^_ ]+)_([^_ ]+)_([^_ ]+)\.deb (\d+) SHA256:([0-9a-f]{64})$`)

// parseURIs reads the output of `apt-get --print-uris`, sorted by name.
func parseURIs(text string) ([]file, error) {
	var files []file
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		m := uriLine.FindStringSubmatch(line)
		if m == nil {
			return nil, fmt.Errorf("cannot read apt's line %q: no package file with a SHA-256 in it", line)
		}
		version, err := url.PathUnescape(m[3])
		if err != nil {
			return nil, fmt.Errorf("cannot read apt's line %q: %w", line, err)
		}
		size, err := strconv.ParseInt(m[5], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("cannot read apt's line %q: %w", line, err)
		}
		files = append(files, file{uri: m[1], pkg: matrix.Package{Name: m[2], Version: version, Arch: m[4], SHA256: m[6], Size: size}})
	}
	sort.Slice(files, func(i, j int) bool { return files[i].pkg.Name < files[j].pkg.Name })
	return files, nil
}

// address returns where a package file is served.
func (p *private) address(ctx context.Context, pkg matrix.Package) (string, error) {
	if known, ok := p.src.files.Address(pkg.SHA256); ok {
		return known, nil
	}
	out, err := p.run(ctx, "apt-cache", "show", pkg.Name+"="+pkg.Version)
	if err != nil {
		return "", fmt.Errorf("cannot find %s %s: %w", pkg.Name, pkg.Version, err)
	}
	for stanza := range strings.SplitSeq(out, "\n\n") {
		var name, sum string
		for line := range strings.Lines(stanza) {
			if v, ok := strings.CutPrefix(line, "Filename: "); ok {
				name = strings.TrimSpace(v)
			}
			if v, ok := strings.CutPrefix(line, "SHA256: "); ok {
				sum = strings.TrimSpace(v)
			}
		}
		if name != "" && sum == pkg.SHA256 {
			return p.src.opts.Mirror + "/" + name, nil
		}
	}
	return "", fmt.Errorf("cannot find %s %s with digest %.12s", pkg.Name, pkg.Version, pkg.SHA256)
}
