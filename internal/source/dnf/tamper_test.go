package dnf

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/rpmpack"

	"github.com/virtmatrix/virtmatrix/internal/rpmrepo"
	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// TestATamperedRepositoryIsRefused is the table of what may be done to a repository
// between those who sign it and us, and by what it is found.
func TestATamperedRepositoryIsRefused(t *testing.T) {
	t.Parallel()
	const app = "app-*.rpm"
	expired := past()
	for name, c := range map[string]struct {
		trust matrix.Trust
		// do is done to the repository before it is read.
		do    func(t *testing.T, m *mirror)
		kind  source.Kind
		words []string
	}{
		"a package is altered": {matrix.TrustBoth, func(t *testing.T, m *mirror) { m.edit(t, app, flip) },
			source.BadDigest, []string{"package app came with sha256"}},
		"a package is gone": {matrix.TrustPackages, func(t *testing.T, m *mirror) { m.remove(t, app) },
			source.NotServed, []string{"404", "app-2.12.0", "plan again"}},
		"the list of packages is altered": {matrix.TrustNone, func(t *testing.T, m *mirror) { m.edit(t, "repodata/primary.xml.gz", flip) },
			source.BadDigest, []string{"primary.xml.gz"}},
		"the index is altered": {matrix.TrustMetadata, func(t *testing.T, m *mirror) { m.edit(t, "repodata/repomd.xml", space) },
			source.BadSignature, []string{"repomd.xml GPG signature verification error"}},
		"the index is signed by a stranger": {matrix.TrustMetadata, func(t *testing.T, m *mirror) { m.Metadata = stranger(); m.publish(t) },
			source.BadSignature, []string{"repomd.xml GPG signature verification error"}},
		"the index's key expired": {matrix.TrustMetadata, func(t *testing.T, m *mirror) {
			m.Metadata, m.keyring = expired, keyring(t, expired)
			m.publish(t)
		}, source.BadSignature, []string{"key " + expired.Fingerprint() + " expired on "}},
		"the index is not signed": {matrix.TrustMetadata, func(t *testing.T, m *mirror) { m.remove(t, "repodata/repomd.xml.asc") },
			source.BadSignature, []string{"signature is not available", "(trust)"}},
		"the index's signature is none": {matrix.TrustMetadata, func(t *testing.T, m *mirror) {
			m.edit(t, "repodata/repomd.xml.asc", func([]byte) []byte { return []byte("junk") })
		}, source.BadSignature, []string{"gpgme"}},
		"a package is not signed": {matrix.TrustPackages, func(t *testing.T, m *mirror) { m.Packages = nil; m.rebuild(t) },
			source.BadSignature, []string{"package app", "it is not signed"}},
		"a package is signed by a stranger": {matrix.TrustPackages, func(t *testing.T, m *mirror) { m.Packages = stranger(); m.rebuild(t) },
			source.BadSignature, []string{"package app", "NOKEY"}},
		"a package's key expired": {matrix.TrustPackages, func(t *testing.T, m *mirror) {
			m.Packages, m.keyring = expired, keyring(t, expired)
			m.rebuild(t)
		}, source.BadSignature, []string{"package app", "key " + expired.Fingerprint() + " expired on "}},
		"a signed package is altered and the index made anew": {matrix.TrustPackages, func(t *testing.T, m *mirror) { m.edit(t, app, flip); m.publish(t) },
			source.BadSignature, []string{"package app"}},
		"an unsigned package is altered and the index made anew": {matrix.TrustNone, func(t *testing.T, m *mirror) { m.Packages = nil; m.rebuild(t); m.edit(t, app, flip); m.publish(t) },
			source.BadSignature, []string{"package app", "BAD"}},
		"a mirror sends more than the index says": {matrix.TrustBoth, func(_ *testing.T, m *mirror) { m.spoil = endless },
			source.BadDigest, []string{"package app has more than the", "bytes that the index says"}},
		"a mirror sends less": {matrix.TrustBoth, func(t *testing.T, m *mirror) {
			m.edit(t, app, func(text []byte) []byte { return text[:len(text)-1] })
		}, source.BadDigest, []string{"package app has", "the index says"}},
		"a mirror breaks down": {matrix.TrustBoth, func(_ *testing.T, m *mirror) { m.spoil = broken },
			source.Unreachable, []string{"503"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMirror(t)
			c.do(t, m)
			s := sourceOf(t, m.repository(c.trust))
			set, err := s.Resolve(t.Context(), source.Request{Release: "el", Names: []string{"app"}})
			if err == nil {
				err = s.Fetch(t.Context(), set, nil)
			}
			wantKind(t, err, c.kind, append(c.words, "of el from repositories sig")...)
			for _, p := range set.Packages {
				if _, err := os.Stat(s.files.Path(p)); err == nil && p.Name == "app" {
					t.Error("the package is in the cache all the same")
				}
			}
		})
	}
}

