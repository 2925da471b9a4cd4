package matrix

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRelationsOfRPMs(t *testing.T) {
	for text, want := range map[string][]relation{
		"libvirt-libs = 1:5.1.0-9.el7":       {{name: "libvirt-libs", op: "=", version: "1:5.1.0-9.el7"}},
		"xen < 4.10":                         {{name: "xen", op: "<<", version: "4.10"}},
		"libc.so.6(GLIBC_2.34)(64bit)":       {{name: "libc.so.6(GLIBC_2.34)(64bit)"}},
		"(qemu-kvm >= 15 if libvirt-daemon)": nil,
	} {
		got, err := parseRPMRelation(text)
		if d := cmp.Diff(want, got, cmp.AllowUnexported(relation{})); err != nil || d != "" {
			t.Errorf("%s: %v %s", text, err, d)
		}
	}
	for _, text := range []string{"", "xen >=", "xen ~ 4.10"} {
		if got, err := parseRPMRelation(text); err == nil {
			t.Errorf("%q is read as %v", text, got)
		}
	}
}

func TestAnRPMRelationWithoutAReleaseMeansAny(t *testing.T) {
	for _, c := range []struct {
		offered, asked string
		want           int
	}{
		{"1:5.1.0-9.xen410.el7", "1:5.1.0", 0}, {"1:5.1.0-9", "1:5.1.0-8", 1}, {"4.10.4-5.el7", "4.10.0", 1}, {"4.10", "4.10.4-5", -1}, {"10:2.12.0-18", "2.12.0", 1},
	} {
		if got := relateRPM(c.offered, c.asked); got != c.want {
			t.Errorf("%s against %s is %d, want %d", c.offered, c.asked, got, c.want)
		}
	}
}

// The libvirt of the Xen SIG says which Xen it is for, in the words of RPM.
func TestPackagesOfRPMsStateConstraintsToo(t *testing.T) {
	cat := &Catalog{
		Releases: []Release{{Name: "xen46", Source: "dnf"}, {Name: "xen410", Source: "dnf"}},
		Axes: []Axis{
			{Name: "linux", Values: []Value{{Name: "4.9", Series: "4.9", Releases: []string{"xen46", "xen410"}}}},
			{Name: "xen", Values: []Value{{Name: "4.6", Series: "4.6", Releases: []string{"xen46"}}, {Name: "4.10", Series: "4.10", Releases: []string{"xen410"}}}, Packages: map[Kind][]string{Xen: {"xen-runtime"}}},
			{Name: "libvirt", Values: []Value{{Name: "5.1", Series: "5.1", Releases: []string{"xen46", "xen410"}}}, Packages: map[Kind][]string{Xen: {"libvirt-daemon-xen"}}},
		},
	}
	var records []Record
	for release, xen := range map[string]string{"xen46": "4.6.6-1.el7", "xen410": "4.10.4-5.el7"} {
		records = append(records,
			Record{Release: release, Package: "xen-runtime", Version: xen, Source: "xen", Provides: []string{"xen = " + xen}},
			Record{Release: release, Package: "libvirt-daemon-xen", Version: "1:5.1.0-9.el7", Source: "libvirt", Depends: []string{"xen >= 4.10.0", "/bin/sh", "(a if b)"}})
	}
	derived, err := cat.Derive(records, Xen)
	if err != nil {
		t.Fatal(err)
	}
	if len(derived.Constraints) != 1 {
		t.Fatalf("got %d constraints, want one", len(derived.Constraints))
	}
	if got, want := derived.Constraints[0].Why, "libvirt 5.1 needs xen >= 4.10.0, which only xen 4.10 has"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
