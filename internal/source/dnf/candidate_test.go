package dnf

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/rpmpack"

	"github.com/virtmatrix/virtmatrix/internal/rpmrepo"
	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// appPatterns say which packages are the component of these tests: app, and what is
// built with it, as libapp is.
var appPatterns = []string{"app"}

// folder is a candidate: package files that no repository has.
func folder(t *testing.T, packages ...rpmrepo.Package) string {
	t.Helper()
	r := rpmrepo.Repository{Dir: t.TempDir()}
	for _, p := range packages {
		if _, err := r.Add(p); err != nil {
			t.Fatal(err)
		}
	}
	return r.Dir
}

// app is a build of the release's app.
func app(evr string, requires ...string) rpmrepo.Package {
	return rpmrepo.Package{Name: "app", EVR: evr, Requires: requires, Files: []rpmpack.RPMFile{rpmrepo.File("/usr/bin/app", "of the candidate")}}
}

// laid is the source of a mirror with what is at a place laid over it.
func laid(t *testing.T, m *mirror, where string) (*Source, *matrix.Candidate) {
	t.Helper()
	s := sourceOf(t, m.repository(matrix.TrustPackages))
	offer, err := s.Survey(t.Context(), "el", where, appPatterns)
	if err != nil {
		t.Fatal(err)
	}
	c := &matrix.Candidate{Component: "app", Over: "el", Release: "el-candidate", Index: offer.Index, Packages: offer.Packages}
	lay(s, c)
	return s, c
}

func lay(s *Source, c *matrix.Candidate) {
	r := s.releases["el"]
	r.Name, r.Candidate = "el-candidate", c
	s.releases["el-candidate"] = r
}

func over(t *testing.T, s *Source, names ...string) (matrix.PackageSet, error) {
	t.Helper()
	return s.Resolve(t.Context(), source.Request{Release: "el-candidate", Names: names})
}

