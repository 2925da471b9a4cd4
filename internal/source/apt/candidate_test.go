package apt

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// appPatterns say which packages are the component of these tests: app, and what is
// built with it.
var appPatterns = []string{"app"}

// folder is a candidate: package files that no archive has.
type folder struct{ *archive }

func newFolder(t *testing.T) folder { return folder{&archive{dir: t.TempDir(), suite: "."}} }

func (f folder) where() string { return filepath.Join(f.dir, "pool", f.suite) }

// laid is the archive's source with the folder laid over it.
func (f folder) laid(t *testing.T, a *archive) (*Source, *matrix.Candidate) {
	t.Helper()
	return laidAt(t, a, f.where())
}

// laidAt is the archive's source with what is at a place laid over it.
func laidAt(t *testing.T, a *archive, where string) (*Source, *matrix.Candidate) {
	t.Helper()
	s := a.source(t, nil)
	offer, err := s.Survey(t.Context(), "test", where, appPatterns)
	if err != nil {
		t.Fatal(err)
	}
	c := &matrix.Candidate{Component: "app", Over: "test", Release: "test-candidate", Index: offer.Index, Packages: offer.Packages}
	s.releases["test-candidate"] = source.Release{Name: "test-candidate", Repositories: []matrix.Repository{{Name: "stable"}}, CheckValidUntil: true, Candidate: c}
	return s, c
}

// over resolves app in the release with the candidate.
func over(t *testing.T, s *Source) (matrix.PackageSet, error) {
	t.Helper()
	return s.Resolve(t.Context(), source.Request{Release: "test-candidate", Names: []string{"app"}})
}

