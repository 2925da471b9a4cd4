package matrix

import (
	"os"
	"strings"
	"testing"
)

// Nobody could run the catalogue of CentOS yet. That it can be planned, and that it
// says so of itself, is what can be shown.
func TestTheCatalogueOfCentOSCanBePlanned(t *testing.T) {
	cat, err := Load(os.DirFS("centos"))
	if err != nil {
		t.Fatal(err)
	}
	for profile, want := range map[string]string{
		"smoke":          "kvm_linux-3.10_qemu-2.12_libvirt-4.5_tier-container kvm_linux-4.18_qemu-6.2_libvirt-8.0_tier-container kvm_linux-5.14_qemu-9.1_libvirt-10.10_tier-container kvm_linux-6.12_qemu-10.0_libvirt-11.3_tier-container xen_linux-4.9_xen-4.10_libvirt-5.1",
		"rebase-qemu-ev": "kvm_linux-3.10_qemu-2.10_libvirt-4.5 kvm_linux-3.10_qemu-2.12_libvirt-4.5 kvm_linux-3.10_qemu-2.12-testing_libvirt-4.5-testing",
		"rebase-libvirt": "kvm_linux-3.10_qemu-2.12_libvirt-4.5 kvm_linux-3.10_qemu-2.12_libvirt-4.9",
		"rebase-xen":     "xen_linux-4.9_xen-4.6_libvirt-3.2 xen_linux-4.9_xen-4.8_libvirt-4.3 xen_linux-4.9_xen-4.10_libvirt-5.1",
	} {
		plan, err := New(cat, Request{Profile: profile})
		if err != nil {
			t.Errorf("%s: %v", profile, err)
			continue
		}
		var cells []string
		for _, c := range plan.Cells {
			cells = append(cells, c.ID)
			// All of a host is of one release: what the SIG supports.
			if c.Composition != Native {
				t.Errorf("%s: %s is %s", profile, c.ID, c.Composition)
			}
		}
		if got := strings.Join(cells, " "); got != want {
			t.Errorf("%s has\n%s, want\n%s", profile, got, want)
		}
	}
	for change, profile := range map[Change]string{{"libvirt", "4.5", "4.9"}: "nightly", {"qemu", "2.10", "2.12"}: "nightly", {"xen", "4.8", "4.10"}: "xen"} {
		if plan, err := New(cat, Request{Profile: profile, Change: &change}); err != nil || len(plan.Cells) < 2 {
			t.Errorf("%s: %v", change, err)
		}
	}
}

// What a repository promises is the same everywhere: the SIG signs packages, and what it
// tests is unsigned and on another host.
func TestTheCatalogueOfCentOSSaysWhatIsSigned(t *testing.T) {
	cat, err := Load(os.DirFS("centos"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("centos/releases.yaml")
	if err != nil || !strings.Contains(string(text), "NOBODY HAS RUN ANY OF THIS YET") {
		t.Error("the file does not say that nobody has run it", err)
	}
	for _, r := range cat.Releases {
		for _, repository := range r.Repositories {
			if r.Source != "dnf" {
				continue
			}
			testing := strings.Contains(repository.URL, "buildlogs.centos.org")
			if testing != (strings.HasSuffix(repository.Name, "-test") || strings.HasSuffix(repository.Name, "-testing")) || testing != (repository.Trust == TrustNone) || testing == (repository.Keyring != "") {
				t.Errorf("%s of %s is %+v", repository.Name, r.Name, repository)
			}
		}
	}
}
