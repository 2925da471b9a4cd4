package matrix

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// rebuilt is a catalogue in which bookworm's qemu and libvirt were built again.
func rebuilt(t *testing.T) *Catalog {
	t.Helper()
	return load(t,
		"components.yaml: qemu: {versions: { => qemu: {versions: {7.2-fix: {series: 7.2, releases: [bookworm]}, ",
		"profiles.yaml:     checks:\n => \n    cover: [{kind: kvm, strength: 1, axes: {linux: all, qemu: all, libvirt: all}}]\n    checks:\n",
	)
}

func TestAVersionsNameIsItsOwnAndItsSeriesAProperty(t *testing.T) {
	c := rebuilt(t)
	a, err := c.Axis("qemu")
	if err != nil {
		t.Fatal(err)
	}
	// After its series' own, and before the next series.
	if d := cmp.Diff([]string{"7.2", "7.2-fix", "10.0"}, a.names()); d != "" {
		t.Error(d)
	}
	cell, err := c.cell(KVM, Nested, map[string]string{"linux": "6.1", "qemu": "7.2-fix", "libvirt": "9.0"})
	if err != nil {
		t.Fatal(err)
	}
	if want := "kvm_linux-6.1_qemu-7.2-fix_libvirt-9.0"; cell.ID != want {
		t.Errorf("the cell is %s, want %s", cell.ID, want)
	}
	for _, s := range cell.Stack {
		if want := map[Component]string{Linux: "6.1", QEMU: "7.2", Libvirt: "9.0"}[s.Component]; s.Upstream() != want {
			t.Errorf("%s %s is of %s upstream, want %s", s.Component, s.Version, s.Upstream(), want)
		}
	}
	if machine, _ := cell.Value("machine"); machine != "q35-7.2" || !cell.byDefault("machine") {
		t.Errorf("the default machine is %s", machine)
	}
	for since, applies := range map[string]bool{"7.2": true, "7.3": false} {
		check := Check{Requires: []Requirement{Since(QEMU, since)}}
		if why := check.inapplicable(&cell); (why == "") != applies {
			t.Errorf("a check since %s: %q", since, why)
		}
	}
}

func TestVersionsAreComparedBySeriesAndNamedByName(t *testing.T) {
	a, err := rebuilt(t).Axis("qemu")
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string][]string{
		"< 10": {"7.2", "7.2-fix"}, "= 7.2": {"7.2", "7.2-fix"}, "> 7.2": {"10.0"}, "<= oldest": {"7.2", "7.2-fix"}, "!= 7.2": {"10.0"},
	} {
		if got, err := a.compared(text); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s is %q, %v; want %q", text, got, err, want)
		}
	}
	if v, err := a.Value("7.2"); err != nil || v.Name != "7.2" {
		t.Errorf("7.2 is %+v, %v", v, err)
	}
}

func TestARebuildIsAChange(t *testing.T) {
	c := rebuilt(t)
	p, err := New(c, Request{Profile: "smoke", Change: &Change{"qemu", "7.2", "7.2-fix"}})
	if err != nil {
		t.Fatal(err)
	}
	mustPair(t, p)
	if len(candidates(p)) == 0 {
		t.Error("the plan has no candidate")
	}
	_, err = New(c, Request{Profile: "smoke", Change: &Change{"qemu", "7.2", "7.2"}})
	want := "name two values: another build of that version has a name of its own in components.yaml, such as 7.2-rebuild: {series: 7.2, releases: [...]}"
	if err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("got %v\nwant %s", err, want)
	}
}

func TestASeriesThatIsNoVersionIsRefused(t *testing.T) {
	refuses(t, []mistake{{
		"series", "components.yaml", "{7.2: [bookworm]", "{7.2-fix: {series: seven, releases: [bookworm]}",
		`components.yaml:3:39: "seven" is not a version`,
	}})
}

func TestTheBundledTwinOfANativeCell(t *testing.T) {
	const native = "kind: kvm, linux: 6.1, qemu: 7.2, libvirt: 9.0"
	c := load(t, "profiles.yaml:   - {"+native+"} =>   - {"+native+"}\n      - {"+native+", composition: bundled}",
		"profiles.yaml:     checks:\n =>     cover: [{kind: kvm, strength: 1, axes: {linux: 6.1, qemu: 7.2, libvirt: 9.0}}]\n    checks:\n")
	p, err := New(c, Request{Profile: "smoke"})
	if err != nil {
		t.Fatal(err)
	}
	const id = "kvm_linux-6.1_qemu-7.2_libvirt-9.0"
	cell, twin := p.Cell(id), p.Cell(id+"_composition-bundled")
	if cell == nil || twin == nil {
		t.Fatalf("the plan has %v", namesOf(p.Cells, cellID))
	}
	if cell.Twin() || !twin.Twin() || composition(*twin) != strings.Replace(composition(*cell), "native", "bundled", 1) {
		t.Errorf("a twin of %s is %s", composition(*cell), composition(*twin))
	}
}

func TestACompositionThatIsChosenAnywayIsNoPartOfTheName(t *testing.T) {
	c := catalog(t)
	for as, qemu := range map[Composition]string{Native: "7.2", Bundled: "10.0"} {
		values := map[string]string{"linux": "6.1", "qemu": qemu, "libvirt": "9.0", CompositionAxis: string(as)}
		cell, err := c.cell(KVM, Nested, values)
		if err != nil || cell.Composition != as || strings.Contains(cell.ID, CompositionAxis) || cell.Twin() {
			t.Errorf("%s: %+v, %v", as, cell, err)
		}
	}
}

func TestCompositionsThatCannotBe(t *testing.T) {
	const kvm, xen = "kind: kvm, linux: 6.1, qemu: 7.2, libvirt: 9.0", "kind: xen, linux: 6.1, xen: 4.17, libvirt: 9.0"
	refuses(t, []mistake{
		{"native of two releases", "profiles.yaml", kvm, "kind: kvm, linux: 6.1, qemu: 10.0, libvirt: 9.0, composition: native",
			"profiles.yaml:5:10: no release has all of its components, so it cannot be native"},
		{"xen", "profiles.yaml", xen, xen + ", composition: bundled",
			"profiles.yaml:6:10: a xen cell has nothing that could be bundled: only qemu is taken out of its release"},
		{"unknown", "profiles.yaml", kvm, kvm + ", composition: bundeld",
			`profiles.yaml:5:71: unknown composition "bundeld"; did you mean "bundled"?`},
		{"forbidden", "profiles.yaml", kvm, kvm + ", composition: bundled, disk: sata",
			`profiles.yaml:5:10: no cell may have kind kvm and disk sata and composition bundled: no reason (constraints.yaml:4)`},
	})
}
