package matrix

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// paired plans a check between each cell and the one that it is before a rebase of these
// components, and tells for each cell the peer, or why there is none.
func paired(t *testing.T, earlier []Component, cells ...string) map[string]string {
	t.Helper()
	c := once(t, cells...)
	c.Checks = append(slices.Clone(c.Checks), Check{
		ID: "O-CROSS", Asserts: "It crosses", Family: "outbound/migration", Requires: []Requirement{KVMStack},
		Hosts: Hosts{Count: 2, Earlier: earlier},
	})
	p, err := New(c, Request{Profile: "once", Checks: []string{"O-CROSS"}})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, cell := range p.Cells {
		for _, k := range cell.Checks {
			if k.ID == "O-CROSS" {
				got[cell.ID] = strings.Join(k.Hosts.Of, " ") + k.Unsupported
			}
		}
	}
	return got
}

func TestAPeerIsTheCellBeforeARebase(t *testing.T) {
	const (
		old  = "kvm_linux-6.1_qemu-7.2_libvirt-7.0"
		mid  = "kvm_linux-6.1_qemu-7.2_libvirt-9.0"
		new_ = "kvm_linux-6.1_qemu-10.0_libvirt-9.0"
		both = "kvm_linux-6.1_qemu-5.2_libvirt-7.0"
	)
	cells := []string{
		"kind: kvm, linux: 6.1, qemu: 7.2, libvirt: 7.0", "kind: kvm, linux: 6.1, qemu: 7.2, libvirt: 9.0",
		"kind: kvm, linux: 6.1, qemu: 10.0, libvirt: 9.0", "kind: kvm, linux: 6.1, qemu: 5.2, libvirt: 7.0",
	}
	for _, c := range []struct {
		earlier []Component
		want    map[string]string
	}{
		{[]Component{Libvirt}, map[string]string{
			old: "needs a stack with an earlier libvirt, and 7.0 is the first one", mid: old,
			new_: "needs the cell that is this one with libvirt 7.0, and the plan has none",
			both: "needs a stack with an earlier libvirt, and 7.0 is the first one",
		}},
		{[]Component{QEMU}, map[string]string{
			old: both, mid: "needs the cell that is this one with qemu 5.2, and the plan has none", new_: mid,
			both: "needs a stack with an earlier qemu, and 5.2 is the first one",
		}},
		{[]Component{Libvirt, QEMU}, map[string]string{
			old: "needs a stack with an earlier libvirt, and 7.0 is the first one", mid: both, new_: old,
			both: "needs a stack with an earlier libvirt, and 7.0 is the first one",
		}},
	} {
		if diff := cmp.Diff(c.want, paired(t, c.earlier, cells...)); diff != "" {
			t.Errorf("%s earlier (-want +got):\n%s", c.earlier, diff)
		}
	}
}

// A container has nothing of linux, and a machine has it whole.
func TestAPeerMayDifferInWhatIsL0s(t *testing.T) {
	const old, new_ = "linux: 5.10, qemu: 5.2, libvirt: 7.0", "linux: 6.1, qemu: 7.2, libvirt: 9.0"
	for tier, want := range map[string]string{
		"container": "kvm_linux-5.10_qemu-5.2_libvirt-7.0_tier-container",
		"nested":    "needs the cell that is this one with libvirt 7.0 and qemu 5.2, and the plan has none",
	} {
		got := paired(t, []Component{Libvirt, QEMU}, "kind: kvm, tier: "+tier+", "+old, "kind: kvm, tier: "+tier+", "+new_)
		id := "kvm_linux-6.1_qemu-7.2_libvirt-9.0"
		if tier == "container" {
			id += "_tier-container"
		}
		if got[id] != want {
			t.Errorf("%s: %q, want %q", id, got[id], want)
		}
	}
}

