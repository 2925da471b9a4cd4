package matrix

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func plan(t *testing.T, r Request) *Plan {
	t.Helper()
	p, err := New(catalog(t), r)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// questions writes a cell's checks in order, with a "-" before those that do
// not apply.
func questions(c *Cell) string {
	var ids []string
	for _, k := range c.Checks {
		if k.Unsupported != "" {
			ids = append(ids, "-"+k.ID)
		} else {
			ids = append(ids, k.ID)
		}
	}
	return strings.Join(ids, " ")
}

func TestSmokeHasFourHostsAndThreeContainers(t *testing.T) {
	p := plan(t, Request{Profile: DefaultProfile})
	var got []string
	for _, c := range p.Cells {
		got = append(got, c.ID+" "+composition(c))
	}
	want := []string{
		contained + " native bookworm: linux bookworm, qemu bookworm, libvirt bookworm",
		"kvm_linux-6.12_qemu-10.0_libvirt-11.3_tier-container native trixie: linux trixie, qemu trixie, libvirt trixie",
		"kvm_linux-6.12_qemu-10.0_libvirt-9.0_tier-container bundled bookworm: linux trixie, qemu trixie, libvirt bookworm",
		"kvm_linux-6.1_qemu-7.2_libvirt-9.0 native bookworm: linux bookworm, qemu bookworm, libvirt bookworm",
		"kvm_linux-6.12_qemu-10.0_libvirt-11.3 native trixie: linux trixie, qemu trixie, libvirt trixie",
		"kvm_linux-6.12_qemu-10.0_libvirt-9.0 bundled bookworm: linux trixie, qemu trixie, libvirt bookworm",
		"xen_linux-6.1_xen-4.17_libvirt-9.0 native bookworm: linux bookworm, xen bookworm, libvirt bookworm",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if p.Version != PlanVersion || p.Profile != "smoke" || p.Hash != "" {
		t.Errorf("the plan is version %d of %q with hash %q", p.Version, p.Profile, p.Hash)
	}
}

func TestSmokeAsksEveryCellWhatItNames(t *testing.T) {
	c := catalog(t)
	smoke, err := c.Profile("smoke")
	if err != nil {
		t.Fatal(err)
	}
	for _, cell := range plan(t, Request{Profile: "smoke"}).Cells {
		boot, foreign := "IK-BOOT", []Requirement{XenStack, SharedFolder, Contained, Deployment, AppArmor}
		if cell.Tier == Container {
			boot, foreign = "O-CONN", []Requirement{XenStack, OwnKernel, HostKVM, Privileged}
		}
		if cell.Kind == Xen {
			boot, foreign = "IX-BOOT", []Requirement{KVMStack, HostKVM, SharedFolder, Contained}
		}
		if cell.BundlesQEMU() || cell.Kind == Xen {
			foreign = append(foreign, OwnQEMU)
		}
		if cell.Checks[0].ID != boot {
			t.Errorf("%s begins with %s, want %s", cell.ID, cell.Checks[0].ID, boot)
		}
		var ids []string
		for _, k := range cell.Checks {
			ids = append(ids, k.ID)
			check, err := c.Check(k.ID)
			if err != nil {
				t.Fatal(err)
			}
			other := slices.ContainsFunc(foreign, func(r Requirement) bool { return slices.Contains(check.Requires, r) })
			compares := len(check.Hosts.Earlier) > 0 || check.Hosts.Each != "" || check.Compares != "" // smoke has few neighbours
			tooOld := strings.HasPrefix(k.Unsupported, "needs ")                                       // of a check that requires a newer version
			if !tooOld && !compares && other != (k.Unsupported != "") {
				t.Errorf("%s %s is unsupported for the reason %q", cell.ID, k.ID, k.Unsupported)
			}
		}
		slices.Sort(ids)
		if d := cmp.Diff(slices.Sorted(slices.Values(c.ready(c.offered(smoke, Request{}, &cell), nil))), ids); d != "" {
			t.Errorf("%s: %s", cell.ID, d)
		}
	}
}

func TestCIAsksOnlyItsChecks(t *testing.T) {
	p := plan(t, Request{Profile: "ci"})
	want := map[string]string{
		"kvm_linux-6.1_qemu-7.2_libvirt-9.0": "IK-BOOT IK-DMESG IK-KVM IQ-QMP IQ-VER O-CONN O-ERR O-CAPS O-DEF O-START O-SUSP O-SAVE",
		"xen_linux-6.1_xen-4.17_libvirt-9.0": "IX-BOOT IX-ABI IX-LIBXL IX-PV IX-STORE O-CONN",
		contained:                            "O-CONN O-ERR O-CAPS O-DEF O-START O-SAVE",
	}
	got := map[string]string{}
	for _, c := range p.Cells {
		got[c.ID] = questions(&c)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestSelectorsNarrowTheProfile(t *testing.T) {
	const (
		old     = "kvm_linux-6.1_qemu-7.2_libvirt-9.0"
		bundled = "kvm_linux-6.12_qemu-10.0_libvirt-9.0"
		xen     = "xen_linux-6.1_xen-4.17_libvirt-9.0"
	)
	for _, c := range []struct {
		about string
		r     Request
		want  map[string]string
	}{
		{"the boot check comes along", Request{Profile: "smoke", Cells: []string{old}, Checks: []string{"O-SAVE"}},
			map[string]string{old: "IK-BOOT O-SAVE"}},
		{"a host is not booted for what does not apply", Request{Profile: "smoke", Cells: []string{"xen"}, Checks: []string{"O-NET-NAT"}},
			map[string]string{xen: "-O-NET-NAT"}},
		{"patterns are ORed", Request{Profile: "smoke", Cells: []string{"xen", "qemu-10.0*libvirt-9.0"}, Checks: []string{"*SUSP", "IX-BOOT"}},
			map[string]string{bundled: "IK-BOOT O-SUSP", bundled + "_tier-container": "O-CONN O-SUSP", xen: "IX-BOOT O-SUSP"}},
		{"a cell that the profile does not ask stays out", Request{Profile: "ci", Checks: []string{"O-SAVE"}},
			map[string]string{old: "IK-BOOT O-SAVE", contained: "O-CONN O-SAVE"}},
	} {
		t.Run(c.about, func(t *testing.T) {
			got := map[string]string{}
			for _, cell := range plan(t, c.r).Cells {
				got[cell.ID] = questions(&cell)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestBadRequestsGiveTheNearestName(t *testing.T) {
	c := catalog(t)
	for want, r := range map[string]Request{
		`cannot plan: unknown profile "smok"; did you mean "smoke"?`: {Profile: "smok"},
		`cannot plan: cannot select cells of profile smoke: nothing matches "linux-6.13"; did you mean "linux-6.1"?`: {
			Profile: "smoke", Cells: []string{"kvm", "linux-6.13"}},
		`cannot plan: cannot select checks of profile smoke: nothing matches "IQ-QNP"; did you mean "IQ-QMP"?`: {
			Profile: "smoke", Checks: []string{"IQ-QNP"}},
		`cannot plan: cannot select checks of profile ci: nothing matches "O-SAVE"; there are IX-ABI, IX-BOOT, IX-LIBXL, IX-PV, IX-STORE, O-CONN`: {
			Profile: "ci", Cells: []string{"xen"}, Checks: []string{"O-SAVE"}},
	} {
		if p, err := New(c, r); err == nil || err.Error() != want || p != nil {
			t.Errorf("got %v\nwant %s", err, want)
		}
	}
}

func TestPlanLeavesTheCatalogAlone(t *testing.T) {
	c := catalog(t)
	p, err := New(c, Request{Profile: "smoke"})
	if err != nil {
		t.Fatal(err)
	}
	p.Cells[0].Stack[0].Package = "6.1.176-1"
	p.Cells[0].Images = append(p.Cells[0].Images, ImageRef{Role: "qemu"})
	if d := cmp.Diff(catalog(t), c, cmp.AllowUnexported(Catalog{})); d != "" {
		t.Error(d)
	}
}
