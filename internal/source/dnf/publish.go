package dnf

import (
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ProtonMail/go-crypto/openpgp"

	"github.com/virtmatrix/virtmatrix/internal/rpmrepo"
	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/internal/source/cache"
	"github.com/virtmatrix/virtmatrix/matrix"
)

var _ source.Publisher = (*Source)(nil)

// enabled is a repository as dnf reads it out of the files that packages hold.
type enabled struct {
	ID, File     string
	On, Verified bool
	Keys, At     []string
}

// Enabled reads the files of repositories of the packages that the release names for them.
func (s *Source) Enabled(ctx context.Context, release, keyring string) (all []source.Signature, err error) {
	const op = "read the repositories"
	r, err := s.release(release)
	if err != nil {
		return nil, err
	}
	set, err := s.Resolve(ctx, source.Request{Release: release, Names: r.Publishes.RepositoryFiles})
	if err != nil {
		return nil, err
	}
	// What they need besides is the distribution.
	set.Packages = slices.DeleteFunc(set.Packages, func(p matrix.Package) bool { return !slices.Contains(r.Publishes.RepositoryFiles, p.Name) })
	err = s.unpacked(ctx, op, set, func(root string) error {
		p, unlock, err := s.open(ctx, release)
		if err != nil {
			return err
		}
		defer unlock()
		a, err := p.ask(ctx, op, "enabled", root)
		if err != nil {
			return err
		}
		ours := map[string]bool{}
		for _, e := range a.Enabled {
			said := source.Signature{Index: fmt.Sprintf("%s [%s]", e.File, e.ID), By: "nobody gets anything from it unasked"}
			if e.On {
				ours[e.ID] = true
				said.By, said.Problem = e.judge(r, root, keyring)
			}
			all = append(all, said)
		}
		// The leading one is the release's reason to be.
		if own := r.Repositories[0]; own.Trust != matrix.TrustNone && !ours[own.Name] {
			all = append(all, source.Signature{Index: own.Name, Problem: "no package switches it on: users get nothing from it"})
		}
		return nil
	})
	return all, err
}

// judge says who answers for what users get from a repository that is switched on, or what
// is wrong with it.
func (e enabled) judge(r source.Release, root, keyring string) (by, problem string) {
	repositories := declared(r)
	at := slices.IndexFunc(repositories, func(o matrix.Repository) bool { return o.Name == e.ID })
	switch {
	case at < 0:
		return "", "it is switched on, and the release does not have it in the catalogue: nobody tested what users get from it"
	case !e.Verified:
		return "", "it is switched on, and packages from it are not verified"
	case len(e.At) == 0:
		return "", "it is switched on, and does not say where it is"
	}
	for _, address := range e.At {
		if strings.Contains(address, "$") {
			return "", "nobody says what the variable in " + address + " is"
		}
	}
	if keyring == "" {
		keyring = repositories[at].Keyring
	}
	want, err := readKeyring(keyring)
	if err != nil {
		return "", err.Error()
	}
	for _, address := range e.Keys {
		u, err := url.Parse(address)
		if err != nil || u.Scheme != "file" {
			return "", "its key is not a file of the packages, but " + address
		}
		keys, err := keysBelow(root, u.Path)
		if err != nil {
			return "", err.Error()
		}
		for _, k := range keys {
			if !slices.ContainsFunc(want, func(w *openpgp.Entity) bool { return fingerprint(w) == fingerprint(k) }) {
				return "", fmt.Sprintf("key %s of %s is none of those that the catalogue has for it", fingerprint(k), u.Path)
			}
			by = strings.TrimPrefix(by+" and "+fingerprint(k), " and ")
		}
	}
	if by == "" {
		return "", "it is switched on, and names no key"
	}
	return by, ""
}

