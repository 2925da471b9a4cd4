package apt

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/virtmatrix/virtmatrix/internal/source"
)

func TestTheMirrorIsTheDebianArchiveOfTheMachinesSources(t *testing.T) {
	releases := []source.Release{{Name: "bookworm", Repositories: suites("bookworm", "bookworm-updates")}}
	for name, tc := range map[string]struct{ targets, want string }{
		"security is another archive": {
			"http://m/debian-security/\tbookworm-security\tDebian\tDebian-Security\nhttp://m/debian/\tbookworm\tDebian\tDebian\n", "http://m/debian"},
		"backports have another label": {
			"http://m/debian/\tbookworm-backports\tDebian Backports\tDebian Backports\nhttp://n/debian/\tbookworm\tDebian\tDebian\n", "http://n/debian"},
		"an index that was never fetched has a suite only": {
			"https://other/\tnodistro\t\t\nhttp://m/debian-security/\tbookworm-security\t\t\nhttp://m/debian/\tbookworm\t\t\n", "http://m/debian"},
		"a known origin beats a name": {
			"http://copy/\tbookworm\t\t\nhttp://m/debian/\tbookworm\tDebian\tDebian\n", "http://m/debian"},
		"another distribution": {"http://m/ubuntu/\tjammy\tUbuntu\tUbuntu\n", ""},
		"nothing":              {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := pickMirror(tc.targets, releases); got != tc.want {
				t.Errorf("picked %q, want %q", got, tc.want)
			}
		})
	}
}

func TestWhatAptReadsOfTheMachinesListsIsKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "kept")
	unfinished := filepath.Join(dir, keptFile+".x1Y2z3")
	write(t, unfinished, "of a killed apt")
	// Not every machine has a Debian archive in its sources: only what is kept counts.
	first, errFirst := machineMirror(t.Context(), nil, dir)
	if _, err := os.Stat(filepath.Join(dir, keptFile)); err != nil {
		t.Errorf("nothing is kept: %v", err)
	}
	if _, err := os.Stat(unfinished); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what a killed apt left is there: %v", err)
	}
	again, errAgain := machineMirror(t.Context(), nil, dir)
	if first != again || (errFirst == nil) != (errAgain == nil) {
		t.Errorf("first %q, %v; then %q, %v", first, errFirst, again, errAgain)
	}
}
