// Package registry knows the kinds of sources. A further kind is one entry here and its
// versions and relations in package matrix; nothing else asks which kind a release is of.
package registry

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/internal/source/apt"
	"github.com/virtmatrix/virtmatrix/internal/source/dnf"
	"github.com/virtmatrix/virtmatrix/internal/source/tool"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// Options are those of sources of any kind.
type Options struct {
	// Home is the cache folder.
	Home string
	// Mirror is the archive of releases that do not say where they are.
	Mirror string
	// Fresh asks repositories again, whatever the age of their indexes.
	Fresh bool
}

// kind is a kind of source.
type kind struct {
	open func(context.Context, Options, []source.Release) (source.Source, error)
	none source.Source
	text func(ctx context.Context, home string, p matrix.Package, wildcards ...string) ([]byte, error)
	// cached tells of what is in the cache of a home.
	cached func(home string) source.Chronicler
}

// kinds is never changed.
var kinds = map[string]kind{
	apt.Kind: {openAPT, (*apt.Source)(nil), apt.Text, func(home string) source.Chronicler { return apt.Cached(home) }},
	dnf.Kind: {openDNF, (*dnf.Source)(nil), dnf.Text, func(home string) source.Chronicler { return dnf.Cached(home) }},
}

func openAPT(ctx context.Context, o Options, releases []source.Release) (source.Source, error) {
	return apt.New(ctx, apt.Options{Home: o.Home, Releases: releases, Mirror: o.Mirror, Fresh: o.Fresh})
}

func openDNF(_ context.Context, o Options, releases []source.Release) (source.Source, error) {
	return dnf.New(dnf.Options{Home: o.Home, Releases: releases, Fresh: o.Fresh})
}

// Open makes the sources of a catalogue's releases.
func Open(ctx context.Context, o Options, cat *matrix.Catalog) (source.Sources, error) {
	byKind := map[string][]source.Release{}
	for _, r := range cat.Releases {
		if _, ok := kinds[r.Source]; !ok {
			return nil, fmt.Errorf("cannot use release %s: %w", r.Name, matrix.Unknown("source", r.Source, slices.Sorted(maps.Keys(kinds))))
		}
		release, err := describe(cat, &r)
		if err != nil {
			return nil, err
		}
		byKind[r.Source] = append(byKind[r.Source], release)
	}
	sources := source.Sources{}
	for name, releases := range byKind {
		src, err := kinds[name].open(ctx, o, releases)
		if err != nil {
			return nil, err
		}
		for _, r := range releases {
			sources[r.Name] = src
		}
	}
	return sources, nil
}

// describe tells a source of a release with all that its parents have.
func describe(cat *matrix.Catalog, r *matrix.Release) (source.Release, error) {
	lineage, err := cat.Lineage(r.Name)
	if err != nil {
		return source.Release{}, err
	}
	out := source.Release{
		Name: r.Name, Repositories: r.Repositories, Variables: map[string]string{}, CheckValidUntil: r.CheckValidUntil, Candidate: r.Candidate,
	}
	for _, p := range lineage[1:] {
		out.Parents = append(out.Parents, p.Repositories...)
	}
	// What is nearer counts more.
	for _, p := range slices.Backward(lineage) {
		out.Publishes.Add(p.Publishes)
		maps.Copy(out.Variables, p.Variables)
		out.Modules = append(out.Modules, p.Modules...)
	}
	return out, nil
}

// Tools lists the programs that the sources of a catalogue need, of nil those of all
// kinds.
func Tools(cat *matrix.Catalog) (tools []tool.Tool) {
	used := map[string]bool{}
	if cat != nil {
		for _, r := range cat.Releases {
			used[r.Source] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		if cat == nil || used[name] {
			tools = append(tools, kinds[name].none.Tools()...)
		}
	}
	return tools
}

// Mirrors says where the sources of a catalogue get packages.
func Mirrors(ctx context.Context, o Options, cat *matrix.Catalog) (string, error) {
	sources, err := Open(ctx, o, cat)
	if err != nil {
		return "", err
	}
	var all []string
	for _, src := range sources {
		if at, ok := src.(interface{ Mirror() string }); ok && !slices.Contains(all, at.Mirror()) {
			all = append(all, at.Mirror())
		}
	}
	slices.Sort(all)
	return strings.Join(all, ", "), nil
}

// Text returns the files of a package in the cache whose paths match one of tar's
// wildcards, one after another; nothing when it has none.
func Text(ctx context.Context, home string, set *matrix.PackageSet, p matrix.Package, wildcards ...string) ([]byte, error) {
	k, ok := kinds[set.Source]
	if !ok {
		return nil, matrix.Unknown("source", set.Source, slices.Sorted(maps.Keys(kinds)))
	}
	return k.text(ctx, home, p, wildcards...)
}

// Changelog returns the entries of the changelog of a package in the cache that are newer
// than a version, the newest first; none where it has no changelog, or is not there.
func Changelog(ctx context.Context, home string, p matrix.Package, since string) ([]string, error) {
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		if entries, err := kinds[name].cached(home).Changelog(ctx, p, since); len(entries) > 0 || err != nil {
			return entries, err
		}
	}
	return nil, nil
}
