package reports

import (
	"strings"
	"testing"

	"github.com/virtmatrix/virtmatrix/matrix"
)

// moved is a judged change whose two candidates differ alike from their baselines.
func repackaged() *Matrix {
	set := func(version, sum string) matrix.PackageSet {
		return matrix.PackageSet{Source: "apt", Packages: []matrix.Package{{Name: "libvirt0", Version: version, SHA256: sum}, {Name: "libc6", Version: "2", SHA256: "c"}}}
	}
	image := func(key string) []matrix.ImageRef { return []matrix.ImageRef{{Role: "userland-kvm", Packages: key}} }
	return &Matrix{
		PackageSets: map[string]matrix.PackageSet{"was": set("9.0.0-4", "a"), "now": set("11.3.0-3", "b")},
		Cells: []Cell{
			{ID: "one-new", Baseline: "one", Images: image("now")}, {ID: "one", Images: image("was")},
			{ID: "two-new", Baseline: "two", Images: image("now")}, {ID: "two", Images: image("was")},
			{ID: "same", Baseline: "one", Images: image("was")},
		},
	}
}

func TestWhatMovesIsToldOnceForAllCells(t *testing.T) {
	moves := repackaged().PackageDiffs()
	if len(moves) != 1 || len(moves[0].New) != 2 || moves[0].Title() != "1 different package of 2 cells against the baseline" {
		t.Fatalf("the moves are %+v", moves)
	}
	mv := moves[0]
	mv.Entries = map[string][]string{"libvirt0": {"libvirt (11.3.0-3) unstable\n\n  * \x1b[31mred", "libvirt (10.0-1) unstable"}}
	text := mv.Text()
	for _, want := range []string{"one -> one-new\ntwo -> two-new\n", "  libvirt0 9.0.0-4 -> 11.3.0-3 (up)\n", "libvirt0:\n    libvirt (11.3.0-3) unstable", "    libvirt (10.0-1) unstable"} {
		if !strings.Contains(text, want) {
			t.Errorf("the text lacks %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "\x1b") {
		t.Errorf("what a changelog says moves the cursor: %q", text)
	}
}

func TestPackagesOfOneSourceTellTheirChangesOnce(t *testing.T) {
	mv := PackageDiff{Differences: []matrix.Difference{{Name: "a", Way: matrix.Up}, {Name: "b", Way: matrix.Up}}, Entries: map[string][]string{"a": {"x (2)"}, "b": {"x (2)"}}}
	if text := mv.Text(); strings.Count(text, "x (2)") != 1 || !strings.Contains(text, "b: as a") {
		t.Errorf("the text is\n%s", text)
	}
}

func TestTwoRunsAreComparedCellByCell(t *testing.T) {
	earlier, later := repackaged(), repackaged()
	later.Cells = []Cell{{ID: "one", Images: []matrix.ImageRef{{Role: "userland-kvm", Packages: "now"}}}, {ID: "other"}}
	moves := later.Since(earlier, "tuesday", "monday")
	if len(moves) != 1 || moves[0].Old[0] != "monday one" || moves[0].New[0] != "tuesday one" || len(moves[0].Differences) != 1 {
		t.Errorf("the moves are %+v", moves)
	}
}