func TestACandidateIsPreferredWhateverItsVersion(t *testing.T) {
	t.Parallel()
	m := newMirror(t)
	for name, evr := range map[string]string{"newer": "10:2.13.0-1.el7", "older": "10:2.9.0-1.el7", "the same": "10:2.12.0-18.el7"} {
		where := folder(t, app(evr, "libapp >= 2.0"))
		s, c := laid(t, m, where)
		set, err := over(t, s, "app")
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(set.Packages) != 2 || set.Packages[0] != c.Packages[0] || set.Version("app") != evr {
			t.Errorf("%s: resolved %+v, and the candidate is %+v", name, set.Packages, c.Packages)
		}
		below := resolve(t, s, "app")
		if below.Packages[0].SHA256 == c.Packages[0].SHA256 || below.Packages[1] != set.Packages[1] {
			t.Errorf("%s: the release below has %+v", name, below.Packages)
		}
		// The place may go: what was found is kept.
		if err := os.RemoveAll(where); err != nil {
			t.Fatal(err)
		}
		if err := s.Fetch(t.Context(), set, nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestACandidateIsNotLeftOutInSilence(t *testing.T) {
	t.Parallel()
	// What is asked for needs it and would do with the release's.
	m := newMirror(t)
	m.add(t, rpmrepo.Package{Name: "tool", EVR: "1-1", Requires: []string{"app"}})
	m.publish(t)
	s, _ := laid(t, m, folder(t, app("10:2.13.0-1.el7", "libapp >= 3.0")))
	for _, name := range []string{"app", "tool"} {
		_, err := over(t, s, name)
		wantKind(t, err, source.Unsatisfiable, "nothing provides libapp >= 3.0 needed by app")
	}
}

func TestOnlyWhatTheCandidateCannotDoWithoutIsPulledIn(t *testing.T) {
	t.Parallel()
	m := newMirror(t)
	foreign := rpmrepo.Package{Name: "other", EVR: "4.0-1"}
	needed := rpmrepo.Package{Name: "needed", EVR: "1.0-1"}
	s, c := laid(t, m, folder(t, app("10:2.13.0-1.el7", "libapp", "needed"), foreign, needed))
	if len(c.Packages) != 1 {
		t.Errorf("of the candidate are %+v", c.Packages)
	}
	set, err := over(t, s, "app", "other")
	if err != nil {
		t.Fatal(err)
	}
	if set.Version("app") != "10:2.13.0-1.el7" || set.Version("needed") != "1.0-1" || set.Version("other") != "3.0-1" {
		t.Errorf("resolved %+v", set.Packages)
	}
}

func TestAnotherReleaseOrRepositoryIsACandidateToo(t *testing.T) {
	t.Parallel()
	m, testing := newMirror(t), newMirror(t)
	testing.add(t, app("10:2.13.0-1.el7"))
	testing.publish(t)
	repository := testing.repository(matrix.TrustPackages)
	repository.Name = "sig-testing"
	for where, trust := range map[string]string{
		testing.url + " " + testing.keyring: "packages signed) " + testing.keyring,
		testing.url + " unsigned":           "not signed",
		"el-testing":                        "packages signed) " + testing.keyring,
		"sig-testing":                       "packages signed) " + testing.keyring,
	} {
		s := sourceOf(t, m.repository(matrix.TrustPackages))
		s.releases["el-testing"] = source.Release{Name: "el-testing", Repositories: []matrix.Repository{repository}, Parents: []matrix.Repository{m.repository(matrix.TrustPackages)}}
		offer, err := s.Survey(t.Context(), "el", where, appPatterns)
		if err != nil {
			t.Errorf("%s: %v", where, err)
			continue
		}
		if len(offer.Packages) != 2 || offer.Lead != "10:2.13.0-1.el7" || !strings.Contains(offer.Trust, trust) {
			t.Errorf("%s offers %+v", where, offer)
		}
	}
	s := sourceOf(t, m.repository(matrix.TrustPackages))
	_, err := s.Survey(t.Context(), "el", testing.url+" "+keyring(t, stranger()), appPatterns)
	if err == nil || !strings.Contains(err.Error(), string(source.BadSignature)) {
		t.Errorf("a repository that another key signed: %v", err)
	}
}

func TestWhatIsNoCandidateIsRefused(t *testing.T) {
	t.Parallel()
	foreign := app("1-1")
	foreign.Arch = "aarch64"
	old := app("10:2.9.0-1.el7")
	junk, src, empty := t.TempDir(), t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(junk, "app.rpm"), []byte("no package"), 0o644); err != nil {
		t.Fatal(err)
	}
	torn := folder(t, app("10:2.13.0-1.el7"))
	file := filepath.Join(torn, "app-2.13.0-1.el7.x86_64.rpm")
	text, err := os.ReadFile(file)
	if err == nil {
		err = os.WriteFile(file, flip(text), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	s := sourceOf(t, newMirror(t).repository(matrix.TrustPackages))
	for where, words := range map[string]string{
		torn:                                   "BAD",
		folder(t, old, app("10:2.13.0-1.el7")): "there are two of app, 10:2.",
		folder(t, foreign):                     "app 1-1 is built for aarch64",
		junk:                                   "app.rpm",
		folder(t, rpmrepo.Package{Name: "alien", EVR: "1-1"}): "none of its packages (alien) belongs to the component",
		empty:              "there is no .rpm file in it",
		"/nowhere/at/all":  "no such file",
		"http://host/path": "want the address of a repository",
		src:                "there is no .rpm file in it",
	} {
		_, err := s.Survey(t.Context(), "el", where, appPatterns)
		if err == nil || !strings.Contains(err.Error(), words) || !strings.Contains(err.Error(), where) {
			t.Errorf("%s: %v, want %q", where, err, words)
		}
	}
	if left, err := filepath.Glob(filepath.Join(s.opts.Home, "packages", ".candidate-*")); err != nil || len(left) > 0 {
		t.Errorf("left are %q, %v", left, err)
	}
}

func TestTheSourcePackageThatABuildLeavesIsNoPartOfACandidate(t *testing.T) {
	t.Parallel()
	built := rpmrepo.Package{Name: "app", EVR: "10:2.13.0-1.el7", Arch: rpmrepo.SourceArch}
	_, c := laid(t, newMirror(t), folder(t, app("10:2.13.0-1.el7"), built))
	if len(c.Packages) != 1 || c.Packages[0].Arch != "x86_64" {
		t.Errorf("of the candidate are %+v", c.Packages)
	}
	s := sourceOf(t, newMirror(t).repository(matrix.TrustPackages))
	if _, err := s.Survey(t.Context(), "el", folder(t, built), appPatterns); err == nil || !strings.Contains(err.Error(), "app is a source package: build it") {
		t.Errorf("of a source package alone: %v", err)
	}
}

func TestAPlantedPackageIsOneMore(t *testing.T) {
	t.Parallel()
	s, c := laid(t, newMirror(t), folder(t, app("10:2.13.0-1.el7")))
	got, err := s.Plant(t.Context(), *c, source.Planted{Name: "planted", Version: "1", Depends: []string{"nowhere"}, Replaces: []string{"other < 4"}, Files: []string{"/usr/bin/app"}})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Packages) != 2 || got.Index == c.Index || len(c.Packages) != 1 {
		t.Errorf("it makes %+v of %+v", got, c)
	}
	contents, err := s.Inspect(t.Context(), matrix.PackageSet{Release: "el", Packages: got.Packages})
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(contents, func(c source.Content) bool { return c.Name == "planted" })
	if i < 0 || !slices.Contains(contents[i].Depends, "nowhere") || !slices.Equal(contents[i].Replaces, []string{"other < 4"}) ||
		!slices.Equal(contents[i].Files, []string{"/usr/bin/app"}) || contents[i].Digests[0] == contents[1-i].Digests[0] || contents[i].Source != "planted" {
		t.Errorf("inspected is %+v", contents)
	}
	lay(s, &got)
	_, err = over(t, s, "planted", "app")
	wantKind(t, err, source.Unsatisfiable, "nothing provides nowhere needed by planted")
}

func TestWhatAPackageHoldsIsItsFilesAndLinks(t *testing.T) {
	got := contentOf(matrix.Package{Name: "a"}, `source a-1-1.src.rpm
provides a = 1-1
conflicts (none)
file 0 16877 - /etc/a.d
file 17 33188 c0ffee- /etc/a.conf
file 64 33188 - /var/log/a
file 0 41471 -a.conf /etc/link with blanks
`)
	if !slices.Equal(got.Files, []string{"/etc/a.conf", "/etc/link with blanks"}) || !slices.Equal(got.Config, []string{"/etc/a.conf"}) ||
		!slices.Equal(got.Digests, []string{"c0ffee-", "-a.conf"}) || got.Source != "a" || got.Conflicts != nil || got.Kind != Kind {
		t.Errorf("it holds %+v", got)
	}
}

func TestWhoAnswersForAnIndexIsSaid(t *testing.T) {
	t.Parallel()
	m := newMirror(t)
	s := sourceOf(t, m.repository(matrix.TrustBoth))
	resolve(t, s, "app")
	for key, wrong := range map[string]bool{"": false, keyring(t, stranger()): true} {
		got, err := s.Signatures(t.Context(), "el", key)
		if err != nil || len(got) != 1 || (got[0].Problem != "") != wrong {
			t.Errorf("by %q: %+v, %v", key, got, err)
		}
	}
	loose := m.repository(matrix.TrustPackages)
	got, err := sourceOf(t, loose).Signatures(t.Context(), "el", "")
	if err != nil || len(got) != 1 || got[0].Problem != "" || got[0].By != m.keyring+", package by package: other" {
		t.Errorf("of an index that is not signed: %+v, %v", got, err)
	}
	for _, key := range []string{os.DevNull, keyring(t, stranger())} {
		got, err := sourceOf(t, loose).Signatures(t.Context(), "el", key)
		if err != nil || len(got) != 1 || got[0].Problem == "" {
			t.Errorf("packages by %s: %+v, %v", key, got, err)
		}
	}
	open := m.repository(matrix.TrustNone)
	got, err = sourceOf(t, open).Signatures(t.Context(), "el", "")
	if err != nil || len(got) != 1 || got[0].Problem != "" || !strings.HasPrefix(got[0].By, "nobody: repository sig (not signed") {
		t.Errorf("of a repository that nobody signs: %+v, %v", got, err)
	}
}
