package apt

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/internal/source/cache"
	"github.com/virtmatrix/virtmatrix/internal/source/candidate"
	"github.com/virtmatrix/virtmatrix/internal/source/tool"
	"github.com/virtmatrix/virtmatrix/matrix"
)

var _ source.Deliverer = (*Source)(nil)

// Belonging lists the packages of a release that are built from the source packages of
// those that match.
func (s *Source) Belonging(ctx context.Context, release string, patterns []string) (matrix.PackageSet, error) {
	set := matrix.PackageSet{Source: Kind, Release: release}
	owners, err := s.owners(ctx, release, patterns)
	if err != nil {
		return set, err
	}
	p, unlock, err := s.open(ctx, release)
	if err != nil {
		return set, err
	}
	defer unlock()
	err = p.eachFields(ctx, func(fields map[string]string) {
		if !slices.Contains(owners, p.record(fields).Source) {
			return
		}
		size, _ := strconv.ParseInt(fields["Size"], 10, 64) // verified with the digest
		set.Packages = append(set.Packages, matrix.Package{Name: fields["Package"], Version: fields["Version"], Arch: fields["Architecture"], SHA256: fields["SHA256"], Size: size})
	})
	if err != nil {
		return set, s.fail(source.Failed, "list packages", release, "", err)
	}
	slices.SortFunc(set.Packages, func(a, b matrix.Package) int { return strings.Compare(a.Name, b.Name) })
	return set, nil
}

// Inspect reads what the files of a fetched set say and hold.
func (s *Source) Inspect(ctx context.Context, set matrix.PackageSet) ([]source.Content, error) {
	const op = "inspect packages"
	if err := s.files.Ready(set, op); err != nil {
		return nil, err
	}
	var all []source.Content
	for _, p := range set.Packages {
		c, err := s.contentOf(ctx, p)
		if err != nil {
			return nil, s.fail(source.Failed, op, set.Release, "", fmt.Errorf("%s: %w", p.Name, err))
		}
		all = append(all, c)
	}
	return all, nil
}

// contentOf returns what a package file says and holds, as it was read once: a file of
// some digest never changes, and there are hundreds in a root.
func (s *Source) contentOf(ctx context.Context, p matrix.Package) (c source.Content, err error) {
	kept := filepath.Join(s.opts.Home, "packages", "contents", p.SHA256+".json")
	if text, err := os.ReadFile(kept); err == nil && json.Unmarshal(text, &c) == nil && c.Package == p && c.Kind == Kind {
		return c, nil
	}
	if c, err = s.inspect(ctx, p); err != nil {
		return c, err
	}
	text, err := json.Marshal(c)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(kept), 0o755)
	}
	if err == nil {
		err = os.WriteFile(kept, text, 0o644)
	}
	return c, err
}

func (s *Source) inspect(ctx context.Context, p matrix.Package) (source.Content, error) {
	c := source.Content{Package: p, Kind: Kind}
	out, _, err := tool.Run(ctx, tool.Command{Argv: []string{"dpkg-deb", "--field", s.files.Path(p)}})
	if err != nil {
		return c, err
	}
	err = stanzas(strings.NewReader(string(out)), func(fields map[string]string) {
		r := (&private{}).record(fields)
		c.Source, c.Provides, c.Depends, c.Breaks, c.Conflicts = r.Source, r.Provides, r.Depends, r.Breaks, r.Conflicts
		c.Replaces = groups(fields["Replaces"])
	})
	if err != nil {
		return c, err
	}
	// Names as bytes: tar would write some of them in its own way.
	const script = `dpkg-deb --fsys-tarfile "$1" | tar --list --quoting-style=literal --show-transformed-names
dpkg-deb --info "$1" conffiles 2>/dev/null | sed 's,^,conffile ,' || true`
	out, _, err = tool.Run(ctx, tool.Command{Argv: []string{"sh", "-ec", script, "sh", s.files.Path(p)}})
	for line := range strings.Lines(string(out)) {
		line = strings.TrimSuffix(line, "\n")
		if path, ok := strings.CutPrefix(line, "conffile "); ok {
			if words := strings.Fields(path); len(words) == 1 { // "remove-on-upgrade PATH" holds none
				c.Config = append(c.Config, words[0])
			}
		} else if path, ok := strings.CutPrefix(line, "."); ok && !strings.HasSuffix(path, "/") {
			c.Files = append(c.Files, path)
		}
	}
	return c, err
}

// Plant returns a candidate that has one package more, in the place of its name.
func (s *Source) Plant(ctx context.Context, c matrix.Candidate, p source.Planted) (matrix.Candidate, error) {
	tree, err := cache.Scratch(s.opts.Home, "planted")
	if err != nil {
		return c, err
	}
	defer os.RemoveAll(tree)
	control := fmt.Sprintf("Package: %s\nVersion: %s\nArchitecture: %s\nMaintainer: virtmatrix <virtmatrix@localhost>\nDescription: a control\n", p.Name, p.Version, arch)
	for name, values := range map[string][]string{"Depends": p.Depends, "Breaks": p.Breaks, "Replaces": p.Replaces} {
		if len(values) > 0 {
			control += name + ": " + strings.Join(values, ", ") + "\n"
		}
	}
	files := map[string]string{"DEBIAN/control": control}
	if p.AfterInstall != "" {
		files["DEBIAN/postinst"] = "#!/bin/sh\nset -e\n" + p.AfterInstall + "\n"
	}
	for _, f := range p.Files {
		files[f] = cmp.Or(p.Body, "planted\n")
	}
	for name, text := range files {
		path := filepath.Join(tree, "root", name)
		err = errors.Join(err, os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o755))
	}
	if err != nil {
		return c, err
	}
	deb := filepath.Join(tree, "planted.deb")
	if _, _, err := tool.Run(ctx, tool.Command{Argv: []string{"dpkg-deb", "--root-owner-group", "--build", filepath.Join(tree, "root"), deb}}); err != nil {
		return c, err
	}
	planted, err := s.take(ctx, deb)
	if err != nil {
		return c, err
	}
	all := []candidate.File{planted}
	for _, own := range c.Packages {
		if own.Name != planted.Name {
			all = append(all, candidate.File{Package: own})
		}
	}
	c.Packages = nil
	for _, f := range all {
		c.Packages = append(c.Packages, f.Package)
	}
	c.Index, err = s.index(ctx, all)
	return c, err
}