// moving plans a check under whose guests packages move one way between each cell and the
// one before, and tells for each where its host begins and ends, or why there is none.
func moving(t *testing.T, hosts Hosts, cells ...string) map[string]string {
	t.Helper()
	c := once(t, cells...)
	hosts.Earlier = []Component{Libvirt, QEMU}
	c.Checks = append(slices.Clone(c.Checks), Check{
		ID: "U-MOVE", Asserts: "It moves", Family: "outbound/update", Requires: []Requirement{KVMStack, Contained},
		Hosts: hosts,
	})
	p, err := New(c, Request{Profile: "once", Checks: []string{"U-MOVE"}})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, cell := range p.Cells {
		for _, k := range cell.Checks {
			switch {
			case k.ID != "U-MOVE":
			case k.Unsupported != "":
				got[cell.ID] = k.Unsupported
			default:
				got[cell.ID] = k.Hosts.Stack(0, cell.ID) + " to " + k.Hosts.Goal(cell.ID)
			}
		}
	}
	return got
}

func TestPackagesMoveBetweenNeighboursInARoot(t *testing.T) {
	const (
		old     = "kvm_linux-5.10_qemu-5.2_libvirt-7.0_tier-container"
		new_    = "kvm_linux-6.1_qemu-7.2_libvirt-9.0_tier-container"
		bundled = "kvm_linux-6.1_qemu-10.0_libvirt-11.3_tier-container"
		beside  = "kvm_linux-6.1_qemu-10.0_libvirt-9.0_tier-container"
		machine = "kvm_linux-6.1_qemu-7.2_libvirt-9.0"
	)
	const contained = "asked in a container alone: what it needs of the host is there, and a machine takes minutes for it"
	cells := []string{
		"kind: kvm, tier: container, linux: 5.10, qemu: 5.2, libvirt: 7.0", "kind: kvm, tier: container, linux: 6.1, qemu: 7.2, libvirt: 9.0",
		"kind: kvm, tier: container, linux: 6.1, qemu: 10.0, libvirt: 11.3", "kind: kvm, tier: container, linux: 6.1, qemu: 10.0, libvirt: 9.0",
		"kind: kvm, linux: 6.1, qemu: 7.2, libvirt: 9.0",
	}
	for way, want := range map[Move]map[string]string{
		Upgrade: {
			old: "needs a stack with an earlier libvirt, and 7.0 is the first one", new_: old + " to " + new_, machine: contained,
			bundled: new_ + " to " + bundled, beside: "needs the cell that is this one with libvirt 7.0 and qemu 7.2, and the plan has none",
		},
		Downgrade: {
			old: "needs a stack with an earlier libvirt, and 7.0 is the first one", new_: new_ + " to " + old, machine: contained,
			bundled: bundled + " to " + new_, beside: "needs the cell that is this one with libvirt 7.0 and qemu 7.2, and the plan has none",
		},
	} {
		if diff := cmp.Diff(want, moving(t, Hosts{Moves: way}, cells...)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", way, diff)
		}
	}
}

// Packages do not move an emulator that is beside the root.
func TestAnEmulatorBesideTheRootDoesNotMove(t *testing.T) {
	const id = "kvm_linux-6.1_qemu-7.2_libvirt-11.3_tier-container"
	got := moving(t, Hosts{Moves: Upgrade}, "kind: kvm, tier: container, linux: 6.1, qemu: 5.2, libvirt: 9.0", "kind: kvm, tier: container, linux: 6.1, qemu: 7.2, libvirt: 11.3")
	if !strings.Contains(got[id], "the emulator of "+id+" is beside its root") {
		t.Errorf("%s: %q", id, got[id])
	}
}

func TestPackagesMoveOverAVersion(t *testing.T) {
	const (
		first = "kvm_linux-5.10_qemu-5.2_libvirt-7.0_tier-container"
		third = "kvm_linux-6.12_qemu-10.0_libvirt-11.3_tier-container"
	)
	cells := []string{
		"kind: kvm, tier: container, linux: 5.10, qemu: 5.2, libvirt: 7.0", "kind: kvm, tier: container, linux: 6.1, qemu: 7.2, libvirt: 9.0",
		"kind: kvm, tier: container, linux: 6.12, qemu: 10.0, libvirt: 11.3",
	}
	got := moving(t, Hosts{Moves: Upgrade, Over: 1}, cells...)
	want := map[string]string{
		first: "needs a stack whose libvirt is 2 versions before 7.0, and there is none",
		"kvm_linux-6.1_qemu-7.2_libvirt-9.0_tier-container": "needs a stack whose libvirt is 2 versions before 9.0, and there is none",
		third: first + " to " + third,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
