package dnf

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/rpmpack"

	"github.com/virtmatrix/virtmatrix/internal/rpmrepo"
	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/internal/source/tool"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// mirror is a toy repository that is served over HTTP. Its packages are signed; what is
// trusted of it is what a test says.
type mirror struct {
	rpmrepo.Repository
	url     string
	keyring string
	// spoil may change what is served.
	spoil func(w http.ResponseWriter, r *http.Request) (done bool)
}

// The keys are made once: one takes longer than a repository.
var (
	signer   = sync.OnceValue(func() *rpmrepo.Key { return newKey("the SIG") })
	stranger = sync.OnceValue(func() *rpmrepo.Key { return newKey("somebody") })
	past     = sync.OnceValue(pastKey)
)

func newKey(name string) *rpmrepo.Key {
	k, err := rpmrepo.NewKey(name)
	if err != nil {
		panic(err)
	}
	return k
}

// pastKey has expired. gpg makes it: rpm imports none whose date other libraries call
// critical.
func pastKey() *rpmrepo.Key {
	// Not t.TempDir: the agent's socket needs a short path.
	dir, err := os.MkdirTemp("", "key")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	const script = `g="gpg --homedir $0 --batch --quiet --passphrase="
$g --faked-system-time 20200101T000000 --quick-generate-key past rsa2048 sign 5d && $g --armor --export-secret-keys
gpgconf --homedir "$0" --kill all`
	out, err := exec.Command("sh", "-c", script, dir).Output()
	if err != nil {
		panic(err)
	}
	k, err := rpmrepo.ReadKey(out)
	if err != nil {
		panic(err)
	}
	return k
}

// newMirror makes a repository of "app", which needs "libapp", as a rebase of qemu-kvm-ev
// has them: an epoch, a %post, a release of its distribution.
func newMirror(t *testing.T) *mirror {
	t.Helper()
	if err := tool.Require(append((*Source)(nil).Tools(), rpmrepo.Tools()...)); err != nil {
		t.Skip(err)
	}
	m := &mirror{Repository: rpmrepo.Repository{Dir: filepath.Join(t.TempDir(), "repo"), Packages: signer(), Metadata: signer()}}
	m.keyring = keyring(t, signer())
	m.add(t, rpmrepo.Package{Name: "app", EVR: "10:2.12.0-18.el7", Requires: []string{"libapp >= 2.0"}, Files: []rpmpack.RPMFile{rpmrepo.File("/usr/bin/app", "of app")}})
	m.add(t, rpmrepo.Package{Name: "libapp", EVR: "2.0-1.el7", Source: "app-2.12.0-18.el7.src.rpm", Files: []rpmpack.RPMFile{rpmrepo.File("/lib64/libapp.so", "of libapp")}})
	m.add(t, rpmrepo.Package{Name: "other", EVR: "3.0-1", Files: []rpmpack.RPMFile{rpmrepo.File("/usr/share/other", "of other")}})
	m.publish(t)
	files := http.FileServer(http.Dir(m.Dir))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if m.spoil == nil || !m.spoil(w, r) {
			files.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	m.url = server.URL + "/"
	return m
}

func keyring(t *testing.T, keys ...*rpmrepo.Key) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys.asc")
	if err := rpmrepo.WritePublic(path, keys...); err != nil {
		t.Fatal(err)
	}
	return path
}

func (m *mirror) add(t *testing.T, p rpmrepo.Package) string {
	t.Helper()
	path, err := m.Add(p)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func (m *mirror) publish(t *testing.T) {
	t.Helper()
	if err := m.Publish(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// repository describes the mirror as a catalogue does.
func (m *mirror) repository(trust matrix.Trust) matrix.Repository {
	r := matrix.Repository{Name: "sig", URL: m.url, Trust: trust}
	if trust != matrix.TrustNone {
		r.Keyring = m.keyring
	}
	return r
}

// sourceOf makes a source of one release with a cold cache.
func sourceOf(t *testing.T, repositories ...matrix.Repository) *Source {
	t.Helper()
	return with(t, source.Release{Name: "el", Repositories: repositories, CheckValidUntil: true})
}

func with(t *testing.T, r source.Release) *Source {
	t.Helper()
	s, err := New(Options{Home: t.TempDir(), Releases: []source.Release{r}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func resolve(t *testing.T, s *Source, names ...string) matrix.PackageSet {
	t.Helper()
	set, err := s.Resolve(t.Context(), source.Request{Release: "el", Names: names})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func version(set matrix.PackageSet, name string) string { return set.Version(name) }

func fetched(t *testing.T, s *Source, names ...string) matrix.PackageSet {
	t.Helper()
	set := resolve(t, s, names...)
	if err := s.Fetch(t.Context(), set, nil); err != nil {
		t.Fatal(err)
	}
	return set
}

func wantKind(t *testing.T, err error, kind source.Kind, words ...string) {
	t.Helper()
	var e *source.Error
	if !errors.As(err, &e) || e.Kind != kind {
		t.Fatalf("got %v, want a source.Error of kind %q", err, kind)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q does not say %q", err, w)
		}
	}
}

// edit changes a file of the repository.
func (m *mirror) edit(t *testing.T, name string, change func([]byte) []byte) {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(m.Dir, name))
	if err != nil || len(found) != 1 {
		t.Fatalf("there is no one %s: %q, %v", name, found, err)
	}
	text, err := os.ReadFile(found[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(found[0], change(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// flip changes the last byte, which is the payload's of a package.
func flip(text []byte) []byte {
	text[len(text)-1] ^= 1
	return text
}
