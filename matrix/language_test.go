package matrix

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// load loads the small catalog with changes, each "FILE: OLD => NEW".
func load(t *testing.T, changes ...string) *Catalog {
	t.Helper()
	c, err := Load(change(t, changes...))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func change(t *testing.T, changes ...string) fstest.MapFS {
	t.Helper()
	fsys := files("", "", "")
	for _, c := range changes {
		file, edit, _ := strings.Cut(c, ": ")
		old, text, ok := strings.Cut(edit, " => ")
		if !ok || !strings.Contains(small[file], old) {
			t.Fatalf("%q changes nothing", c)
		}
		fsys[file].Data = []byte(strings.Replace(string(fsys[file].Data), old, text, 1))
	}
	return fsys
}

func TestComponentsSayWhichPackagesTheyHave(t *testing.T) {
	c := load(t, "components.yaml: qemu: {versions: {7.2: [bookworm]"+
		" => qemu: {packages: {kvm: [qemu-system-x86, qemu-*]}, versions: {7.2: {releases: [bookworm, trixie], weight: 2}")
	got, err := c.Axis("qemu")
	if err != nil {
		t.Fatal(err)
	}
	want := &Axis{
		Name: "qemu", Component: QEMU, Kinds: []Kind{KVM},
		Packages: map[Kind][]string{KVM: {"qemu-system-x86", "qemu-*"}},
		Values: []Value{
			{Name: "7.2", Releases: []string{"bookworm", "trixie"}, Weight: 2},
			{Name: "10.0", Releases: []string{"trixie"}, Weight: 1},
		},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestSettingsAreAxesAfterTheComponents(t *testing.T) {
	c := load(t, "axes.yaml: [virtio, sata] => [virtio, {name: sata, weight: 3}]")
	want := &Axis{
		Name: "disk", Title: "The bus of disks", Kinds: []Kind{KVM, Xen}, Default: "virtio",
		Values: []Value{{Name: "virtio", Weight: 1}, {Name: "sata", Weight: 3}},
	}
	got, err := c.Axis("disk")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	axes := map[Kind]string{KVM: "linux qemu libvirt machine disk", Xen: "linux xen libvirt disk"}
	for kind, want := range axes {
		var names []string
		for _, a := range c.KindAxes(kind) {
			names = append(names, a.Name)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("axes of %s: %s, want %s", kind, got, want)
		}
	}
}

func TestDefaultsFollowTheVersion(t *testing.T) {
	c := load(t)
	for _, cell := range []struct {
		qemu  string
		given map[string]string
		want  []Setting
	}{
		{"7.2", nil, []Setting{{"machine", "q35-7.2", true}, {"disk", "virtio", true}}},
		{"10.0", nil, []Setting{{"machine", "q35-10.0", true}, {"disk", "virtio", true}}},
		{"10.0", map[string]string{"machine": "q35-7.2"}, []Setting{{"machine", "q35-7.2", false}, {"disk", "virtio", true}}},
		{"7.2", map[string]string{"machine": "q35-7.2", "disk": "sata"}, []Setting{{"machine", "q35-7.2", true}, {"disk", "sata", false}}},
	} {
		got, err := c.settings(KVM, map[Component]string{QEMU: cell.qemu}, cell.given)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(cell.want, got); d != "" {
			t.Errorf("qemu %s, %v: %s", cell.qemu, cell.given, d)
		}
	}
}

func TestSettingsThatACellCannotHaveAreRefused(t *testing.T) {
	c := load(t)
	for _, wrong := range []struct {
		kind        Kind
		name, value string
		want        string
	}{
		{KVM, "disk", "stata", `unknown value of disk "stata"; did you mean "sata"?`},
		{KVM, "dusk", "sata", `unknown setting of kvm cells "dusk"; did you mean "disk"?`},
		{Xen, "machine", "q35-7.2", `unknown setting of xen cells "machine"; there are disk`},
	} {
		_, err := c.settings(wrong.kind, map[Component]string{QEMU: "7.2"}, map[string]string{wrong.name: wrong.value})
		if err == nil || err.Error() != wrong.want {
			t.Errorf("got %v\nwant %s", err, wrong.want)
		}
	}
}

func TestCellsAreNamedBySettingsThatAreNotTheDefault(t *testing.T) {
	for settings, want := range map[string]string{
		"":                                 "kvm_linux-6.12_qemu-10.0_libvirt-11.3",
		", machine: q35-10.0":              "kvm_linux-6.12_qemu-10.0_libvirt-11.3",
		", disk: sata":                     "kvm_linux-6.12_qemu-10.0_libvirt-11.3_disk-sata",
		", disk: sata, machine: q35-7.2":   "kvm_linux-6.12_qemu-10.0_libvirt-11.3_machine-q35-7.2_disk-sata",
		", disk: virtio, machine: q35-7.2": "kvm_linux-6.12_qemu-10.0_libvirt-11.3_machine-q35-7.2",
	} {
		c := load(t, "profiles.yaml: {kind: kvm, linux: 6.1, qemu: 7.2, libvirt: 9.0} => {kind: kvm, linux: 6.12, qemu: 10.0, libvirt: 11.3"+settings+"}")
		if got := c.Profiles[0].Cells[0].ID; got != want {
			t.Errorf("%q: got %s, want %s", settings, got, want)
		}
	}
}

func TestNewestAndOldestAreVersions(t *testing.T) {
	c := load(t,
		"profiles.yaml: {kind: kvm, linux: 6.1, qemu: 7.2, libvirt: 9.0} => {kind: kvm, linux: newest, qemu: newest, libvirt: oldest}",
		`constraints.yaml: "< 10" => "< newest"`)
	if got, want := c.Profiles[0].Cells[0].ID, "kvm_linux-6.12_qemu-10.0_libvirt-9.0"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := c.Constraints[0].Never[1]; !cmp.Equal(got.Values, []string{"7.2"}) || got.Text != "< newest" {
		t.Errorf("got %+v, want the versions before 10.0", got)
	}
	for name, want := range map[string]string{Newest: "4.20", Oldest: "4.17"} {
		v, err := c.Version(XenHyp, name)
		if err != nil || v.Name != want {
			t.Errorf("%s is %v, %v; want %s", name, v, err, want)
		}
	}
}

func TestSelectorsTakeNewestAndOldest(t *testing.T) {
	got, err := New(load(t), Request{Profile: "smoke", Cells: []string{"linux-oldest_xen-oldest"}})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Cells) != 1 || got.Cells[0].ID != "xen_linux-6.1_xen-4.17_libvirt-9.0" {
		t.Errorf("got %v, want the Xen cell", got.Cells)
	}
}

func TestFirmwareIsNeitherNewestNorOldest(t *testing.T) {
	disk, err := load(t).Axis("disk")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := disk.Value(Newest); err == nil {
		t.Error("a setting has a newest value")
	}
}

func TestProfilesAskForCoverage(t *testing.T) {
	c := load(t, `profiles.yaml:     checks: =>     cover:
      - {kind: kvm, strength: 3, axes: all, every: [qemu, libvirt]}
      - kind: xen
        strength: 1
        axes: {libvirt: [newest, oldest], xen: ">= 4.18", linux: oldest}
        exclude: [{never: {linux: 6.1, libvirt: 11.3}, why: not now}]
    checks:`)
	want := []Cover{
		{Kind: KVM, Tier: Nested, Strength: 3, Every: []string{"qemu", "libvirt"}, Axes: []Varied{
			{"linux", []string{"6.1", "6.12"}}, {"qemu", []string{"7.2", "10.0"}}, {"libvirt", []string{"9.0", "11.3"}},
			{"machine", []string{"q35-7.2", "q35-10.0"}}, {"disk", []string{"virtio", "sata"}},
		}},
		{Kind: Xen, Tier: Nested, Strength: 1, Axes: []Varied{
			{"linux", []string{"6.1"}}, {"xen", []string{"4.20"}}, {"libvirt", []string{"9.0", "11.3"}},
		}, Exclude: []Constraint{{
			Kind: Xen, Why: "not now", Source: "profiles.yaml:12",
			Never: []Condition{{"linux", []string{"6.1"}, "6.1"}, {"libvirt", []string{"11.3"}, "11.3"}},
		}}},
	}
	if d := cmp.Diff(want, c.Profiles[0].Covers); d != "" {
		t.Error(d)
	}
}

const everyPair = "{kind: kvm, strength: 2, axes: all}"

// covered is the mistake of a profile with this cover besides its cells.
func covered(about, cover, want string) mistake {
	return mistake{about, "profiles.yaml", "    checks:", "    cover:\n      - " + cover + "\n    checks:", "profiles.yaml:" + want}
}

func TestMistakesInProfilesNameTheirPlace(t *testing.T) {
	refuses(t, []mistake{
		covered("unknown key of a cover", "{kind: kvm, strenght: 2, axes: all}", `8:21: unknown key "strenght"; did you mean "strength"?`),
		covered("unknown kind", "{kind: kwm, strength: 2, axes: all}", `8:16: unknown kind "kwm"; did you mean "kvm"?`),
		covered("no kind", "{strength: 2, axes: all}", `8:10: the key "kind" is missing`),
		covered("two covers of a kind", everyPair+"\n      - "+everyPair,
			`9:10: duplicate cover of profile smoke "kvm", first in profiles.yaml:8`),
		covered("strength 0", "{kind: kvm, strength: 0, axes: all}", `8:31: 0 is not from 1 to 6`),
		covered("strength 7", "{kind: kvm, strength: 7, axes: all}", `8:31: 7 is not from 1 to 6`),
		covered("huge strength", "{kind: kvm, strength: 999999999, axes: all}", `8:31: 999999999 is not from 1 to 6`),
		covered("strength above the axes", "{kind: kvm, strength: 6, axes: all}", `8:31: strength 6 is more than the 5 axes that vary`),
		covered("strength is no number", "{kind: kvm, strength: two, axes: all}", `8:31: want a whole number here, found string`),
		covered("strength is no whole number", "{kind: kvm, strength: 1.5, axes: all}", `8:31: want a whole number here, found float`),
		covered("axes are neither all nor named", "{kind: kvm, strength: 2, axes: some}",
			`8:40: want "all", or a mapping of axes to their values, here, found string`),
		covered("unknown axis", "{kind: kvm, strength: 2, axes: {linus: all}}",
			`8:41: unknown axis of kvm cells "linus"; did you mean "linux"?`),
		covered("axis of another kind", "{kind: xen, strength: 2, axes: {qemu: all}}",
			`8:41: unknown axis of xen cells "qemu"; there are linux, xen, libvirt, disk`),
		covered("unknown value", "{kind: kvm, strength: 2, axes: {linux: [6.1, 6.13]}}",
			`8:54: unknown version of linux "6.13"; did you mean "6.1"?`),
		covered("duplicate value", "{kind: kvm, strength: 2, axes: {linux: [6.12, newest]}}",
			`8:55: duplicate value "6.12"`),
		covered("no value", `{kind: kvm, strength: 2, axes: {linux: "> 7"}}`,
			`8:48: no value of linux is > 7; there are 6.1, 6.12`),
		covered("component left out", "{kind: kvm, strength: 2, axes: {linux: all, qemu: all}}",
			`8:41: libvirt is missing: a component has no default, so say which versions vary`),
		covered("every unknown axis", "{kind: kvm, strength: 2, axes: all, every: [linux, dusk]}",
			`8:60: unknown axis that varies "dusk"; did you mean "disk"?`),
		covered("every axis that does not vary", "{kind: xen, strength: 1, axes: {linux: all, xen: all, libvirt: all}, every: [disk]}",
			`8:86: unknown axis that varies "disk"; there are linux, xen, libvirt`),
		covered("every axis twice", "{kind: kvm, strength: 2, axes: all, every: [linux, linux]}",
			`8:60: duplicate axis that varies "linux"`),
		covered("checks that there are not", "{kind: kvm, strength: 2, axes: all, checks: [O-CONNN]}",
			`8:54: nothing matches "O-CONNN"; did you mean "O-CONN"?`),
		covered("exclusion without a reason", "{kind: kvm, strength: 2, axes: all, exclude: [{never: {disk: sata}}]}",
			`8:56: the key "why" is missing`),
		covered("exclusion of another kind", "{kind: xen, strength: 2, axes: all, exclude: [{never: {machine: q35-7.2}, why: so}]}",
			`8:64: a xen cell has no machine`),
		covered("exclusion of a cell that must be there", "{kind: kvm, strength: 2, axes: all, exclude: [{never: {qemu: 7.2, disk: virtio}, why: dull}]}",
			`5:10: no cell may have kind kvm and qemu 7.2 and disk virtio: dull (profiles.yaml:8)`),

		{"neither cells nor cover", "profiles.yaml", `    cells:
      - {kind: kvm, linux: 6.1, qemu: 7.2, libvirt: 9.0}
      - {kind: xen, linux: 6.1, xen: 4.17, libvirt: 9.0}
`, "", `profiles.yaml:2:5: profile smoke has neither cells nor cover`},
		{"unknown setting of a cell", "profiles.yaml", "libvirt: 9.0}", "libvirt: 9.0, disc: sata}",
			`profiles.yaml:5:58: unknown key "disc"; did you mean "disk"?`},
		{"unknown value of a setting", "profiles.yaml", "libvirt: 9.0}", "libvirt: 9.0, disk: sat}",
			`profiles.yaml:5:64: unknown value of disk "sat"; did you mean "sata"?`},
		{"forbidden cell", "profiles.yaml", "libvirt: 9.0}", "libvirt: 9.0, machine: q35-10.0}",
			`profiles.yaml:5:10: no cell may have machine q35-10.0 and qemu < 10: too new (constraints.yaml:2)`},
		{"forbidden composition", "profiles.yaml", "qemu: 7.2, libvirt: 9.0}", "qemu: 10.0, libvirt: 9.0, disk: sata}",
			`profiles.yaml:5:10: no cell may have kind kvm and disk sata and composition bundled: no reason (constraints.yaml:4)`},
	})
}

func TestACoverNeedsAllComponentsOfItsKind(t *testing.T) {
	fsys := change(t, "components.yaml:   xen: => #xen:")
	fsys["profiles.yaml"].Data = []byte("profiles: [{name: all, description: D, cover: [{kind: xen, strength: 1, axes: all}]}]")
	_, err := Load(fsys)
	want := `cannot load matrix: profiles.yaml:1:79: unknown component "xen"; there are linux, qemu, libvirt`
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestMistakesInAxesNameTheirPlace(t *testing.T) {
	const axes = "axes.yaml"
	refuses(t, []mistake{
		{"unknown key", axes, "title: The bus", "titel: The bus", `axes.yaml:8:5: unknown key "titel"; did you mean "title"?`},
		{"missing default", axes, "\n    default: virtio", "", `axes.yaml:7:5: the key "default" is missing`},
		{"duplicate axis", axes, "name: disk", "name: machine", `axes.yaml:7:11: duplicate axis "machine", first in axes.yaml:2`},
		{"component", axes, "name: disk", "name: qemu", `axes.yaml:7:11: axis "qemu" is a component; its values are in components.yaml`},
		{"reserved name", axes, "name: disk", "name: composition", `axes.yaml:7:11: "composition" has a meaning of its own here and cannot be an axis`},
		{"name with a dash", axes, "name: disk", "name: disk-bus",
			`axes.yaml:7:11: "disk-bus" cannot be an axis: it is part of the names of cells and made of a small letter, then small letters and digits`},
		{"unknown kind", axes, "kinds: [kvm]", "kinds: [kmv]", `axes.yaml:4:13: unknown kind "kmv"; there are kvm, xen`},
		{"no values", axes, "[virtio, sata]", "[]", `axes.yaml:9:13: the list is empty`},
		{"duplicate value", axes, "[virtio, sata]", "[virtio, sata, virtio]", `axes.yaml:9:28: duplicate value "virtio" of disk`},
		{"reserved value", axes, "[virtio, sata]", "[virtio, newest]", `axes.yaml:9:22: "newest" has a meaning of its own here and cannot be a value`},
		{"value with an underscore", axes, "[virtio, sata]", "[virtio, s_ata]",
			`axes.yaml:9:22: "s_ata" cannot be a value: it is part of the names of cells and made of letters, digits, ".", "+" and "-"`},
		{"value that is no text", axes, "[virtio, sata]", "[virtio, yes, true]", `axes.yaml:9:27: want a text here, found boolean`},
		{"unknown key of a value", axes, "[virtio, sata]", "[virtio, {name: sata, wait: 2}]", `axes.yaml:9:35: unknown key "wait"; there are name, weight`},
		{"weight 0", axes, "[virtio, sata]", "[virtio, {name: sata, weight: 0}]",
			`axes.yaml:9:43: the weight is 0; name no value that does not matter`},
		{"weight below 0", axes, "[virtio, sata]", "[virtio, {name: sata, weight: -1}]", `axes.yaml:9:43: -1 is below 0`},
		{"infinite weight", axes, "[virtio, sata]", "[virtio, {name: sata, weight: .inf}]", `axes.yaml:9:43: want a number here, found inf`},
		{"unknown default", axes, "default: virtio", "default: virtoi", `axes.yaml:10:14: unknown value of disk "virtoi"; did you mean "virtio"?`},
		{"default of an unknown component", axes, "q35-{qemu}", "q35-{qemuu}",
			`axes.yaml:6:14: unknown component of kvm cells "qemuu"; did you mean "qemu"?`},
		{"default of a component that one kind lacks", axes, "default: virtio", "default: q35-{qemu}",
			`axes.yaml:10:14: unknown component of kvm and xen cells "qemu"; there are linux, libvirt`},
		{"default that is no value for a version", axes, "[q35-7.2, q35-10.0]", "[q35-7.2]",
			`axes.yaml:6:14: the default of cells with qemu 10.0 is "q35-10.0", which is no value of machine; add it to values`},
	})
}

func TestMistakesInComponentsNameTheirPlace(t *testing.T) {
	const file, qemu = "components.yaml", "qemu: {versions"
	refuses(t, []mistake{
		{"no mapping", file, "qemu: {versions: {7.2: [bookworm], 10.0: [trixie]}}", "qemu: [7.2]", `components.yaml:3:9: want a mapping here, found sequence`},
		{"versions left out", file, "qemu: {versions: {7.2: [bookworm], 10.0: [trixie]}}", "qemu: {packages: {}}", `components.yaml:3:10: the key "versions" is missing`},
		{"unknown key", file, qemu, "qemu: {prize: 2, versions", `components.yaml:3:10: unknown key "prize"; there are packages, versions`},
		{"packages of a kind that lacks it", file, qemu, "qemu: {packages: {xen: [qemu]}, versions", `components.yaml:3:21: unknown kind with qemu "xen"; there are kvm`},
		{"packages twice", file, qemu, "qemu: {packages: {kvm: [qemu, qemu]}, versions", `components.yaml:3:33: duplicate package "qemu"`},
		{"no pattern", file, qemu, "qemu: {packages: {kvm: ['qemu-[']}, versions", `components.yaml:3:27: "qemu-[" is no pattern: syntax error in pattern`},
		{"no version", file, "{7.2: [bookworm], 10.0: [trixie]}", "{}", `components.yaml:3:20: qemu has no version`},
		{"unknown key of a version", file, "10.0: [trixie]", "10.0: {release: [trixie]}", `components.yaml:3:45: unknown key "release"; did you mean "releases"?`},
		{"version without releases", file, "10.0: [trixie]", "10.0: {weight: 2}", `components.yaml:3:45: the key "releases" is missing`},
	})
}

// TestProfilesShareSelections names a list of checks in a profile.
func TestProfilesShareSelections(t *testing.T) {
	c := load(t, "profiles.yaml: profiles: => selections:\n  - {name: xens, checks: [IX-BOOT]}\nprofiles:",
		"profiles.yaml: [IX-BOOT]\n => [O-CONN, xens]\n")
	p, err := c.Profile("smoke")
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Checks["xen"]; !slices.Contains(got, "IX-BOOT") || len(got) != 2 {
		t.Errorf("the profile plans %v", got)
	}
}

// TestCellsOfACoverHaveItsChecks asks of cells that a cover made what it says, of those that
// the profile names, and of what a change is about, what the profile says.
func TestCellsOfACoverHaveItsChecks(t *testing.T) {
	asked := func(r Request, cell string) []string {
		p := plan(t, r)
		if p.Cell(cell) == nil {
			t.Fatalf("%s is not in the plan", cell)
		}
		return namesOf(p.Cell(cell).Checks, func(k *PlannedCheck) string { return k.ID })
	}
	const own, made = "xen_linux-6.1_xen-4.17_libvirt-9.0", "xen_linux-7.3_xen-4.17_libvirt-9.0"
	change := &Change{Axis: "linux", From: "6.1", To: "7.3"}
	for _, k := range []struct {
		r     Request
		cell  string
		whole bool
	}{{Request{Profile: "nightly"}, own, true}, {Request{Profile: "nightly"}, made, false}, {Request{Profile: "nightly", Change: change}, made, true}, {Request{Profile: "full"}, made, true}} {
		got := asked(k.r, k.cell)
		if !slices.Contains(got, "IX-PV") || slices.Contains(got, "IX-USB") != k.whole {
			t.Errorf("%s of %+v is asked %v", k.cell, k.r, got)
		}
	}
}