// keysBelow reads a file of keys that no link of a package leads out of a root.
func keysBelow(root, file string) (openpgp.EntityList, error) {
	f, err := os.OpenInRoot(root, strings.TrimPrefix(file, "/"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readKeys(f, file)
}

// Stripped looks for the build ID of each program and library of a set among what the
// packages of symbols provide (rpmrepo.SymbolsOf).
func (s *Source) Stripped(ctx context.Context, release string, set matrix.PackageSet) (all []string, err error) {
	r, err := s.release(release)
	if err != nil {
		return nil, err
	}
	set.Packages = slices.DeleteFunc(slices.Clone(set.Packages), func(p matrix.Package) bool {
		return strings.HasSuffix(p.Name, "-debuginfo") || strings.HasSuffix(p.Name, "-debugsource")
	})
	files := map[string][]string{}
	err = s.unpacked(ctx, "look for symbols", set, func(root string) error {
		return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			id, ok, err := buildID(path)
			name := strings.TrimPrefix(path, root)
			switch {
			case ok && id == "":
				all = append(all, name+" has no build ID, by which debuggers find symbols")
			case ok:
				files[id] = append(files[id], name)
			}
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	return s.unpublished(ctx, r, r.Publishes.Debuginfo, files, all)
}

// Sourceless looks for the source package of each.
func (s *Source) Sourceless(ctx context.Context, release string, set matrix.PackageSet) ([]string, error) {
	r, err := s.release(release)
	if err != nil {
		return nil, err
	}
	built := map[string][]string{}
	for _, p := range set.Packages {
		file, err := s.query(ctx, p, "%{SOURCERPM}")
		if err != nil {
			return nil, s.fail(source.Failed, "look for source packages", release, "", err)
		}
		built[file] = append(built[file], p.Name)
	}
	return s.unpublished(ctx, r, r.Publishes.Sources, built, nil)
}

// unpublished adds those of the names, with what they are of, that neither the candidate's
// place nor one of the repositories has.
func (s *Source) unpublished(ctx context.Context, r source.Release, repositories []matrix.Repository, of map[string][]string, all []string) ([]string, error) {
	from := s.beside(source.Release{Repositories: append(s.offered(r.Candidate), repositories...), Variables: r.Variables})
	p, unlock, err := from.open(ctx, elsewhere)
	if err != nil {
		return nil, err
	}
	defer unlock()
	wanted := slices.Collect(maps.Keys(of))
	a, err := p.ask(ctx, "look for what is published", "published", wanted...)
	if err != nil {
		return nil, err
	}
	for _, name := range wanted {
		if !slices.Contains(a.Names, name) {
			all = append(all, fmt.Sprintf("%s, of %s", name, strings.Join(of[name], ", ")))
		}
	}
	slices.Sort(all)
	return all, nil
}

// unpacked fetches a set and has a look at a tree of it.
func (s *Source) unpacked(ctx context.Context, op string, set matrix.PackageSet, look func(root string) error) error {
	if err := s.Fetch(ctx, set, nil); err != nil {
		return err
	}
	dir, err := cache.Scratch(s.opts.Home, "unpacked")
	if err != nil {
		return s.fail(source.Failed, op, set.Release, "", err)
	}
	defer os.RemoveAll(dir)
	root := filepath.Join(dir, "root")
	if err := s.Unpack(ctx, set, root); err != nil {
		return err
	}
	if err := look(root); err != nil {
		var named *source.Error
		if errors.As(err, &named) {
			return err
		}
		return s.fail(source.Failed, op, set.Release, "", err)
	}
	return nil
}

// buildID reads the build ID of a program or a library of the hosts' architecture; ok is
// false for any other file. The blobs that emulators load are programs of other machines.
func buildID(path string) (id string, ok bool, err error) {
	f, err := elf.Open(path)
	if err != nil {
		var format *elf.FormatError
		if errors.As(err, &format) || errors.Is(err, io.EOF) {
			err = nil
		}
		return "", false, err
	}
	defer f.Close()
	if f.Machine != elf.EM_X86_64 || f.Type != elf.ET_DYN && f.Type != elf.ET_EXEC {
		return "", false, nil
	}
	id, err = rpmrepo.BuildID(f)
	return id, true, err
}
