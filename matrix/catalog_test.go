package matrix

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func catalog(t *testing.T) *Catalog {
	t.Helper()
	c, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestReleasesSayWhatTheirSourceReads(t *testing.T) {
	c := catalog(t)
	got, err := c.Release("trixie-backports")
	if err != nil {
		t.Fatal(err)
	}
	want := &Release{
		Name: "trixie-backports", Source: "apt", CheckValidUntil: true,
		Repositories: []Repository{{Name: "trixie-backports"}}, Parents: []string{"trixie"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	for name, check := range map[string]bool{"bullseye": true, "bookworm": true, "trixie": true, "forky": false, "sid": false} {
		r, err := c.Release(name)
		if err != nil {
			t.Fatal(err)
		}
		if r.CheckValidUntil != check {
			t.Errorf("%s: check_valid_until is %v, want %v", name, r.CheckValidUntil, check)
		}
	}
}

func TestLineageHasTheParents(t *testing.T) {
	lineage, err := catalog(t).Lineage("bookworm-backports")
	if err != nil {
		t.Fatal(err)
	}
	var suites []string
	for _, r := range lineage {
		for _, repository := range r.Repositories {
			suites = append(suites, repository.Name)
		}
	}
	if want := []string{"bookworm-backports", "bookworm", "bookworm-updates"}; !slices.Equal(suites, want) {
		t.Errorf("got suites %q, want %q", suites, want)
	}
}

func TestAxesHoldEveryServedVersionOldestFirst(t *testing.T) {
	want := map[Component][]string{
		Linux:   {"5.10", "6.1", "6.12", "7.2", "7.3"},
		QEMU:    {"5.2", "7.2", "10.0", "11.1"},
		Libvirt: {"7.0", "9.0", "11.3", "12.8"},
		XenHyp:  {"4.14", "4.17", "4.20"},
	}
	got := map[Component][]string{}
	for _, a := range catalog(t).Axes {
		if isComponent(&a) {
			got[a.Component] = a.names()
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestLookupsGiveTheNearestName(t *testing.T) {
	c := catalog(t)
	_, release := c.Release("bookwrm")
	_, lineage := c.Lineage("forkie")
	_, component := c.Version("kemu", "7.2")
	_, version := c.Version(Linux, "6.11")
	_, check := c.Check("O-SAFE")
	_, profile := c.Profile("monthly")
	for _, e := range []struct {
		err  error
		want string
	}{
		{release, `unknown release "bookwrm"; did you mean "bookworm"?`},
		{lineage, `unknown release "forkie"; did you mean "forky"?`},
		{component, `unknown component "kemu"; did you mean "qemu"?`},
		{version, `unknown version of linux "6.11"; did you mean "6.1"?`},
		{check, `unknown check "O-SAFE"; did you mean "O-SAVE"?`},
		{profile, `unknown profile "monthly"; there are smoke, ci, selftest, containers, static, rebase, parity, update, consumers, media, each, nightly, full`},
	} {
		if e.err == nil || e.err.Error() != e.want {
			t.Errorf("got %v\nwant %s", e.err, e.want)
		}
	}
}

// asked are the checks of the first delivery.
const asked = `O-CONN O-CONN-RO O-CAPS O-DOMCAPS O-DEF O-RT O-START O-TRANS O-DESTROY O-SHUT O-SUSP O-SAVE O-MSAVE O-ERR
	O-EV-DOM O-STAT O-POOL-DIR O-VOL O-CLI IK-BOOT IK-DMESG IK-KVM IK-KVM-RUN IK-NFT IK-CG IQ-VER IQ-QMP IQ-MACH IQ-CPU
	IQ-MIG-FILE IX-BOOT IX-ABI IX-STORE IX-PV IX-LIBXL`

// TestNoCheckIsLost: IDs are stable, because reports and waivers name them.
func TestNoCheckIsLost(t *testing.T) {
	got := catalog(t).CheckIDs()
	for _, id := range strings.Fields(asked) {
		if !slices.Contains(got, id) {
			t.Errorf("there is no check %s any more", id)
		}
	}
}

func TestChecksAreAskedOfTheCellsThatCanAnswer(t *testing.T) {
	for _, k := range catalog(t).Checks {
		kinds, tiers, layer := Kinds(), Tiers(), LayerManagement
		switch k.ID[:2] {
		case "IQ":
			kinds, layer = []Kind{KVM}, LayerHypervisor
		case "IX":
			kinds, layer = []Kind{Xen}, LayerHypervisor
		case "S-":
			layer = map[string]Layer{"static/kernel": LayerKernel, "static/qemu": LayerHypervisor, "static/xen": LayerHypervisor,
				"static/libvirt": LayerManagement, "static/xml": LayerManagement}[k.Family]
		case "D-":
			layer = LayerDelivery
		case "IK":
			layer = LayerKernel
		}
		// What asks L1's own kernel needs a host that has one.
		if k.ID[:2] == "IX" || k.ID == "IQ-CPU" || slices.ContainsFunc([]Requirement{OwnKernel, HostKVM, Privileged}, func(r Requirement) bool { return slices.Contains(k.Requires, r) }) {
			tiers = []Tier{Nested}
		}
		if slices.Contains(k.Requires, SharedFolder) || slices.Contains(k.Requires, Contained) {
			tiers = []Tier{Container}
		}
		switch {
		case slices.Contains(k.Requires, KVMStack), slices.Contains(k.Requires, OwnQEMU), slices.Contains(k.Requires, HostKVM):
			kinds = []Kind{KVM}
		case slices.Contains(k.Requires, XenStack):
			kinds, tiers = []Kind{Xen}, []Tier{Nested}
		}
		if k.Layer() != layer || !slices.Equal(k.Kinds(), kinds) || !slices.Equal(k.Tiers(), tiers) {
			t.Errorf("%s speaks of %s and is asked of %v, %v; want %s, %v, %v", k.ID, k.Layer(), k.Kinds(), k.Tiers(), layer, kinds, tiers)
		}
		if n := len(strings.Fields(k.Asserts)); n < 4 || n > 32 || strings.HasSuffix(k.Asserts, ".") {
			t.Errorf("%s: %q is no short sentence without a full stop", k.ID, k.Asserts)
		}
	}
}
