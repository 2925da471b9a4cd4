package run

import (
	"testing"

	"github.com/virtmatrix/virtmatrix/fixtures"
	"github.com/virtmatrix/virtmatrix/matrix"
)

func TestARoleIsWantedOfAReleaseThatServesAllThatItStandsFor(t *testing.T) {
	cat := &matrix.Catalog{Axes: []matrix.Axis{
		{Component: matrix.Libvirt, Values: []matrix.Value{{Name: "4.5", Releases: []string{"el7", "el7-xen410"}}}},
		{Component: matrix.QEMU, Values: []matrix.Value{{Name: "2.12", Releases: []string{"el7"}}}},
	}}
	for release, want := range map[string]bool{"el7": true, "el7-xen410": false} {
		recipe := fixtures.Recipe{Release: release, Lead: map[matrix.Component]string{matrix.Libvirt: "libvirt-daemon", matrix.QEMU: "qemu-kvm"}}
		if got := wanted(cat, recipe); got != want {
			t.Errorf("%s: wanted is %v", release, got)
		}
	}
}

func TestTheSmallestPackageOfEachRepositoryIsTried(t *testing.T) {
	got := smallest(matrix.PackageSet{Packages: []matrix.Package{
		{Name: "bash", Repository: "base", Size: 2}, {Name: "glibc", Repository: "base", Size: 9}, {Name: "qemu-kvm-ev", Repository: "sig", Size: 7},
	}}).Packages
	if len(got) != 2 || got[0].Name != "bash" || got[1].Name != "qemu-kvm-ev" {
		t.Errorf("got %+v", got)
	}
}
