package apt

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/matrix"
)

var app = source.Request{Release: "test", Names: []string{"app"}}

func resolve(t *testing.T, s *Source) matrix.PackageSet {
	t.Helper()
	set, err := s.Resolve(t.Context(), app)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// wantKind checks that err is of the kind and says where and what to do.
func wantKind(t *testing.T, err error, kind source.Kind, words ...string) {
	t.Helper()
	var se *source.Error
	if !errors.As(err, &se) {
		t.Fatalf("the error is %v, want a %s", err, kind)
	}
	if se.Kind != kind {
		t.Errorf("the error is of kind %q, want %q: %v", se.Kind, kind, err)
	}
	for _, w := range append(words, "test", se.Mirror) {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("the error does not say %q: %v", w, err)
		}
	}
}

func TestResolveFindsExactPackagesWithWhatTheyNeed(t *testing.T) {
	set := resolve(t, newArchive(t).source(t, nil))
	var got []string
	for _, p := range set.Packages {
		got = append(got, p.Name+" "+p.Version+" "+p.Arch)
		if len(p.SHA256) != 64 || p.Size == 0 {
			t.Errorf("%s has the digest %q and the size %d", p.Name, p.SHA256, p.Size)
		}
	}
	if want := []string{"app 1:1.0-1 amd64", "libapp 2.0-1+b1 amd64"}; !slices.Equal(got, want) {
		t.Errorf("resolved %q, want %q", got, want)
	}
	if set.Source != "apt" || set.Release != "test" {
		t.Errorf("the set is of %s %s", set.Source, set.Release)
	}
}

func TestAnUnknownPackageIsAnErrorWithTheNearestName(t *testing.T) {
	_, err := newArchive(t).source(t, nil).Resolve(t.Context(), source.Request{Release: "test", Names: []string{"libap"}})
	wantKind(t, err, source.NoSuchPackage, `"libapp"`)
}

func TestNamesThatAptWouldReadAsSomethingElseAreRefused(t *testing.T) {
	s := newArchive(t).source(t, nil)
	for _, name := range []string{"app-", "app=1", "-o", "?essential", "a*", "", "app/stable"} {
		if _, err := s.Resolve(t.Context(), source.Request{Release: "test", Names: []string{name}}); err == nil {
			t.Errorf("%q was taken for a package", name)
		}
	}
}

func TestPackagesThatCannotBeInstalledTogether(t *testing.T) {
	a := newArchive(t)
	a.add(t, "libapp", "1.0-1", "", "lib/libapp.so")
	a.publish(t)
	_, err := a.source(t, nil).Resolve(t.Context(), app)
	wantKind(t, err, source.Unsatisfiable, "libapp")
}

func TestAnUnknownReleaseIsAnErrorWithTheNearestName(t *testing.T) {
	_, err := newArchive(t).source(t, nil).Resolve(t.Context(), source.Request{Release: "tset"})
	if err == nil || !strings.Contains(err.Error(), `"test"`) {
		t.Errorf("the error is %v", err)
	}
}

func TestMetadataSignedByAnotherKeyIsRefused(t *testing.T) {
	a := newArchive(t)
	_, other := newKey(t)
	_, err := a.source(t, func(o *Options) { o.Keyring = other }).Resolve(t.Context(), app)
	wantKind(t, err, source.BadSignature, "keyring")
}

func TestMetadataWithoutASignatureIsRefused(t *testing.T) {
	a := newArchive(t)
	path := filepath.Join(a.dir, "dists/stable/InRelease")
	write(t, path, "Suite: stable\nCodename: stable\n")
	_, err := a.source(t, nil).Resolve(t.Context(), app)
	wantKind(t, err, source.BadSignature)
}

func TestMetadataThatWasChangedAfterSigningIsRefused(t *testing.T) {
	a := newArchive(t)
	path := filepath.Join(a.dir, "dists/stable/InRelease")
	write(t, path, strings.Replace(string(read(t, path)), "Origin: Test", "Origin: Tess", 1))
	_, err := a.source(t, nil).Resolve(t.Context(), app)
	wantKind(t, err, source.BadSignature)
}

func TestAnIndexThatIsNotWhatWasSignedIsRefused(t *testing.T) {
	a := newArchive(t)
	path := filepath.Join(a.dir, "dists/stable/main/binary-amd64/Packages")
	write(t, path, strings.Replace(string(read(t, path)), "3.0", "3.1", 1))
	_, err := a.source(t, nil).Resolve(t.Context(), app)
	wantKind(t, err, source.BadDigest)
}

func TestMetadataPastItsDate(t *testing.T) {
	a := newArchive(t)
	a.date, a.valid = time.Now().Add(-48*time.Hour), time.Hour
	a.publish(t)
	_, err := a.source(t, nil).Resolve(t.Context(), app)
	wantKind(t, err, source.Expired, "check_valid_until: false")
	// A release that is known to lag says so, and is served.
	resolve(t, a.source(t, func(o *Options) { o.Releases[0].CheckValidUntil = false }))
}

func TestAMirrorThatIsDown(t *testing.T) {
	a := newArchive(t)
	for name, tc := range map[string]struct {
		mirror string
		kind   source.Kind
	}{
		"nobody listens": {"http://127.0.0.1:1/debian", source.Unreachable},
		"no such folder": {"file:/nonexistent/debian", source.NotServed},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := a.source(t, func(o *Options) { o.Mirror = tc.mirror }).Resolve(t.Context(), app)
			wantKind(t, err, tc.kind, MirrorEnv)
		})
	}
}