func (m *mirror) remove(t *testing.T, name string) {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(m.Dir, name))
	if err != nil || len(found) != 1 {
		t.Fatal(name, found, err)
	}
	if err := os.Remove(found[0]); err != nil {
		t.Fatal(err)
	}
}

// rebuild makes "app" again, with the present keys.
func (m *mirror) rebuild(t *testing.T) {
	t.Helper()
	m.add(t, rpmrepo.Package{Name: "app", EVR: "10:2.12.0-18.el7", Requires: []string{"libapp"}, Files: []rpmpack.RPMFile{rpmrepo.File("/usr/bin/app", "of app")}})
	m.publish(t)
}

func space(text []byte) []byte { return append(text, '\n') }

func endless(w http.ResponseWriter, r *http.Request) bool {
	if !strings.HasPrefix(r.URL.Path, "/app-") {
		return false
	}
	for range 1 << 12 {
		if _, err := w.Write(make([]byte, 1<<10)); err != nil {
			break
		}
	}
	return true
}

func broken(w http.ResponseWriter, r *http.Request) bool {
	if !strings.HasSuffix(r.URL.Path, ".rpm") {
		return false
	}
	w.WriteHeader(http.StatusServiceUnavailable)
	return true
}

func TestWhatARepositoryDoesNotPromiseIsNotAsked(t *testing.T) {
	t.Parallel()
	m := newMirror(t)
	m.Packages, m.Metadata = nil, stranger()
	m.rebuild(t)
	// Unsigned packages and a foreign index: the catalogue says so, and the set does.
	set := fetched(t, sourceOf(t, m.repository(matrix.TrustNone)), "app")
	if got := set.Repositories[0]; got.Trust != matrix.TrustNone || got.Keys != nil {
		t.Errorf("the set says %+v of an unsigned repository", got)
	}
	m.Packages = past()
	m.keyring = keyring(t, signer(), m.Packages)
	m.rebuild(t)
	late := with(t, source.Release{Name: "el", Repositories: []matrix.Repository{m.repository(matrix.TrustPackages)}})
	fetched(t, late, "app")
}

func TestAFileThatCameWithoutAPromiseIsVerifiedWhereThereIsOne(t *testing.T) {
	t.Parallel()
	m := newMirror(t)
	m.Packages = nil
	m.rebuild(t)
	home := t.TempDir()
	fetched(t, sharing(t, home, m.repository(matrix.TrustNone)), "app")
	s := sharing(t, home, m.repository(matrix.TrustPackages))
	set := resolve(t, s, "app")
	wantKind(t, s.Fetch(t.Context(), set, nil), source.BadSignature, "package app", "it is not signed")
}

func sharing(t *testing.T, home string, r matrix.Repository) *Source {
	t.Helper()
	s, err := New(Options{Home: home, Releases: []source.Release{{Name: "el", Repositories: []matrix.Repository{r}}}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestARepositoryThatChangesUnderTheRun(t *testing.T) {
	t.Parallel()
	m := newMirror(t)
	s := sourceOf(t, m.repository(matrix.TrustPackages))
	set := resolve(t, s, "app")
	m.Files(t)
	wantKind(t, s.Fetch(t.Context(), set, nil), source.BadDigest, "plan again")
	// What is in the cache is still to be had when the mirror is gone.
	set = resolve(t, s, "other")
	if err := s.Fetch(t.Context(), set, nil); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(m.Dir); err != nil {
		t.Fatal(err)
	}
	if err := s.Fetch(t.Context(), set, nil); err != nil {
		t.Error(err)
	}
}

// Files puts other contents under the same names.
func (m *mirror) Files(t *testing.T) {
	m.add(t, rpmrepo.Package{Name: "app", EVR: "10:2.12.0-18.el7", Requires: []string{"libapp"}, Files: []rpmpack.RPMFile{rpmrepo.File("/usr/bin/app", "of App")}})
	m.publish(t)
}

func TestAPlanFromElsewhereIsFetchedByTheIndex(t *testing.T) {
	t.Parallel()
	m := newMirror(t)
	set := resolve(t, sourceOf(t, m.repository(matrix.TrustBoth)), "app")
	s := sourceOf(t, m.repository(matrix.TrustBoth))
	if err := s.Fetch(t.Context(), set, nil); err != nil {
		t.Error(err)
	}
	set.Packages[0].SHA256 = strings.Repeat("0", 64)
	wantKind(t, s.Fetch(t.Context(), set, nil), source.NotServed, "plan again")
}

func TestAFetchThatIsCalledOffIsNoTrouble(t *testing.T) {
	t.Parallel()
	m := newMirror(t)
	s := sourceOf(t, m.repository(matrix.TrustBoth))
	set := resolve(t, s, "app")
	ctx, stop := context.WithCancel(t.Context())
	m.spoil = func(_ http.ResponseWriter, r *http.Request) bool {
		stop()
		<-r.Context().Done() // an answer that is quicker than the call would be judged
		return true
	}
	err := s.Fetch(ctx, set, nil)
	if err == nil || !strings.Contains(fmt.Sprint(err), "context canceled") {
		t.Errorf("got %v", err)
	}
}
