package dnf

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/virtmatrix/virtmatrix/internal/rpmrepo"
	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/internal/store/disk"
	"github.com/virtmatrix/virtmatrix/matrix"
)

func TestASetHasTheExactPackagesAndWhereTheyAreFrom(t *testing.T) {
	t.Parallel()
	m := newMirror(t)
	s := sourceOf(t, m.repository(matrix.TrustBoth))
	set := resolve(t, s, "app")
	sum, size, err := disk.Digest(filepath.Join(m.Dir, "app-2.12.0-18.el7.x86_64.rpm"))
	if err != nil {
		t.Fatal(err)
	}
	want := matrix.Package{Name: "app", Version: "10:2.12.0-18.el7", Arch: "x86_64", SHA256: sum, Size: size, Repository: "sig"}
	if len(set.Packages) != 2 || set.Packages[1].Name != "libapp" {
		t.Fatalf("got %+v, want app and libapp", set.Packages)
	}
	if d := cmp.Diff(want, set.Packages[0]); d != "" {
		t.Error(d)
	}
	index, _, err := disk.Digest(m.Index())
	if err != nil {
		t.Fatal(err)
	}
	origin := []matrix.Origin{{Name: "sig", URL: m.url, Trust: matrix.TrustBoth, Keys: []string{signer().Fingerprint()}, Index: index}}
	set.Repositories[0].Revision = ""
	if d := cmp.Diff(origin, set.Repositories); d != "" {
		t.Error(d)
	}
}

