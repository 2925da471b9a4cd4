package rpmrepo

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/rpmpack"
)

// Package is what a package is made of.
type Package struct {
	Name string
	// EVR is [EPOCH:]VERSION-RELEASE.
	EVR string
	// Arch is x86_64 unless said otherwise.
	Arch string
	// Source is the file of its source package; empty means one of its own. A package of
	// architecture src is one itself.
	Source                                   string
	Requires, Provides, Conflicts, Obsoletes []string
	Files                                    []rpmpack.RPMFile
	// Pre, Post and Posttrans are scriptlets for /bin/sh.
	Pre, Post, Posttrans string
	Built                time.Time
	// Compressor is rpmpack's; empty means gzip.
	Compressor string
}

// sourceRPM is the tag by which libsolv knows which packages are of one source. rpmpack's
// own says that each is of one of its own.
const sourceRPM = 1044

// SourceArch is the architecture of source packages.
const SourceArch = "src"

// File is a file of a package.
func File(name, text string) rpmpack.RPMFile {
	return rpmpack.RPMFile{Name: name, Body: []byte(text), Mode: 0o100644, Owner: "root", Group: "root"}
}

func (p Package) split() (epoch uint32, version, release string, err error) {
	rest := p.EVR
	epoch = rpmpack.NoEpoch
	if number, after, ok := strings.Cut(rest, ":"); ok {
		n, err := strconv.ParseUint(number, 10, 32)
		if err != nil {
			return 0, "", "", fmt.Errorf("cannot read version %q of package %s: %w", p.EVR, p.Name, err)
		}
		epoch, rest = uint32(n), after
	}
	version, release, ok := strings.Cut(rest, "-")
	if !ok {
		return 0, "", "", fmt.Errorf("cannot read version %q of package %s: it has no release", p.EVR, p.Name)
	}
	return epoch, version, release, nil
}

// write makes the package's file in a folder, signed if there is a key.
func (p Package) write(dir string, key *Key) (path string, err error) {
	epoch, version, release, err := p.split()
	if err != nil {
		return "", err
	}
	if p.Arch == "" {
		p.Arch = "x86_64"
	}
	if p.Source == "" && p.Arch != SourceArch {
		p.Source = fmt.Sprintf("%s-%s-%s.src.rpm", p.Name, version, release)
	}
	meta := rpmpack.RPMMetaData{
		Name: p.Name, Epoch: epoch, Version: version, Release: release, Arch: p.Arch, Compressor: p.Compressor, BuildTime: p.Built,
		Summary: p.Name, Description: p.Name, Licence: "as upstream", Vendor: "virtmatrix",
	}
	for _, r := range []struct {
		to    *rpmpack.Relations
		texts []string
	}{
		{&meta.Requires, p.Requires}, {&meta.Provides, append(slices.Clone(p.Provides), p.Name+" = "+p.EVR)},
		{&meta.Conflicts, p.Conflicts}, {&meta.Obsoletes, p.Obsoletes},
	} {
		for _, text := range r.texts {
			if err := r.to.Set(text); err != nil {
				return "", fmt.Errorf("cannot make package %s: %w", p.Name, err)
			}
		}
	}
	rpm, err := rpmpack.NewRPM(meta)
	if err != nil {
		return "", fmt.Errorf("cannot make package %s: %w", p.Name, err)
	}
	if epoch != rpmpack.NoEpoch {
		// rpmpack's own has no epoch: who requires a version below it would be content.
		rpm.Provides = slices.DeleteFunc(rpm.Provides, func(r *rpmpack.Relation) bool { return r.Name == p.Name && r.Version == rpm.FullVersion() })
	}
	p.fill(rpm, key)
	path = filepath.Join(dir, fmt.Sprintf("%s-%s-%s.%s.rpm", p.Name, version, release, p.Arch))
	out, err := os.Create(path)
	if err != nil {
		return "", err
	}
	defer out.Close()
	if err := rpm.Write(out); err != nil {
		return "", fmt.Errorf("cannot make package %s: %w", p.Name, err)
	}
	return path, out.Close()
}

func (p Package) fill(rpm *rpmpack.RPM, key *Key) {
	for _, f := range p.Files {
		rpm.AddFile(f)
	}
	for _, s := range []struct {
		text string
		add  func(string)
	}{{p.Pre, rpm.AddPrein}, {p.Post, rpm.AddPostin}, {p.Posttrans, rpm.AddPosttrans}} {
		if s.text != "" {
			s.add(s.text)
		}
	}
	rpm.AddCustomTag(sourceRPM, rpmpack.EntryString(p.Source))
	if key != nil {
		rpm.SetPGPSigner(key.sign)
	}
}
