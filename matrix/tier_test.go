package matrix

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"testing/fstest"
)

const (
	twin      = "kvm_linux-6.1_qemu-7.2_libvirt-9.0"
	contained = twin + "_tier-container"
	emulated  = "kvm_linux-6.1_qemu-7.2_libvirt-9.0_accel-tcg"
)

// few is a profile with a nested cell, a container with the same stack, one
// without such a twin, and checks for each.
const few = both + `    checks:
      kvm: [IK-BOOT, IK-KVM, O-CAPS]
      container: [IK-NFT, O-CONN, O-DEF, O-START]
`

// asks writes what a plan asks of each cell.
func asks(p *Plan) []string {
	var out []string
	for i := range p.Cells {
		out = append(out, p.Cells[i].ID+": "+questions(&p.Cells[i]))
	}
	return out
}

func TestAProfileSaysWhatIsAskedOfItsContainers(t *testing.T) {
	want := []string{
		contained + ": O-CONN -IK-NFT O-DEF O-START",
		emulated + "_tier-container: O-CONN -IK-NFT O-DEF O-START",
		twin + ": IK-BOOT IK-KVM O-CAPS",
	}
	p, err := New(shipped(t, few), Request{Profile: "both"})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, asks(p)); d != "" {
		t.Error(d)
	}
}

// both is a profile whose first cell is planned on both tiers.
const both = `profiles:
  - name: both
    description: One stack on both tiers
    cells:
      - {kind: kvm, linux: 6.1, qemu: 7.2, libvirt: 9.0}
      - {kind: kvm, tier: container, linux: 6.1, qemu: 7.2, libvirt: 9.0}
      - {kind: kvm, tier: container, linux: 6.1, qemu: 7.2, libvirt: 9.0, accel: tcg}
`

// shipped is the built-in catalogue with other profiles.
func shipped(t *testing.T, profiles string) *Catalog {
	t.Helper()
	c, err := Load(catalogue(t, profiles))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// catalogue is the files of the built-in catalogue with other profiles.
func catalogue(t *testing.T, profiles string) fstest.MapFS {
	t.Helper()
	fsys := fstest.MapFS{"profiles.yaml": &fstest.MapFile{Data: []byte(profiles)}}
	for _, name := range []string{"releases.yaml", "components.yaml", "axes.yaml", "constraints.yaml"} {
		data, err := embedded.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		fsys[name] = &fstest.MapFile{Data: data}
	}
	return fsys
}

func TestACellsNameEndsInATierThatIsNotNested(t *testing.T) {
	want := []string{
		"kvm_linux-6.1_qemu-7.2_libvirt-9.0 nested",
		"kvm_linux-6.1_qemu-7.2_libvirt-9.0_tier-container container",
		"kvm_linux-6.1_qemu-7.2_libvirt-9.0_accel-tcg_tier-container container",
	}
	p, err := New(shipped(t, both), Request{Profile: "both"})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range want {
		id, tier, _ := strings.Cut(want, " ")
		cell := p.Cell(id)
		if cell == nil {
			t.Errorf("there is no cell %s", id)
			continue
		}
		if string(cell.Tier) != tier {
			t.Errorf("%s has the tier %s", id, cell.Tier)
		}
		for _, k := range cell.Checks {
			if k.Tier != cell.Tier {
				t.Errorf("%s: %s has the tier %s", id, k.ID, k.Tier)
			}
		}
	}
}

func TestChecksOfAContainer(t *testing.T) {
	const kernel = "asks the host's own kernel, and a container has that of L0"
	p, err := New(shipped(t, both), Request{Profile: "both"})
	if err != nil {
		t.Fatal(err)
	}
	cell := p.Cell("kvm_linux-6.1_qemu-7.2_libvirt-9.0_tier-container")
	if cell.Checks[0].ID != "O-CONN" {
		t.Errorf("the cell begins with %s, want O-CONN: nothing else boots", cell.Checks[0].ID)
	}
	got := map[string]PlannedCheck{}
	for _, k := range cell.Checks {
		got[k.ID] = k
	}
	for id, want := range map[string]PlannedCheck{
		"O-CONN":   {},
		"O-START":  {},
		"IQ-QMP":   {},
		"IK-BOOT":  {Unsupported: kernel},
		"IK-KVM":   {Unsupported: "asks KVM of the host's own kernel, and a container has that of L0"},
		"IK-DMESG": {Unsupported: kernel},
		"IK-NFT":   {Unsupported: kernel},
		"IK-CG":    {Unsupported: kernel},
		"IX-BOOT":  {Unsupported: "there is no Xen in the kvm stack"},
	} {
		k := got[id]
		if k.Unsupported != want.Unsupported {
			t.Errorf("%s: unsupported is %q, want %q", id, k.Unsupported, want.Unsupported)
		}
	}
}

func TestMistakesInTiersNameTheirPlace(t *testing.T) {
	refuses(t, []mistake{
		{"unknown tier of a cell", "profiles.yaml", "kind: kvm,", "kind: kvm, tier: contaner,",
			`profiles.yaml:5:27: unknown tier "contaner"; did you mean "container"?`},
		{"Xen in a container", "profiles.yaml", "kind: xen,", "kind: xen, tier: container,",
			`profiles.yaml:6:27: a xen cell cannot be of the tier container: its hosts are only nested`},
		{"condition on a tier that is none", "constraints.yaml", "composition: bundled", "tier: bundled",
			`constraints.yaml:4:31: unknown value of tier "bundled"; there are container, nested`},
	})
}

// twoTiers covers the same axes on both tiers.
const twoTiers = `profiles:
  - name: two
    description: Pairs on both tiers
    cover:
      - {kind: kvm, strength: 2, axes: {linux: [6.1, 6.12], qemu: [7.2, 10.0], libvirt: [9.0]}}
      - {kind: kvm, tier: container, strength: 1, axes: {linux: [6.1], qemu: all, libvirt: [7.0, 9.0]}}
`

func TestACoverCountsOnlyItsOwnTier(t *testing.T) {
	c := shipped(t, twoTiers)
	p, err := New(c, Request{Profile: "two"})
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Coverage) != 2 {
		t.Fatalf("%d coverages, want one for each tier", len(p.Coverage))
	}
	for i := range p.Coverage {
		cov := &p.Coverage[i]
		if cov.Covered != cov.Valid || len(cov.Missing) > 0 {
			t.Errorf("coverage of %s: %d of %d", cov.Cells(), cov.Covered, cov.Valid)
		}
		var own, other []Cell
		for _, cell := range p.Cells {
			if cell.Tier == cov.Tier {
				own = append(own, cell)
			} else {
				other = append(other, cell)
			}
		}
		if n, missing, err := cov.Recount(own); err != nil || n != cov.Valid || len(missing) > 0 {
			t.Errorf("%s: its own cells cover %d of %d, %v", cov.Cells(), n, cov.Valid, err)
		}
		// The other tier's cells have some of its pairs, and count for none.
		if n, missing, err := cov.Recount(other); err != nil || n != 0 || len(missing) != cov.Valid {
			t.Errorf("%s: cells of the other tier cover %d of %d, %v", cov.Cells(), n, cov.Valid, err)
		}
	}
}

