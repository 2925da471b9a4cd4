package matrix

import (
	"slices"
	"strings"
	"testing"
)

// comparing is a catalogue whose check S-T-QEMU compares versions of qemu.
func comparing(t *testing.T, cells ...string) *Catalog {
	t.Helper()
	c := once(t, cells...)
	c.Checks = append(c.Checks, Check{
		ID: "S-T-QEMU", Asserts: "Nothing of QEMU is gone", Family: "static/qemu", Requires: []Requirement{KVMStack},
		Depends: []string{"qemu"}, Compares: QEMU, Hosts: Hosts{None: true},
	})
	return c
}

const (
	with52 = "kind: kvm, tier: container, linux: 6.1, qemu: 5.2, libvirt: 7.0"
	with72 = "kind: kvm, tier: container, linux: 6.1, qemu: 7.2, libvirt: 9.0"
	with10 = "kind: kvm, tier: container, linux: 6.1, qemu: 10.0, libvirt: 9.0"
	also10 = "kind: kvm, tier: container, linux: 6.1, qemu: 10.0, libvirt: 11.3"
)

// compares writes for each cell what S-T-QEMU compares it with, or where it is asked.
func compares(t *testing.T, c *Catalog, r Request) map[string]string {
	t.Helper()
	r.Profile, r.Checks = "once", []string{"S-T-QEMU"}
	p, err := New(c, r)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, cell := range p.Cells {
		if len(cell.Checks) != 1 {
			t.Errorf("%s has the checks %+v, want no boot of a host that nobody needs", cell.ID, cell.Checks)
		}
		k := cell.Checks[0]
		got[cell.ID] = k.Against
		if k.AskedIn != "" {
			got[cell.ID] = "asked in " + k.AskedIn
		}
		if k.Unsupported != "" {
			got[cell.ID] = k.Unsupported
		}
	}
	return got
}

func TestAVersionIsComparedWithTheOneBeforeIt(t *testing.T) {
	got := compares(t, comparing(t, with52, also10, with72, with10), Request{})
	for id, want := range map[string]string{
		"kvm_linux-6.1_qemu-5.2_libvirt-7.0_tier-container":   "the plan has no qemu that is older: there is none to compare it with",
		"kvm_linux-6.1_qemu-7.2_libvirt-9.0_tier-container":   "kvm_linux-6.1_qemu-5.2_libvirt-7.0_tier-container",
		"kvm_linux-6.1_qemu-10.0_libvirt-11.3_tier-container": "kvm_linux-6.1_qemu-7.2_libvirt-9.0_tier-container",
		"kvm_linux-6.1_qemu-10.0_libvirt-9.0_tier-container":  "asked in kvm_linux-6.1_qemu-10.0_libvirt-11.3_tier-container",
	} {
		if got[id] != want {
			t.Errorf("%s: %q, want %q", id, got[id], want)
		}
	}
}

func TestACandidateIsComparedWithWhatItChangesFrom(t *testing.T) {
	p := plan(t, Request{Profile: "nightly", Change: &Change{Axis: "qemu", From: "7.2", To: "11.1"}})
	candidate := slices.IndexFunc(p.Cells, func(c Cell) bool { return c.Baseline != "" })
	if was := older(p.Cells, &p.Cells[candidate], QEMU); was != "7.2" {
		t.Errorf("%s is compared with qemu %q", p.Cells[candidate].ID, was)
	}
	if was := older(p.Cells, p.Cell(p.Cells[candidate].Baseline), QEMU); was != "" {
		t.Errorf("the baseline is compared with qemu %q", was)
	}
}

func TestACheckThatComparesWhatItDoesNotDependOnIsRefused(t *testing.T) {
	check := Check{ID: "S-T", Asserts: "It is as before", Family: "static/qemu", Compares: QEMU, Depends: []string{"libvirt"}}
	if err := check.verify(); err == nil || !strings.Contains(err.Error(), "compares versions of qemu, and does not depend on it") {
		t.Errorf("it says %v", err)
	}
}

func TestAHostForEachOtherVersionIsOfACellThatHasIt(t *testing.T) {
	c := once(t, with52, with72, with10, also10, "kind: kvm, linux: 6.1, qemu: 7.2, libvirt: 9.0")
	c.Checks = append(c.Checks, Check{
		ID: "O-T-RPC", Asserts: "Clients are served", Family: "outbound/rpc", Requires: []Requirement{KVMStack, Contained},
		Depends: []string{"libvirt"}, Hosts: Hosts{Each: Libvirt},
	})
	p, err := New(c, Request{Profile: "once", Checks: []string{"O-T-RPC"}})
	if err != nil {
		t.Fatal(err)
	}
	cell := p.Cell("kvm_linux-6.1_qemu-10.0_libvirt-11.3_tier-container")
	want := []string{"kvm_linux-6.1_qemu-5.2_libvirt-7.0_tier-container", "kvm_linux-6.1_qemu-7.2_libvirt-9.0_tier-container"}
	if got := cell.Checks[1].Hosts; !slices.Equal(got.Of, want) || got.Count != 3 {
		t.Errorf("its hosts are %+v, want those of %v", got, want)
	}
	if k := p.Cell("kvm_linux-6.1_qemu-7.2_libvirt-9.0").Checks[0]; k.Unsupported == "" {
		t.Errorf("a machine is asked %+v", k)
	}
	p, err = New(c, Request{Profile: "once", Checks: []string{"O-T-RPC"}, Cells: []string{"*libvirt-7.0*"}})
	if err != nil || !strings.Contains(p.Cells[0].Checks[0].Unsupported, "no other libvirt") {
		t.Errorf("alone it is asked %+v, %v", p, err)
	}
}
