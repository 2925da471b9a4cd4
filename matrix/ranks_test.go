package matrix

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestContainersRunBeforeMachines(t *testing.T) {
	p, err := New(shipped(t, both), Request{Profile: "both"})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{contained, emulated + "_tier-container", twin}
	if d := cmp.Diff(want, namesOf(p.Cells, cellID)); d != "" {
		t.Error(d)
	}
}

func TestCandidatesRunBeforeBaselines(t *testing.T) {
	c := shipped(t, twoTiers)
	p, err := New(c, Request{Profile: "two", Change: &Change{Axis: "qemu", From: "7.2", To: "10.0"}})
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, cell := range p.Cells {
		role := "baseline"
		if value, _ := cell.Value("qemu"); value == "10.0" {
			role = "candidate"
		}
		order = append(order, string(cell.Tier)+" "+role)
	}
	want := []string{"container candidate", "container baseline", "nested candidate", "nested baseline"}
	if d := cmp.Diff(want, slices.Compact(order)); d != "" {
		t.Error(d)
	}
}

func TestCellsThatDoNotChangeKeepTheProfilesOrder(t *testing.T) {
	want := []string{
		"kvm_linux-6.1_qemu-7.2_libvirt-9.0_tier-container",
		"kvm_linux-6.12_qemu-10.0_libvirt-11.3_tier-container",
		"kvm_linux-6.12_qemu-10.0_libvirt-9.0_tier-container",
		"kvm_linux-6.1_qemu-7.2_libvirt-9.0",
		"kvm_linux-6.12_qemu-10.0_libvirt-11.3",
		"kvm_linux-6.12_qemu-10.0_libvirt-9.0",
		"xen_linux-6.1_xen-4.17_libvirt-9.0",
	}
	if d := cmp.Diff(want, namesOf(plan(t, Request{Profile: "smoke"}).Cells, cellID)); d != "" {
		t.Error(d)
	}
}

func TestQuickHostsRunFirstAmongTheirEquals(t *testing.T) {
	p := &Plan{Change: &Change{Axis: "qemu", From: "7.2", To: "10.0"}}
	for _, id := range []string{"container", "slow candidate", "quick candidate", "slow baseline", "quick baseline", "other"} {
		cell := Cell{ID: id, Tier: Nested, Stack: []Choice{{Component: QEMU, Version: "7.2"}}}
		switch {
		case id == "container":
			cell.Tier = Container
		case strings.HasSuffix(id, "candidate"):
			cell.Stack[0].Version = "10.0"
			cell.Baseline = strings.Replace(id, "candidate", "baseline", 1)
		}
		p.Cells = append(p.Cells, cell)
	}
	got := p.Order(func(cell *Cell) bool { return !strings.HasPrefix(cell.ID, "slow") })
	want := []string{"container", "quick candidate", "slow candidate", "quick baseline", "slow baseline", "other"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