func TestAStackInAContainerIsLeftOutOfANestedCover(t *testing.T) {
	c := shipped(t, twoTiers)
	p, err := New(c, Request{Profile: "two", Cells: []string{"container"}})
	if err != nil {
		t.Fatal(err)
	}
	left, err := LeftOut(c, p)
	if err != nil {
		t.Fatal(err)
	}
	why := map[string]string{}
	for _, l := range left {
		why[l.ID] = l.Why
	}
	for _, cell := range p.Cells {
		nested := strings.TrimSuffix(cell.ID, "_tier-container")
		if why[cell.ID] != "" || why[nested] == "" {
			t.Errorf("%s is in the plan and left out for %q; nested for %q", cell.ID, why[cell.ID], why[nested])
		}
	}
	if got := why[twin]; !strings.HasPrefix(got, "left out by a budget or a selection:") {
		t.Errorf("%s is left out because %q", twin, got)
	}
}

func TestEmulatedGuestsOfContainersAreNotCountedAsKVM(t *testing.T) {
	const profile = `profiles:
  - name: accel
    description: Both accelerators in containers
    cells: [{kind: kvm, tier: container, linux: 6.1, qemu: 7.2, libvirt: 9.0}]
    cover: [{kind: kvm, tier: container, strength: 1, axes: {linux: [6.1], qemu: [7.2], libvirt: [9.0], accel: ACCEL}}]
`
	for accel, want := range map[string]string{
		"all":   "no kvm container cell can have accel=kvm: guests of a container run on L0, which has no KVM here",
		"[tcg]": "",
	} {
		c := shipped(t, strings.Replace(profile, "ACCEL", accel, 1))
		_, err := New(c, Request{Profile: "accel"})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("accel %s: got %v, want %q", accel, err, want)
		}
		if _, err := New(c.On(false), Request{Profile: "accel"}); err != nil {
			t.Errorf("accel %s, with KVM on L0: %v", accel, err)
		}
	}
	// Who does not say gets what L0 has.
	if p, err := New(catalog(t), Request{Profile: "containers"}); err != nil || p.Coverage[0].Covered != p.Coverage[0].Valid {
		t.Errorf("%v", err)
	}
}
