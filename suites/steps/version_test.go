package steps

import "testing"

func TestVersionsBelongToSeriesByTheirNumbers(t *testing.T) {
	for _, tc := range []struct {
		version, of string
		want        bool
	}{
		{"6.1.0-50-cloud-amd64", "6.1", true},
		{"6.12.107+deb13-cloud-amd64", "6.12", true},
		{"6.12.107+deb13-cloud-amd64", "6.1", false},
		{"6.1.0-50-cloud-amd64", "6.12", false},
		{"7.2.22", "7.2+dfsg", true},
		{"10.0.2", "10.0.2+ds", true},
		{"10.0.3", "10.0.2+ds", false},
		{"7", "7.2", false},
		{"", "7.2", false},
		{"7.2", "", false},
	} {
		if got := InSeries(tc.version, tc.of); got != tc.want {
			t.Errorf("InSeries(%q, %q) = %v", tc.version, tc.of, got)
		}
	}
}

func TestUpstreamPartOfPackageVersions(t *testing.T) {
	for pkg, want := range map[string]string{
		"1:7.2+dfsg-7+deb12u18+b3": "7.2+dfsg",
		"1:10.0.2+ds-2+deb13u1":    "10.0.2+ds",
		"9.0.0-4+deb12u2":          "9.0.0",
		"15:2.12.0-33.1.el7_7.4":   "2.12.0",
		"6.12":                     "6.12",
	} {
		if got := UpstreamVersion(pkg); got != want {
			t.Errorf("UpstreamVersion(%q) = %q, want %q", pkg, got, want)
		}
	}
}

func TestVendorsNamePackagesWithoutRebuilds(t *testing.T) {
	for _, tc := range []struct {
		words, pkg string
		want       bool
	}{
		{"Debian 1:7.2+dfsg-7+deb12u18", "1:7.2+dfsg-7+deb12u18+b3", true},
		{"Debian 1:7.2+dfsg-7+deb12u18+b3", "1:7.2+dfsg-7+deb12u18+b3", true},
		{"Debian 1:7.2+dfsg-7+deb12u17", "1:7.2+dfsg-7+deb12u18", false},
		{"1:7.2-1", "1:7.2-1", true},
		{"", "1:7.2-1", false},
		{"qemu-kvm-ev-2.12.0-18.el7", "10:2.12.0-18.el7", true},
		{"qemu-kvm-ev-2.12.0-18.el7", "10:12.0-18.el7", false},
		{"qemu-kvm-ev-2.10.0-21.el7", "10:2.12.0-18.el7", false},
	} {
		if got := NamesPackage(tc.words, tc.pkg); got != tc.want {
			t.Errorf("NamesPackage(%q, %q) = %v", tc.words, tc.pkg, got)
		}
	}
}

func TestReadVersion(t *testing.T) {
	for text, want := range map[string][2]string{
		"QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)\nCopyright (c) 2003-2022": {"7.2.22", "Debian 1:7.2+dfsg-7+deb12u18"},
		"qemu-img version 10.0.2 (Debian 1:10.0.2+ds-2)":                                       {"10.0.2", "Debian 1:10.0.2+ds-2"},
		"QEMU emulator version 9.1.0\n":                                                        {"9.1.0", ""},
	} {
		version, vendor, ok := ReadVersion(text)
		if !ok || version != want[0] || vendor != want[1] {
			t.Errorf("ReadVersion(%q) = %q, %q, %v", text, version, vendor, ok)
		}
	}
	for _, text := range []string{"", "qemu: command not found", "version unknown"} {
		if _, _, ok := ReadVersion(text); ok {
			t.Errorf("ReadVersion(%q) found a version", text)
		}
	}
}