func TestACandidateIsPreferredWhateverItsVersion(t *testing.T) {
	for name, version := range map[string]string{"newer": "1:2.0-1", "older": "0.9-1", "the same": "1:1.0-1"} {
		f := newFolder(t)
		// Another file: a package of the same files and second is the same package.
		f.add(t, "app", version, "Depends: libapp (>= 2.0)", "usr/bin/new")
		s, c := f.laid(t, newArchive(t))
		set, err := over(t, s)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(set.Packages) != 2 || set.Version("app") != version || set.Packages[0] != c.Packages[0] {
			t.Errorf("%s: resolved %v, and the candidate is %v", name, set.Packages, c.Packages)
		}
		below := resolve(t, s)
		if below.Packages[0].SHA256 == c.Packages[0].SHA256 || below.Packages[1] != set.Packages[1] {
			t.Errorf("%s: the release below has %v", name, below.Packages)
		}
		// The place may go: what was found is kept.
		if err := os.RemoveAll(f.dir); err != nil {
			t.Fatal(err)
		}
		if err := s.Fetch(t.Context(), set, nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestARebuildOfTheSameSizeIsStillAnother(t *testing.T) {
	a := newArchive(t)
	f := newFolder(t)
	deb := read(t, filepath.Join(a.dir, "pool", a.suite, "app.deb"))
	// The date in the first header of the archive is all that differs (ar(5)).
	copy(deb[24:], "1234567890")
	write(t, filepath.Join(f.where(), "app.deb"), string(deb))
	s, c := f.laid(t, a)
	set, err := over(t, s)
	if err != nil {
		t.Fatal(err)
	}
	below := resolve(t, s)
	if p := set.Packages[0]; p.Size != below.Packages[0].Size || p.SHA256 == below.Packages[0].SHA256 || p != c.Packages[0] {
		t.Errorf("resolved %v, the candidate is %v, and the release has %v", p, c.Packages[0], below.Packages[0])
	}
}

func TestWhatTheSolverRefusesIsSaidInItsWords(t *testing.T) {
	f := newFolder(t)
	f.add(t, "app", "1:2.0-1", "Depends: libapp (>= 3.0)", "usr/bin/app")
	s, _ := f.laid(t, newArchive(t))
	_, err := over(t, s)
	wantKind(t, err, source.Unsatisfiable, "app : Depends: libapp (>= 3.0) but")
}

func TestOnlyWhatTheCandidateCannotDoWithoutIsPulledIn(t *testing.T) {
	f := newFolder(t)
	f.add(t, "app", "1:2.0-1", "Depends: libapp (>= 3.0)", "usr/bin/app")
	f.add(t, "libapp", "3.0-1", "", "usr/lib/libapp.so")
	f.add(t, "other", "4.0", "", "usr/share/other")
	s, c := f.laid(t, newArchive(t))
	if len(c.Packages) != 1 {
		t.Errorf("of the candidate are %v", c.Packages)
	}
	set, err := s.Resolve(t.Context(), source.Request{Release: "test-candidate", Names: []string{"app", "other"}})
	if err != nil {
		t.Fatal(err)
	}
	if set.Version("app") != "1:2.0-1" || set.Version("libapp") != "3.0-1" || set.Version("other") != "3.0" {
		t.Errorf("resolved %v", set.Packages)
	}
}

func TestAnotherReleaseOrRepositoryIsACandidateToo(t *testing.T) {
	a, b := newArchive(t), newArchive(t)
	b.add(t, "app", "1:2.0-1", "Depends: libapp (>= 2.0)", "usr/bin/app")
	b.publish(t)
	for where, trust := range map[string]string{
		"copy://" + b.dir + " stable " + b.keyring: "signed by " + b.keyring,
		"copy://" + b.dir + " stable unsigned":     "nobody has signed",
	} {
		offer, err := a.source(t, nil).Survey(t.Context(), "test", where, appPatterns)
		if err != nil {
			t.Errorf("%s: %v", where, err)
			continue
		}
		if len(offer.Packages) != 1 || offer.Lead != "1:2.0-1" || !strings.Contains(offer.Trust, trust) {
			t.Errorf("%s offers %+v", where, offer)
		}
	}
	_, err := a.source(t, nil).Survey(t.Context(), "test", "copy://"+b.dir+" stable", appPatterns)
	if err == nil || !strings.Contains(err.Error(), string(source.BadSignature)) {
		t.Errorf("a repository that another key signed: %v", err)
	}
}

func TestWhatIsNoCandidateIsRefused(t *testing.T) {
	two, foreign, junk, stranger := newFolder(t), newFolder(t), newFolder(t), newFolder(t)
	two.add(t, "app", "2.0", "", "usr/bin/app")
	if err := os.Rename(filepath.Join(two.where(), "app.deb"), filepath.Join(two.where(), "app-old.deb")); err != nil {
		t.Fatal(err)
	}
	two.add(t, "app", "3.0", "", "usr/bin/app")
	foreign.add(t, "app", "2.0", "", "usr/bin/app")
	tree := t.TempDir()
	write(t, filepath.Join(tree, "DEBIAN/control"), "Package: lib\nVersion: 1\nArchitecture: arm64\nMaintainer: t <t@localhost>\nDescription: test\n")
	run(t, tree, nil, "dpkg-deb", "--build", tree, filepath.Join(foreign.where(), "lib.deb"))
	write(t, filepath.Join(junk.where(), "app.deb"), "no package")
	stranger.add(t, "unheard-of", "1.0", "", "usr/bin/unheard-of")
	empty := t.TempDir()
	for where, words := range map[string]string{
		two.where(): "there are two of app, 2.0 and 3.0", foreign.where(): "lib 1 is built for arm64",
		junk.where(): "app.deb", stranger.where(): "none of its packages (unheard-of) belongs to the component",
		empty: "there is no .deb file in it", "/nowhere/at/all": "no such file", "http://host": "want the address of a repository",
	} {
		_, err := newArchive(t).source(t, nil).Survey(t.Context(), "test", where, appPatterns)
		if err == nil || !strings.Contains(err.Error(), words) || !strings.Contains(err.Error(), where) {
			t.Errorf("%s: %v, want %q", where, err, words)
		}
	}
}

func TestAPlantedPackageIsOneMore(t *testing.T) {
	f := newFolder(t)
	f.add(t, "app", "1:2.0-1", "Depends: libapp", "usr/bin/app")
	s, c := f.laid(t, newArchive(t))
	got, err := s.Plant(t.Context(), *c, source.Planted{Name: "planted", Version: "1", Depends: []string{"nowhere"}, Files: []string{"/usr/bin/env"}})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Packages) != 2 || got.Index == c.Index || len(c.Packages) != 1 {
		t.Errorf("it makes %+v of %+v", got, c)
	}
	contents, err := s.Inspect(t.Context(), matrix.PackageSet{Release: "test", Packages: got.Packages})
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(contents, func(c source.Content) bool { return c.Name == "planted" })
	if i < 0 || !slices.Equal(contents[i].Depends, []string{"nowhere"}) || !slices.Equal(contents[i].Files, []string{"/usr/bin/env"}) {
		t.Errorf("inspected is %+v", contents)
	}
}

func TestChangelogEntriesEndAtTheVersionBefore(t *testing.T) {
	text := "app (3.0-1) unstable; urgency=low\n\n  * three\n\n -- t <t@localhost>  Mon\n\napp (2.0-1) unstable; urgency=low\n\n  * two\n\n -- t\n\napp (1.0-1) unstable; urgency=low\n\n  * one\n"
	if got := entries([]byte(text), "1.0-1"); len(got) != 2 || !strings.Contains(got[0], "three") || !strings.Contains(got[1], "two") {
		t.Errorf("the entries are %q", got)
	}
	if got := entries([]byte(text), "3.0-1"); got != nil {
		t.Errorf("nothing is newer, and the entries are %q", got)
	}
	if got := entries([]byte("no changelog"), "1"); len(got) != 1 {
		t.Errorf("what is no changelog is %q", got)
	}
}

func TestAnInstalledTreeTakesThePlaceOfThePackagesFiles(t *testing.T) {
	a := newArchive(t)
	tree := t.TempDir()
	write(t, filepath.Join(tree, "usr/bin/app"), "of the tree")
	write(t, filepath.Join(tree, "usr/lib/app/new"), "is new")
	s, c := laidAt(t, a, tree)
	set, err := over(t, s)
	if err != nil || len(c.Packages) != 1 || set.Packages[0] != c.Packages[0] || set.Version("app") != "1:1.0-1" {
		t.Fatalf("resolved %+v, %v; the candidate is %+v", set.Packages, err, c.Packages)
	}
	time.Sleep(1100 * time.Millisecond) // packages tell their time in seconds
	if _, again := laidAt(t, a, tree); again.Packages[0].SHA256 != c.Packages[0].SHA256 {
		t.Error("packed a second time it is another package")
	}
	if err := s.Fetch(t.Context(), set, nil); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "unpacked")
	if err := s.Unpack(t.Context(), set, dir); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"usr/bin/app": "of the tree", "usr/lib/app/new": "is new"} {
		if got := string(read(t, filepath.Join(dir, name))); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if _, err := s.Survey(t.Context(), "", tree, appPatterns); err == nil || !strings.Contains(err.Error(), "name the one that it is laid over") {
		t.Errorf("over no release: %v", err)
	}
}