func TestNothingIsReadOrWrittenElsewhere(t *testing.T) {
	t.Parallel()
	m := newMirror(t)
	s := sourceOf(t, m.repository(matrix.TrustBoth))
	p, unlock, err := s.open(t.Context(), "el")
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	text, err := os.ReadFile(p.path("dnf.conf"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		if strings.HasPrefix(value, "/") && !strings.HasPrefix(value, s.opts.Home) {
			t.Errorf("%s is outside the cache: %s", name, value)
		}
	}
	// The machine's database, or one in its user's folder, would be made otherwise.
	if _, err := os.Stat(p.path("keys", "none", "rpmdb.sqlite")); err != nil {
		t.Error("the database of a system without packages is not ours:", err)
	}
	if _, err := os.Stat(p.path("root")); err == nil {
		t.Error("a root was made where nothing is installed")
	}
}

func TestAnAnswerIsKeptUntilTheIndexIsRenewed(t *testing.T) {
	t.Parallel()
	m := newMirror(t)
	s := sourceOf(t, m.repository(matrix.TrustBoth))
	before := resolve(t, s, "other")
	m.add(t, rpmrepo.Package{Name: "other", EVR: "3.1-1"})
	m.publish(t)
	if d := cmp.Diff(before, resolve(t, s, "other")); d != "" {
		t.Error("a young index was renewed: ", d)
	}
	fresh, err := New(Options{Home: s.opts.Home, Releases: s.opts.Releases, Fresh: true})
	if err != nil {
		t.Fatal(err)
	}
	// Within the same second, which dnf does not tell apart.
	if got := version(resolve(t, fresh, "other"), "other"); got != "3.1-1" {
		t.Errorf("got other %s, want 3.1-1", got)
	}
}

func TestManyResolveAtOnce(t *testing.T) {
	t.Parallel()
	m := newMirror(t)
	s := sourceOf(t, m.repository(matrix.TrustBoth))
	done := make(chan error)
	names := []string{"app", "libapp", "other"}
	for _, name := range names {
		go func() {
			_, err := s.Resolve(t.Context(), source.Request{Release: "el", Names: []string{name}})
			done <- err
		}()
	}
	for range names {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestWhatTheSolverRefusesIsSaidInItsWords(t *testing.T) {
	t.Parallel()
	m := newMirror(t)
	m.add(t, rpmrepo.Package{Name: "broken", EVR: "1-1", Requires: []string{"libapp >= 9"}})
	m.publish(t)
	s := sourceOf(t, m.repository(matrix.TrustBoth))
	for name, c := range map[string]struct {
		kind  source.Kind
		words []string
	}{
		"broken": {source.Unsatisfiable, []string{"nothing provides libapp >= 9 needed by broken-1-1"}},
		"libap":  {source.NoSuchPackage, []string{`did you mean "libapp"?`}},
	} {
		_, err := s.Resolve(t.Context(), source.Request{Release: "el", Names: []string{name}})
		wantKind(t, err, c.kind, c.words...)
	}
	for _, name := range []string{"-x", "app=1", "/usr/bin/app", "*", "@core"} {
		if _, err := s.Resolve(t.Context(), source.Request{Release: "el", Names: []string{name}}); err == nil || !strings.Contains(err.Error(), "is not a package name") {
			t.Errorf("%q: got %v", name, err)
		}
	}
}

func TestRepositoriesOfARelease(t *testing.T) {
	t.Parallel()
	m, testing := newMirror(t), newMirror(t)
	testing.Packages, testing.Metadata = nil, nil
	testing.add(t, rpmrepo.Package{Name: "app", EVR: "10:2.10.0-1.el7", Requires: []string{"libapp"}})
	testing.publish(t)
	if err := os.Remove(filepath.Join(testing.Dir, "app-2.12.0-18.el7.x86_64.rpm")); err != nil {
		t.Fatal(err)
	}
	testing.publish(t)
	release := m.repository(matrix.TrustPackages)
	unsigned := testing.repository(matrix.TrustNone)
	unsigned.Name, unsigned.Priority = "testing", 1
	// A lower version of a repository that goes first is taken, as a candidate must be.
	set := resolve(t, sourceOf(t, release, unsigned), "app")
	if got := version(set, "app"); got != "10:2.10.0-1.el7" {
		t.Errorf("got app %s of a release, want that of testing", got)
	}
	if last := set.Repositories[len(set.Repositories)-1]; last.Name != "testing" || last.Trust != matrix.TrustNone {
		t.Errorf("the set does not say that its packages are unsigned: %+v", last)
	}
	// By name, or by what only some versions match: an old release in a repository that
	// keeps all.
	for pattern, want := range map[string]string{"app": "10:2.12.0-18.el7", "app-10:2.10*": "10:2.12.0-18.el7", "app-10:2.12*": "10:2.10.0-1.el7"} {
		unsigned.Exclude = []string{pattern}
		if got := version(resolve(t, sourceOf(t, release, unsigned), "app"), "app"); got != want {
			t.Errorf("without %s there is app %s, want %s", pattern, got, want)
		}
	}
}

func TestVariablesAndMirrorListsAreFilledIn(t *testing.T) {
	t.Parallel()
	m := newMirror(t)
	if err := os.WriteFile(filepath.Join(m.Dir, "list-8-stream"), []byte(m.url+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	r := m.repository(matrix.TrustBoth)
	r.URL, r.Mirrors = "", m.url+"list-$releasever"
	s := with(t, source.Release{Name: "el", Repositories: []matrix.Repository{r}, Variables: map[string]string{"releasever": "8-stream"}})
	fetched(t, s, "app")
}

func TestRecordsAreOfTheSourceAndWhatItNeeds(t *testing.T) {
	t.Parallel()
	m := newMirror(t)
	records, err := sourceOf(t, m.repository(matrix.TrustBoth)).Records(t.Context(), "el", []string{"ap*"})
	if err != nil {
		t.Fatal(err)
	}
	want := []matrix.Record{
		{Release: "el", Package: "app", Version: "10:2.12.0-18.el7", Source: "app", Provides: []string{"app = 10:2.12.0-18.el7"}, Depends: []string{"libapp >= 2.0"}, Conflicts: []string{}},
		{Release: "el", Package: "libapp", Version: "2.0-1.el7", Source: "app", Provides: []string{"libapp = 2.0-1.el7"}, Depends: []string{}, Conflicts: []string{}},
	}
	if d := cmp.Diff(want, records); d != "" {
		t.Error(d)
	}
}

// streams are two of a module, of which one is taken by itself and hides "app".
const streams = `---
document: modulemd
version: 2
data:
  name: virt
  stream: "rhel"
  version: 1
  context: c0ffee42
  arch: x86_64
  summary: virt
  description: virt
  license: {module: [MIT]}
  artifacts: {rpms: ["app-10:2.13.0-1.module_el8.x86_64"]}
---
document: modulemd-defaults
version: 1
data: {module: virt, stream: "rhel"}
...
`

func TestAModularStreamHidesAPackage(t *testing.T) {
	t.Parallel()
	m := newMirror(t)
	m.Modules = streams
	m.add(t, rpmrepo.Package{Name: "app", EVR: "10:2.13.0-1.module_el8"})
	m.publish(t)
	sig := newMirror(t)
	above := sig.repository(matrix.TrustBoth)
	above.Name = "above"
	s := sourceOf(t, m.repository(matrix.TrustBoth), above)
	if got := version(resolve(t, s, "app"), "app"); got != "10:2.13.0-1.module_el8" {
		t.Errorf("got app %s, want that of the stream", got)
	}
	above.OverModules, above.Priority = true, 1
	if got := version(resolve(t, sourceOf(t, m.repository(matrix.TrustBoth), above), "app"), "app"); got != "10:2.12.0-18.el7" {
		t.Errorf("got app %s, want that of the repository over the streams", got)
	}
	missing := with(t, source.Release{Name: "el", Repositories: []matrix.Repository{m.repository(matrix.TrustBoth)}, Modules: []string{"virt:av"}})
	_, err := missing.Resolve(t.Context(), source.Request{Release: "el", Names: []string{"app"}})
	wantKind(t, err, source.NoSuchPackage, "virt:av", "modules")
}

func TestAReleaseThatCannotBeUsedIsRefused(t *testing.T) {
	t.Parallel()
	for name, repositories := range map[string][]matrix.Repository{
		"neither its url":      {{Name: "sig"}},
		"two repositories":     {{Name: "sig", URL: "http://a/"}, {Name: "sig", URL: "http://b/"}},
		"a space or a bracket": {{Name: "sig", URL: "http://a/\ngpgcheck=0"}},
	} {
		_, err := New(Options{Home: t.TempDir(), Releases: []source.Release{{Name: "el", Repositories: repositories}}})
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("got %v, want %q", err, name)
		}
	}
}

func TestARepositoryThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	m := newMirror(t)
	gone := httptest.NewServer(nil)
	gone.Close()
	r := m.repository(matrix.TrustBoth)
	for url, kind := range map[string]source.Kind{gone.URL: source.Unreachable, m.url + "nothing/": source.NotServed, "file:///nowhere/": source.NotServed} {
		r.URL = url
		_, err := sourceOf(t, r).Resolve(t.Context(), source.Request{Release: "el", Names: []string{"app"}})
		wantKind(t, err, kind, "sig")
	}
}

func TestRepositoriesOfParentsCount(t *testing.T) {
	t.Parallel()
	m := newMirror(t)
	s := with(t, source.Release{Name: "el", Repositories: []matrix.Repository{m.repository(matrix.TrustBoth)}, Parents: []matrix.Repository{{Name: "base", URL: m.url, Trust: matrix.TrustNone, Priority: 1}}})
	set := resolve(t, s, "app")
	if !slices.ContainsFunc(set.Repositories, func(o matrix.Origin) bool { return o.Name == "base" }) {
		t.Errorf("got packages of %+v, want some of base", set.Repositories)
	}
}
