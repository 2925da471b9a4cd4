package matrix

import (
	"strings"
	"testing"
)

func TestACellWithAnotherValueIsComposedAnew(t *testing.T) {
	c := catalog(t)
	p := plan(t, Request{Profile: "containers"})
	cell := p.Cell("kvm_linux-6.1_qemu-7.2_libvirt-9.0_tier-container")
	if cell == nil {
		t.Fatal("the profile has no such cell any more")
	}
	got, err := c.Alike(cell, map[string]string{"qemu": "11.1"})
	if err != nil {
		t.Fatal(err)
	}
	if want := "kvm_linux-6.1_qemu-11.1_libvirt-9.0_tier-container"; got.ID != want || got.Composition != Bundled || got.Userland != "bookworm" {
		t.Errorf("%s, %s over %s; want %s", got.ID, got.Composition, got.Userland, want)
	}
	if v, _ := got.Value("machine"); v != "pc-q35-11.1" {
		t.Errorf("a default follows what moved: the machine is %s", v)
	}
	for words, values := range map[string]map[string]string{"unknown": {"qemu": "1.0"}, "no cell may have": {"qemu": "5.2", "machine": "pc-q35-11.1"}} {
		if _, err := c.Alike(cell, values); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%v: %v, want an error with %q", values, err, words)
		}
	}
	again, err := New(c.Having("again", []Cell{got}), Request{Profile: "again", Checks: []string{"O-SAVE"}, Everywhere: true})
	if err != nil || len(again.Cells) != 1 || again.Cells[0].Asked() != 2 {
		t.Errorf("the plan is %+v, %v; want one cell with its boot check and O-SAVE", again, err)
	}
}

func TestAPlanTakesThePackagesOfAnother(t *testing.T) {
	planned := func(key, version string) *Plan {
		return &Plan{
			Version: PlanVersion, Emulator: ImageRef{Role: "qemu", Release: "bookworm", Packages: "em" + key},
			PackageSets: map[string]PackageSet{"em" + key: {Source: "apt"}, "u" + key: {Source: "apt"}, "k" + key: {Source: "apt"}},
			Cells: []Cell{{
				ID: "a", Stack: []Choice{{Component: Linux, Version: "6.1", Release: key, Package: version}, {Component: Libvirt, Version: "9.0", Release: "bookworm", Package: version}},
				Images: []ImageRef{{Role: "userland-kvm", Release: "bookworm", Packages: "u" + key}, {Role: "kernel-cloud", Release: key, Packages: "k" + key}},
			}},
		}
	}
	now, then := planned("now", "2"), planned("then", "1")
	now.As(then)
	cell := now.Cells[0]
	if cell.Images[0].Packages != "uthen" || cell.Images[1].Packages != "know" || cell.Stack[0].Package != "2" || cell.Stack[1].Package != "1" || now.Emulator.Packages != "emthen" {
		t.Errorf("%+v", cell)
	}
	for _, key := range []string{"uthen", "know", "emthen"} {
		if _, ok := now.PackageSets[key]; !ok {
			t.Errorf("the plan lacks %s", key)
		}
	}
	if len(now.PackageSets) != 3 {
		t.Errorf("the plan keeps sets that nobody uses: %v", now.PackageSets)
	}
}
