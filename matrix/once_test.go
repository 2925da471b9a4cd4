package matrix

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// once is a catalogue whose profile has these cells, one a line.
func once(t *testing.T, cells ...string) *Catalog {
	t.Helper()
	return shipped(t, "profiles:\n  - name: once\n    description: Cells that share answers\n    cells:\n      - {"+strings.Join(cells, "}\n      - {")+"}\n")
}

// asksOnce writes for each cell what it is asked, and where the rest is answered.
func asksOnce(p *Plan) []string {
	var out []string
	for _, cell := range p.Cells {
		line := []string{cell.ID + ":"}
		for _, k := range cell.Checks {
			switch {
			case k.Unsupported != "":
			case k.AskedIn != "":
				line = append(line, fmt.Sprintf("(%s in %s)", k.ID, k.AskedIn))
			default:
				line = append(line, k.ID)
			}
		}
		out = append(out, strings.Join(line, " "))
	}
	return out
}

const (
	oldQEMU = "kvm_linux-6.12_qemu-7.2_libvirt-9.0"
	newQEMU = "kvm_linux-6.12_qemu-10.0_libvirt-9.0"
	native  = "kvm_linux-6.1_qemu-7.2_libvirt-9.0"
)

func TestAQuestionIsAskedOnce(t *testing.T) {
	const (
		nested    = "kind: kvm, linux: 6.1, qemu: 7.2, libvirt: 9.0"
		bundled   = "kind: kvm, linux: 6.12, qemu: 7.2, libvirt: 9.0"
		other     = "kind: kvm, linux: 6.12, qemu: 10.0, libvirt: 9.0"
		container = "kind: kvm, tier: container, linux: 6.1, qemu: 7.2, libvirt: 9.0"
	)
	for _, c := range []struct {
		about  string
		cells  []string
		checks string
		want   []string
	}{
		{"of each value that the answer depends on", []string{nested, bundled, other}, "IQ-QMP O-SAVE", []string{
			native + ": IK-BOOT IQ-QMP O-SAVE",
			oldQEMU + ": IK-BOOT (IQ-QMP in " + native + ") O-SAVE",
			newQEMU + ": IK-BOOT IQ-QMP O-SAVE",
		}},
		{"in a cell that has a host anyway, and cells without a host do without its boot", []string{nested, bundled, other}, "O-CLI IQ-CPU IK-CG", []string{
			native + ": IK-BOOT IK-CG IQ-CPU O-CLI",
			oldQEMU + ": IK-BOOT IK-CG IQ-CPU (O-CLI in " + native + ")",
			newQEMU + ": IK-BOOT (IK-CG in " + oldQEMU + ") IQ-CPU (O-CLI in " + native + ")",
		}},
		{"so that few cells have a host", []string{nested, bundled, other}, "O-CLI IK-BOOT", []string{
			native + ": IK-BOOT O-CLI",
			oldQEMU + ": IK-BOOT (O-CLI in " + native + ")",
			newQEMU + ": (IK-BOOT in " + oldQEMU + ") (O-CLI in " + native + ")",
		}},
		{"without the boot that nobody asked for", []string{nested, bundled, other}, "O-CLI", []string{
			native + ": IK-BOOT O-CLI",
			oldQEMU + ": (O-CLI in " + native + ")",
			newQEMU + ": (O-CLI in " + native + ")",
		}},
		{"in a container, unless it is about the host's kernel", []string{nested, container}, "O-CLI IQ-QMP IQ-MIG-FILE IK-NFT O-SAVE", []string{
			contained + ": O-CONN IQ-MIG-FILE IQ-QMP O-SAVE O-CLI",
			native + ": IK-BOOT IK-NFT IQ-MIG-FILE (IQ-QMP in " + contained + ") O-SAVE (O-CLI in " + contained + ")",
		}},
		{"also when a container boots for it", []string{nested, container}, "O-CONN", []string{
			contained + ": O-CONN",
			native + ": (O-CONN in " + contained + ")",
		}},
		{"of a host from a medium by itself, whatever else it has", []string{nested, nested + ", media: iso-bios"}, "O-CLI IQ-QMP", []string{
			native + ": IK-BOOT IQ-QMP O-CLI",
			native + "_media-iso-bios: IK-BOOT IQ-QMP O-CLI",
		}},
		{"of each kind", []string{nested, "kind: xen, linux: 6.1, xen: 4.17, libvirt: 9.0"}, "O-CLI", []string{
			native + ": IK-BOOT O-CLI",
			"xen_linux-6.1_xen-4.17_libvirt-9.0: IX-BOOT O-CLI",
		}},
	} {
		p, err := New(once(t, c.cells...), Request{Profile: "once", Checks: strings.Fields(c.checks)})
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(c.want, asksOnce(p)); d != "" {
			t.Errorf("%s: %s", c.about, d)
		}
	}
}

