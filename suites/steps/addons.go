package steps

import (
	"slices"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// Install has the host's package manager install the add-ons of the check, with the
// packages' own scripts, above a stack that stays as it is. It notes their versions. A
// machine has them from the start.
func (t *T) Install() {
	if len(t.AddOns) == 0 {
		t.must(fault.Infraf("install add-ons", "the check's hosts have none"), "")
	}
	if t.Cell.Tier == matrix.Nested {
		t.Note("in the host's root: %s", strings.Join(t.AddOns, ", "))
		return
	}
	had := t.packages()
	if versions := t.addOnsIn(had); len(versions) == len(t.AddOns) {
		t.Note("above the stack since a check before: %s", strings.Join(versions, ", "))
		t.spoilPackages()
		return
	}
	t.bringManager()
	took := t.movePackages(source.SupplyAddOns)
	has := t.packages()
	for _, p := range had {
		if !slices.Contains(has, p) {
			t.Fail(matrix.LayerDelivery, "%s took the host's own %s away, or replaced it", strings.Join(t.AddOns, ", "), p)
		}
	}
	versions := t.addOnsIn(has)
	if len(versions) != len(t.AddOns) {
		t.must(fault.Infraf("install add-ons", "of %q the host has %q afterwards", t.AddOns, versions), "")
	}
	t.Note("above the stack, installed in %s: %s", took, strings.Join(versions, ", "))
	t.spoilPackages()
}

// addOnsIn are those of a list of packages that the check asked for.
func (t *T) addOnsIn(packages []string) (versions []string) {
	for _, p := range packages {
		if name, _, _ := strings.Cut(p, " "); slices.Contains(t.AddOns, name) {
			versions = append(versions, p)
		}
	}
	return versions
}

// packages lists what is installed in the root, "NAME VERSION" each.
func (t *T) packages() []string {
	return strings.Split(t.Sh(supplied(source.SupplyList)), "\n")
}
