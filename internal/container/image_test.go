package container

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// fakeDocker has one image, whatever it is asked for.
type fakeDocker struct {
	mu sync.Mutex
	// image is the ID of what it has, empty for nothing; imported counts imports.
	image    string
	imported int
	removed  bool
}

func (d *fakeDocker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	w.Header().Set("Api-Version", "1.47")
	w.Header().Set("Content-Type", "application/json")
	switch {
	case strings.HasSuffix(r.URL.Path, "/images/create"):
		_, _ = io.Copy(io.Discard, r.Body)
		d.imported++
		d.image = fmt.Sprintf("sha256:%064d", d.imported)
		fmt.Fprintf(w, "{\"status\": %q}\n", d.image)
	case r.Method == http.MethodDelete:
		d.image, d.removed = "", true
		fmt.Fprint(w, "[]")
	case strings.Contains(r.URL.Path, "/images/") && d.image == "":
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"message": "no such image"}`)
	case strings.Contains(r.URL.Path, "/images/"):
		fmt.Fprintf(w, "{\"Id\": %q}", d.image)
	default:
		fmt.Fprint(w, "{}")
	}
}

// engineOf is the engine that is the fake.
func engineOf(t *testing.T, d *fakeDocker) *Engine {
	t.Helper()
	server := httptest.NewServer(d)
	t.Cleanup(server.Close)
	t.Setenv("DOCKER_HOST", "tcp://"+server.Listener.Addr().String())
	e, err := Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// tiny is a squashfs with one file.
func tiny(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("mksquashfs"); err != nil || os.Geteuid() != 0 {
		t.Skip("importing takes mksquashfs and root")
	}
	dir, file := t.TempDir(), filepath.Join(t.TempDir(), "root.squashfs")
	if err := os.WriteFile(filepath.Join(dir, "x"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mksquashfs", dir, file, "-quiet", "-no-progress").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return file
}

func TestAnImageThatWasReplacedIsNotUsed(t *testing.T) {
	d := &fakeDocker{}
	e, root, home, sum := engineOf(t, d), tiny(t), t.TempDir(), strings.Repeat("0ce1", 16)
	use := func() (string, error) { return e.userland(t.Context(), root, sum, home) }
	first, err := use()
	if err != nil || first != fmt.Sprintf("%064d", 1) {
		t.Fatalf("imported as %q, %v", first, err)
	}
	if again, err := use(); err != nil || again != first || d.imported != 1 {
		t.Errorf("used as %q after %d imports, %v", again, d.imported, err)
	}
	d.image = "sha256:" + strings.Repeat("bad0", 16)
	_, err = use()
	isOurs(t, err, "somebody has replaced it", d.image, first, "docker rmi "+reference(sum, home))
	d.image = "" // as the cure says
	if next, err := use(); err != nil || next != fmt.Sprintf("%064d", 2) {
		t.Errorf("imported anew as %q, %v", next, err)
	}
}

func TestAnImageThatNobodyNotedIsImportedAgain(t *testing.T) {
	d := &fakeDocker{image: "sha256:" + strings.Repeat("0", 64)}
	id, err := engineOf(t, d).userland(t.Context(), tiny(t), strings.Repeat("0ce1", 16), t.TempDir())
	if err != nil || !d.removed || id != fmt.Sprintf("%064d", 1) {
		t.Errorf("used as %q, removed %v, %v", id, d.removed, err)
	}
}

func TestCachesHaveImagesOfTheirOwn(t *testing.T) {
	sum := strings.Repeat("0ce1", 16)
	if a, b := reference(sum, "/var/cache/a"), reference(sum, "/var/cache/b"); a == b || !strings.HasPrefix(a, Repository+":0ce10ce10ce10ce1-") {
		t.Errorf("%s and %s", a, b)
	}
}
