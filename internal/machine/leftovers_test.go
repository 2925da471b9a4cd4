package machine

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestMountsBelowAFolderComeInnermostFirst(t *testing.T) {
	const info = `36 35 98:0 / /run rw shared:1 - tmpfs tmpfs rw
37 36 98:1 / /run/virtmatrix rw shared:1 - tmpfs tmpfs rw
38 37 7:0 / /run/virtmatrix/h1 ro - squashfs /dev/loop0 ro
39 38 7:1 / /run/virtmatrix/h1/a\040b ro - squashfs /dev/loop1 ro
40 36 7:2 / /run/virtmatrix2 ro - squashfs /dev/loop2 ro
`
	want := []string{"/run/virtmatrix/h1/a b", "/run/virtmatrix/h1"}
	for _, dir := range []string{"/run/virtmatrix", "/run/virtmatrix/"} {
		if got := mountsBelow(info, dir); !slices.Equal(got, want) {
			t.Errorf("below %s: got %q, want %q", dir, got, want)
		}
	}
}

func TestLoopsAreThoseOfOurFilesThatStay(t *testing.T) {
	sys := t.TempDir()
	device := func(name, file, autoclear string) {
		dir := filepath.Join(sys, name, "loop")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for n, text := range map[string]string{"backing_file": file, "autoclear": autoclear} {
			if err := os.WriteFile(filepath.Join(dir, n), []byte(text+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	device("loop0", "/var/cache/virtmatrix/images/a/usr.squashfs", "1")
	device("loop1", "/var/cache/virtmatrix/images/b/usr.squashfs (deleted)", "0")
	device("loop2", "/home/me/disk.img", "0")
	if err := os.MkdirAll(filepath.Join(sys, "loop3"), 0o755); err != nil { // without a file
		t.Fatal(err)
	}
	got, err := loopsIn(sys, []string{"/var/cache/virtmatrix", "/run/virtmatrix"})
	if err != nil {
		t.Fatal(err)
	}
	want := []Loop{{"/dev/loop1", "/var/cache/virtmatrix/images/b/usr.squashfs (deleted)"}}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
