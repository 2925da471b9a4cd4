package matrix

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	twin      = "kvm_linux-6.1_qemu-7.2_libvirt-9.0"
	contained = twin + "_tier-container"
	emulated  = "kvm_linux-6.1_qemu-7.2_libvirt-9.0_accel-tcg"
	noDocker  = "no Docker answers"
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

func TestContainersAreNestedWhereThereAreNone(t *testing.T) {
	for _, c := range []struct {
		about    string
		request  Request
		want     []string
		fallback string
	}{
		{"there are containers", Request{}, []string{
			contained + ": O-CONN -IK-NFT O-DEF O-START",
			emulated + "_tier-container: O-CONN -IK-NFT O-DEF O-START",
			twin + ": IK-BOOT IK-KVM O-CAPS",
		}, ""},
		// The twin has both cells' checks; IK-NFT was asked of no cell that could
		// answer it.
		{"there are none", Request{NoContainers: noDocker}, []string{
			twin + ": IK-BOOT IK-KVM O-CONN O-CAPS O-DEF O-START",
			emulated + ": IK-BOOT O-CONN O-DEF O-START",
		}, "2 cells for containers are planned nested, 1 of them with what its stack is asked there anyway: no Docker answers"},
		{"only the container is selected", Request{NoContainers: noDocker, Cells: []string{contained}}, []string{
			twin + ": IK-BOOT O-CONN O-DEF O-START",
		}, "1 cell for containers is planned nested: no Docker answers"},
		{"all containers are selected", Request{NoContainers: noDocker, Cells: []string{"container"}}, []string{
			twin + ": IK-BOOT O-CONN O-DEF O-START",
			emulated + ": IK-BOOT O-CONN O-DEF O-START",
		}, "2 cells for containers are planned nested: no Docker answers"},
		{"only the twin is selected", Request{NoContainers: noDocker, Cells: []string{twin}}, []string{
			twin + ": IK-BOOT IK-KVM O-CAPS",
		}, ""},
		{"a check of the container alone is selected", Request{NoContainers: noDocker, Checks: []string{"O-START"}}, []string{
			twin + ": IK-BOOT O-START",
			emulated + ": IK-BOOT O-START",
		}, "2 cells for containers are planned nested, 1 of them with what its stack is asked there anyway: no Docker answers"},
	} {
		t.Run(c.about, func(t *testing.T) {
			c.request.Profile = "both"
			p, err := New(shipped(t, few), c.request)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, asks(p)); d != "" {
				t.Error(d)
			}
			if p.Fallback != c.fallback {
				t.Errorf("the plan says %q, want %q", p.Fallback, c.fallback)
			}
			for _, cell := range p.Cells {
				inPlace := slices.ContainsFunc(cell.Why, func(why string) bool { return strings.HasPrefix(why, "in place of "+cell.ID+"_tier-container: ") })
				if want := c.fallback != ""; inPlace != want {
					t.Errorf("%s is in the plan for %q", cell.ID, cell.Why)
				}
			}
		})
	}
}

func TestACoverOfContainersIsCountedOfTheHostsThatStandIn(t *testing.T) {
	c := catalog(t)
	with := plan(t, Request{Profile: "containers"})
	without := plan(t, Request{Profile: "containers", NoContainers: noDocker})
	if len(with.Cells) != len(without.Cells) {
		t.Errorf("%d cells with containers, %d without", len(with.Cells), len(without.Cells))
	}
	for _, cell := range without.Cells {
		if cell.Tier != Nested {
			t.Errorf("%s is of the tier %s", cell.ID, cell.Tier)
		}
	}
	got := without.Coverage[0]
	if got.Tier != Nested || got.Instead != Container || got.Covered != got.Valid || got.Valid != with.Coverage[0].Valid {
		t.Errorf("%s: %d of %d; with containers %d of %d", got.Cells(), got.Covered, got.Valid, with.Coverage[0].Covered, with.Coverage[0].Valid)
	}
	left, err := LeftOut(c, without)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range left {
		if strings.Contains(l.ID, "container") || l.Why == "" {
			t.Errorf("left out: %+v", l)
		}
	}
	if stacks := 5 * 4 * 4; len(left)+len(without.Cells) != stacks {
		t.Errorf("%d stacks are left out and %d are in, of %d", len(left), len(without.Cells), stacks)
	}
}

func TestWhatNoNestedHostCanBeIsRefusedWithBothReasons(t *testing.T) {
	const profile = `profiles:
  - name: uefi
    description: Firmware that an emulated host dies of
    cells: [{kind: kvm, tier: container, linux: 6.1, qemu: 7.2, libvirt: 9.0, firmware: uefi}]
`
	c := shipped(t, profile)
	if _, err := New(c, Request{Profile: "uefi"}); err != nil {
		t.Fatal(err)
	}
	_, err := New(c, Request{Profile: "uefi", NoContainers: noDocker})
	for _, want := range []string{"an emulated host dies of UEFI", "it is planned nested, because there are no containers: " + noDocker} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v\nwant %s", err, want)
		}
	}
}

func TestTwoCoversOnOneTierShareTheirCells(t *testing.T) {
	c := shipped(t, twoTiers)
	for name, r := range map[string]Request{
		"a profile": {Profile: "two", NoContainers: noDocker},
		"a change":  {Profile: "two", NoContainers: noDocker, Change: &Change{Axis: "qemu", From: "7.2", To: "10.0"}},
	} {
		p, err := New(c, r)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for _, cell := range p.Cells {
			if seen[cell.ID] || cell.Tier != Nested {
				t.Errorf("%s: %s is there twice, or of the tier %s", name, cell.ID, cell.Tier)
			}
			seen[cell.ID] = true
			if cell.Baseline != "" && p.Cell(cell.Baseline) == nil {
				t.Errorf("%s: the baseline of %s is not in the plan", name, cell.ID)
			}
		}
		if len(p.Coverage) != 2 {
			t.Fatalf("%s: %d coverages, want both covers'", name, len(p.Coverage))
		}
		for i := range p.Coverage {
			if cov := &p.Coverage[i]; cov.Tier != Nested || cov.Covered != cov.Valid {
				t.Errorf("%s: coverage of %s: %d of %d", name, cov.Cells(), cov.Covered, cov.Valid)
			}
		}
		left, err := LeftOut(c, p)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range left {
			if seen[l.ID] || l.Why == "" {
				t.Errorf("%s: left out: %+v", name, l)
			}
			seen[l.ID] = true
		}
	}
}
