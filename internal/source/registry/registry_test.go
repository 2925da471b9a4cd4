package registry

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/matrix"
)

func TestEachKindOfTheMatrixHasASource(t *testing.T) {
	if d := cmp.Diff(matrix.SourceKinds(), slices.Sorted(maps.Keys(kinds))); d != "" {
		t.Error(d)
	}
}

func TestASourceIsToldOfParents(t *testing.T) {
	cat := &matrix.Catalog{Releases: []matrix.Release{
		{Name: "base", Repositories: []matrix.Repository{{Name: "os"}}, Variables: map[string]string{"releasever": "8", "stage": "release"}, Modules: []string{"virt:rhel"}},
		{Name: "testing", Repositories: []matrix.Repository{{Name: "sig"}}, Parents: []string{"base"}, Variables: map[string]string{"stage": "testing"}},
	}}
	got, err := describe(cat, &cat.Releases[1])
	want := source.Release{
		Name: "testing", Repositories: []matrix.Repository{{Name: "sig"}}, Parents: []matrix.Repository{{Name: "os"}},
		Variables: map[string]string{"releasever": "8", "stage": "testing"}, Modules: []string{"virt:rhel"},
	}
	if d := cmp.Diff(want, got); err != nil || d != "" {
		t.Error(err, d)
	}
}

func TestToolsAreThoseOfTheKindsThatACatalogueHas(t *testing.T) {
	debian := &matrix.Catalog{Releases: []matrix.Release{{Source: "apt"}}}
	if own, all := len(Tools(debian)), len(Tools(nil)); own == 0 || own >= all {
		t.Errorf("a catalogue of one kind needs %d tools, all kinds %d", own, all)
	}
}
