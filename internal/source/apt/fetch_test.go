package apt

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/internal/store/disk"
)

func TestFetchGetsEachFileOnceAndVerifiesIt(t *testing.T) {
	a := newArchive(t)
	s := a.source(t, nil)
	set := resolve(t, s)
	var seen []string
	note := func(done, total int64) { seen = append(seen, fmt.Sprint(done == total)) }
	if err := s.Fetch(t.Context(), set, note); err != nil {
		t.Fatal(err)
	}
	if want := []string{"false", "true"}; !slices.Equal(seen, want) {
		t.Errorf("progress was %q, want %q", seen, want)
	}
	for _, p := range set.Packages {
		if info, err := os.Lstat(s.files.Path(p)); err != nil || !info.Mode().IsRegular() {
			t.Errorf("%s is not a file in the cache: %v", p.Name, err)
		}
	}
	// With the mirror gone all is still there.
	if err := os.RemoveAll(a.dir); err != nil {
		t.Fatal(err)
	}
	if err := s.Fetch(t.Context(), set, nil); err != nil {
		t.Error(err)
	}
	if left, err := filepath.Glob(filepath.Join(s.opts.Home, "packages", "partial*")); err != nil || len(left) > 0 {
		t.Errorf("%q was left behind, %v", left, err)
	}
}

func TestWhoFetchesAtOnceFetchesEachFileOnce(t *testing.T) {
	a := newArchive(t)
	var mu sync.Mutex
	got := map[string]int{}
	files := http.FileServer(http.Dir(a.dir))
	mirror := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		got[r.URL.Path]++
		mu.Unlock()
		files.ServeHTTP(w, r)
	}))
	defer mirror.Close()
	home := t.TempDir()
	shared := func(o *Options) { o.Mirror, o.Home = mirror.URL, home }
	set := resolve(t, a.source(t, shared))
	done := make(chan error)
	const processes = 3 // locks part sources of one process as those of several
	for range processes {
		s := a.source(t, shared)
		go func() { done <- s.Fetch(t.Context(), set, nil) }()
	}
	for range processes {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{"app", "libapp"} {
		if n := got["/pool/stable/"+name+".deb"]; n != 1 {
			t.Errorf("%s was fetched %d times", name, n)
		}
	}
}

func TestWhoLacksNothingDoesNotWaitForThoseThatFetch(t *testing.T) {
	s := newArchive(t).source(t, nil)
	set := resolve(t, s)
	if err := s.Fetch(t.Context(), set, nil); err != nil {
		t.Fatal(err)
	}
	release, ok, err := disk.TryLock(filepath.Join(s.opts.Home, "packages", "lock"))
	if err != nil || !ok {
		t.Fatal("cannot play a process that fetches:", err)
	}
	defer release()
	if err := s.Fetch(t.Context(), set, nil); err != nil {
		t.Error(err)
	}
}

func TestAPackageThatIsNotWhatTheIndexSaysIsRefused(t *testing.T) {
	a := newArchive(t)
	s := a.source(t, nil)
	set := resolve(t, s)
	deb := filepath.Join(a.dir, "pool/stable/app.deb")
	text := read(t, deb)
	text[len(text)-1] ^= 1
	write(t, deb, string(text))
	wantKind(t, s.Fetch(t.Context(), set, nil), source.BadDigest)
	if _, err := os.Stat(s.files.Path(set.Packages[0])); err == nil {
		t.Error("the bad file is in the cache")
	}
}

func TestAPackageThatTheMirrorNoLongerHas(t *testing.T) {
	a := newArchive(t)
	s := a.source(t, nil)
	set := resolve(t, s)
	if err := os.Remove(filepath.Join(a.dir, "pool/stable/app.deb")); err != nil {
		t.Fatal(err)
	}
	wantKind(t, s.Fetch(t.Context(), set, nil), source.NotServed, "plan again")
}

func TestAPackageThatWasChangedInTheCacheIsRefused(t *testing.T) {
	s := newArchive(t).source(t, nil)
	set := resolve(t, s)
	if err := s.Fetch(t.Context(), set, nil); err != nil {
		t.Fatal(err)
	}
	path := s.files.Path(set.Packages[0])
	write(t, path, "something else")
	wantKind(t, s.Fetch(t.Context(), set, nil), source.BadDigest, path, "remove the file")
	wantKind(t, s.Unpack(t.Context(), set, filepath.Join(t.TempDir(), "tree")), source.BadDigest, path)
}

func TestAPlanFromElsewhereIsFetchedByTheIndex(t *testing.T) {
	a := newArchive(t)
	set := resolve(t, a.source(t, nil))
	if err := a.source(t, nil).Fetch(t.Context(), set, nil); err != nil {
		t.Error(err)
	}
	set.Packages[0].SHA256 = strings.Repeat("0", 64)
	wantKind(t, a.source(t, nil).Fetch(t.Context(), set, nil), source.NotServed, "plan again")
}