// The plan of each shipped profile: whatever is not asked is answered by a cell of
// the plan that asks it itself, and everything is the same there.
func TestWhatIsAskedElsewhereIsTheSameQuestion(t *testing.T) {
	change := &Change{Axis: "libvirt", From: "9.0", To: "11.3"}
	for _, r := range []Request{{Profile: "smoke"}, {Profile: "ci"}, {Profile: "containers"}, {Profile: "nightly"}, {Profile: "nightly", Change: change}} {
		p := plan(t, r)
		for i := range p.Cells {
			cell := &p.Cells[i]
			host := slices.ContainsFunc(cell.Checks, func(k PlannedCheck) bool { return k.Asked() && !k.Hosts.None })
			if boot := cell.Checks[0]; !boot.Boot || host != boot.Asked() {
				t.Errorf("%s is asked %d checks, and the first is %+v", cell.ID, cell.Asked(), boot)
			}
			for j := range cell.Checks {
				if k := &cell.Checks[j]; k.AskedIn != "" {
					mustAnswer(t, p, cell, k)
				}
			}
		}
	}
}

func mustAnswer(t *testing.T, p *Plan, cell *Cell, k *PlannedCheck) {
	t.Helper()
	in := p.Cell(k.AskedIn)
	at := slices.IndexFunc(in.Checks, func(o PlannedCheck) bool { return o.ID == k.ID })
	if k.Depends == nil || at < 0 || !in.Checks[at].Asked() {
		t.Errorf("%s of %s, which depends on %v, is to be answered in %s: %+v", k.ID, cell.ID, k.Depends, in.ID, in.Checks)
	}
	for _, axis := range k.Depends {
		here, _ := cell.Value(axis)
		there, _ := in.Value(axis)
		if here != there {
			t.Errorf("%s of %s has %s %s, and is to be answered with %s in %s", k.ID, cell.ID, axis, here, there, in.ID)
		}
	}
}

func TestTheSameVersionOfAnotherReleaseIsAnotherQuestion(t *testing.T) {
	check := &PlannedCheck{ID: "IQ-QMP", Depends: []string{"qemu"}}
	cell := func(release, packaged string) *Cell {
		return &Cell{ID: release, Kind: KVM, Tier: Nested, Stack: []Choice{{Component: QEMU, Version: "10.0", Release: release, Package: packaged}}}
	}
	first := cell("trixie", "1:10.0.2").question(check)
	if got := cell("trixie", "1:10.0.2").question(check); got != first {
		t.Errorf("%q and %q", got, first)
	}
	for _, other := range []*Cell{cell("bookworm-backports", "1:10.0.2"), cell("trixie", "1:10.0.8")} {
		if got := other.question(check); got == first {
			t.Errorf("%s %s is the question of another: %q", other.ID, other.Stack[0].Package, got)
		}
	}
}

func TestACandidateAndItsBaselineShareWhatTheChangeCannotTouch(t *testing.T) {
	p := plan(t, Request{Profile: "nightly", Change: &Change{Axis: "libvirt", From: "9.0", To: "11.3"}})
	shared := 0
	for i := range p.Cells {
		cell := &p.Cells[i]
		if cell.Baseline == "" || cell.Kind == Xen {
			continue
		}
		for _, k := range p.Cell(cell.Baseline).Checks {
			touched := k.Depends == nil || slices.Contains(k.Depends, "libvirt")
			in := p.Cell(k.AskedIn)
			if in != nil && touched && in.changed(*p.Change) {
				t.Errorf("%s of the baseline %s is answered by the candidate %s", k.ID, cell.Baseline, in.ID)
			}
			if in != nil && !touched {
				shared++
			}
		}
	}
	if shared == 0 {
		t.Error("no baseline shares an answer")
	}
}

func TestEachCellIsAskedEverythingOnDemand(t *testing.T) {
	for _, profile := range []string{"smoke", "containers"} {
		p := plan(t, Request{Profile: profile, Everywhere: true})
		for i := range p.Cells {
			for _, k := range p.Cells[i].Checks {
				if k.AskedIn != "" {
					t.Errorf("%s of %s is asked in %s", k.ID, p.Cells[i].ID, k.AskedIn)
				}
			}
		}
		if d := cmp.Diff(asks(p), asks(plan(t, Request{Profile: profile}))); d != "" {
			t.Errorf("%s, asked once, has other checks: %s", profile, d)
		}
	}
}

// Add-ons are of the root's release, whatever else the answer depends on.
func TestAddOnsOfAnotherReleaseAreAnotherQuestion(t *testing.T) {
	check := &PlannedCheck{ID: "C-X", Depends: []string{string(QEMU)}}
	cell, other := &Cell{Kind: KVM, Userland: "bookworm"}, &Cell{Kind: KVM, Userland: "trixie"}
	if cell.question(check) != other.question(check) {
		t.Errorf("without add-ons it is %q and %q", cell.question(check), other.question(check))
	}
	check.Hosts.AddOns = []string{"virtinst"}
	if cell.question(check) == other.question(check) {
		t.Errorf("with them it is %q for both", cell.question(check))
	}
}

func TestAddOnsAndMachinesAreForOneHost(t *testing.T) {
	c := Check{ID: "C-X", Asserts: "It works", Family: "outbound/consumers", Hosts: Hosts{AddOns: []string{"virtinst"}}}
	if err := c.verify(); err != nil {
		t.Error(err)
	}
	for _, edit := range []func(*Check){
		func(c *Check) { c.Hosts.Machine.Role = "cloud" },
		func(c *Check) { c.Hosts.Count = 2 },
		func(c *Check) { c.Hosts.Moves, c.Hosts.Earlier = Upgrade, []Component{Libvirt} },
	} {
		wrong := c
		if edit(&wrong); wrong.verify() == nil {
			t.Errorf("it may be of %+v, and require %v", wrong.Hosts, wrong.Requires)
		}
	}
}
