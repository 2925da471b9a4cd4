package matrix

import (
	"strings"
	"testing"
)

// leftOut returns what a plan leaves out, by identity.
func leftOut(t *testing.T, p *Plan) map[string]string {
	t.Helper()
	left, err := LeftOut(catalog(t), p)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, l := range left {
		if _, twice := out[l.ID]; twice || l.Why == "" {
			t.Errorf("%s is left out twice, or for no reason", l.ID)
		}
		out[l.ID] = l.Why
	}
	return out
}

func TestEachStackIsInThePlanOrLeftOut(t *testing.T) {
	for _, r := range []Request{
		{Profile: "nightly"}, {Profile: "full"}, {Profile: "smoke"}, {Profile: "each", Strength: 2, Budget: 9},
		{Profile: "nightly", Cells: []string{"kvm*9.0"}}, {Profile: "nightly", Strength: 4, Budget: 20},
		{Profile: "nightly", Change: &Change{"firmware", "bios", "uefi"}},
	} {
		p := plan(t, r)
		stacks := map[string]bool{}
		for _, cell := range p.Cells {
			stacks[CellID(cell.Kind, cell.Tier, cell.Stack, nil)] = true
		}
		left := leftOut(t, p)
		for id := range left {
			if stacks[id] {
				t.Errorf("%+v: %s is in the plan and left out", r, id)
			}
		}
		// 5 x 4 x 4 of kvm, 5 x 3 x 4 of xen; those of kvm again where there are containers.
		all := 80 + 60
		if p.Has(Container) {
			all += 80
		}
		if got := len(stacks) + len(left); got != all {
			t.Errorf("%+v: %d stacks are in the plan or left out", r, got)
		}
	}
}

func TestLeftOutSaysWhy(t *testing.T) {
	change := &Change{"libvirt", "9.0", "11.3"}
	for _, k := range []struct {
		about    string
		r        Request
		id, want string
	}{
		{"a constraint", Request{Profile: "nightly"}, "kvm_linux-6.1_qemu-5.2_libvirt-12.8",
			"libvirt 11.2 and later refuse a QEMU before 6.2 (constraints.yaml:"},
		{"a tie", Request{Profile: "nightly"}, "xen_linux-6.1_xen-4.17_libvirt-11.3",
			"xen and libvirt of a xen cell must come from one release, but xen 4.17 is in bookworm; libvirt 11.3 is in"},
		{"a constraint of what is named", Request{Profile: "smoke"}, "kvm_linux-6.1_qemu-5.2_libvirt-12.8",
			"libvirt 11.2 and later refuse a QEMU before 6.2 (constraints.yaml:"},
		{"nobody named it", Request{Profile: "smoke"}, "kvm_linux-7.3_qemu-7.2_libvirt-9.0",
			"profile smoke names its cells, and none with this stack"},
		{"a selection of what is named", Request{Profile: "smoke", Cells: []string{"kvm"}}, "xen_linux-6.1_xen-4.17_libvirt-9.0",
			"left out by a selection: profile smoke names it"},
		{"a selection of what is covered", Request{Profile: "nightly", Cells: []string{"kvm"}}, "xen_linux-6.1_xen-4.17_libvirt-9.0",
			"left out by a budget or a selection: these 3 pairs are in no cell: linux=6.1 and xen=4.17; linux=6.1 and libvirt=9.0; xen=4.17 and libvirt=9.0"},
		{"another value than the change's", Request{Profile: "nightly", Change: change}, "kvm_linux-6.1_qemu-7.2_libvirt-7.0",
			"the plan is of libvirt 9.0 -> 11.3, and this has libvirt 7.0 and is no baseline"},
		{"a constraint on the change", Request{Profile: "nightly", Change: change}, "kvm_linux-6.1_qemu-5.2_libvirt-11.3",
			"libvirt 11.2 and later refuse a QEMU before 6.2 (constraints.yaml:"},
	} {
		t.Run(k.about, func(t *testing.T) {
			if got := leftOut(t, plan(t, k.r))[k.id]; !strings.HasPrefix(got, k.want) {
				t.Errorf("%s: %s\nwant %s", k.id, got, k.want)
			}
		})
	}
}

func TestLeftOutNamesCellsThatHaveItsPairs(t *testing.T) {
	p := plan(t, Request{Profile: "nightly"})
	found := 0
	for id, why := range leftOut(t, p) {
		rest, ok := strings.CutPrefix(why, "its 3 pairs are all in other cells: ")
		if !ok {
			continue
		}
		found++
		first, _, _ := strings.Cut(rest, "; ")
		pair, cell, _ := strings.Cut(first, " in ")
		for setting := range strings.SplitSeq(pair, " and ") {
			axis, value, _ := strings.Cut(setting, "=")
			if got, _ := p.Cell(cell).Value(axis); got != value || !strings.Contains(id+"_", "_"+axis+"-"+value+"_") {
				t.Errorf("%s: %s, but that has %s %s", id, first, axis, got)
			}
		}
	}
	if found == 0 {
		t.Error("no stack's pairs are in other cells")
	}
}