func TestAnIndexIsReusedWhileItIsYoung(t *testing.T) {
	a := newArchive(t)
	s := a.source(t, nil)
	want := resolve(t, s)
	if err := os.RemoveAll(filepath.Join(a.dir, "dists")); err != nil {
		t.Fatal(err)
	}
	if got := resolve(t, s); got.Key() != want.Key() {
		t.Error("the same index gave another set")
	}
	for name, change := range map[string]func(*Options){
		"too old":        func(o *Options) { o.MaxAge = time.Nanosecond },
		"asked to":       func(o *Options) { o.Fresh = true },
		"another mirror": func(o *Options) { o.Mirror += "/other" },
	} {
		again := a.source(t, func(o *Options) { o.Home = s.opts.Home; change(o) })
		if _, err := again.Resolve(t.Context(), app); err == nil {
			t.Errorf("%s: the old index was used", name)
		}
	}
}

func TestAFreshIndexGivesFreshAnswers(t *testing.T) {
	a := newArchive(t)
	s := a.source(t, nil)
	resolve(t, s)
	a.add(t, "app", "1:1.1-1", "Depends: libapp", "usr/bin/app")
	a.publish(t)
	fresh := a.source(t, func(o *Options) { o.Home, o.Fresh = s.opts.Home, true })
	for _, s := range []*Source{fresh, s} {
		if set := resolve(t, s); set.Version("app") != "1:1.1-1" {
			t.Errorf("resolved app %s", set.Version("app"))
		}
	}
}

func TestTheLeadingSuiteWinsAndParentsServeTheRest(t *testing.T) {
	a := newArchive(t)
	a.suite = "next"
	a.add(t, "app", "1:0.9", "Depends: libapp", "usr/bin/app")
	a.publish(t)
	set := resolve(t, a.source(t, func(o *Options) {
		o.Releases[0].Repositories, o.Releases[0].Parents = suites("next"), suites("stable")
	}))
	if app, lib := set.Version("app"), set.Version("libapp"); app != "1:0.9" || lib != "2.0-1+b1" {
		t.Errorf("resolved app %q and libapp %q", app, lib)
	}
}

func TestUnpackMergesUsr(t *testing.T) {
	s := newArchive(t).source(t, nil)
	set := resolve(t, s)
	dir := filepath.Join(t.TempDir(), "tree")
	if err := s.Unpack(t.Context(), set, dir); err == nil || !strings.Contains(err.Error(), "not in the cache") {
		t.Fatalf("unpacking what was not fetched: %v", err)
	}
	if err := s.Fetch(t.Context(), set, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Unpack(t.Context(), set, dir); err != nil {
		t.Fatal(err)
	}
	if target, err := os.Readlink(filepath.Join(dir, "lib")); err != nil || target != "usr/lib" {
		t.Errorf("/lib is a link to %q, %v", target, err)
	}
	if text := read(t, filepath.Join(dir, "usr/lib/x86_64-linux-gnu/libapp.so")); string(text) != "of libapp" {
		t.Errorf("the library holds %q", text)
	}
	if err := s.Unpack(t.Context(), set, dir); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("unpacking over a tree: %v", err)
	}
}

func TestWhatIsInstalledMustBeWhatWasResolved(t *testing.T) {
	root := t.TempDir()
	write(t, filepath.Join(root, "var/lib/dpkg/status"),
		"Package: app\nStatus: install ok installed\nVersion: 1.0\nArchitecture: amd64\nMaintainer: t\nDescription: t\n\n"+
			"Package: extra\nStatus: install ok installed\nVersion: 1\nArchitecture: all\nMaintainer: t\nDescription: t\n")
	set := matrix.PackageSet{Packages: []matrix.Package{{Name: "app", Version: "1.0", Arch: "amd64"}, {Name: "extra", Version: "1", Arch: "all"}}}
	if err := checkInstalled(t.Context(), set, root); err != nil {
		t.Error(err)
	}
	set.Packages[1].Version = "2"
	err := checkInstalled(t.Context(), set, root)
	if err == nil || !strings.Contains(err.Error(), "extra 2 all") || !strings.Contains(err.Error(), "extra 1 all") {
		t.Errorf("the error is %v", err)
	}
}

func TestLinesOfAptWithoutASHA256AreRefused(t *testing.T) {
	for _, line := range []string{
		"'http://m/a.deb' a_1_amd64.deb 10 MD5Sum:8e7e741807b1e1939df8f58323affdcb",
		"Reading package lists...",
		"'http://m/a.deb' a.deb 10 SHA256:" + strings.Repeat("0", 64),
	} {
		if _, err := parseURIs(line + "\n"); err == nil {
			t.Errorf("%q was read", line)
		}
	}
	files, err := parseURIs("'http://m/a.deb' a_1%3a2%7erc+x_amd64.deb 10 SHA256:" + strings.Repeat("0", 64) + "\n")
	if err != nil || files[0].pkg.Version != "1:2~rc+x" {
		t.Errorf("read %+v, %v", files, err)
	}
}
