package matrix

import (
	"strings"
	"testing"
)

// composition writes a cell's releases as "native bookworm: linux bookworm, ...".
func composition(c Cell) string {
	var from []string
	for _, s := range c.Stack {
		from = append(from, string(s.Component)+" "+s.Release)
	}
	return string(c.Composition) + " " + c.Userland + ": " + strings.Join(from, ", ")
}

func TestComposeTakesOneReleaseWhereItCan(t *testing.T) {
	c := catalog(t)
	for _, stack := range []struct {
		kind Kind
		// base is the version of qemu or xen.
		linux, base, libvirt string
		want                 string
	}{
		{KVM, "6.1", "7.2", "9.0", "native bookworm: linux bookworm, qemu bookworm, libvirt bookworm"},
		{KVM, "6.12", "10.0", "11.3", "native trixie: linux trixie, qemu trixie, libvirt trixie"},
		// forky is preferred to sid, and to trixie-backports, which lacks libvirt.
		{KVM, "7.2", "11.1", "12.8", "native forky: linux forky, qemu forky, libvirt forky"},
		{Xen, "5.10", "4.14", "7.0", "native bullseye: linux bullseye, xen bullseye, libvirt bullseye"},
		{Xen, "7.2", "4.20", "12.8", "native forky: linux forky, xen forky, libvirt forky"},

		{KVM, "6.12", "10.0", "9.0", "bundled bookworm: linux trixie, qemu trixie, libvirt bookworm"},
		// What the userland serves comes from there.
		{KVM, "6.1", "10.0", "9.0", "bundled bookworm: linux bookworm, qemu trixie, libvirt bookworm"},
		{KVM, "7.3", "11.1", "12.8", "bundled forky: linux trixie-backports, qemu forky, libvirt forky"},
		{KVM, "5.10", "5.2", "12.8", "bundled forky: linux bullseye, qemu bullseye, libvirt forky"},
		// Xen follows libvirt's release, linux is free.
		{Xen, "6.1", "4.20", "11.3", "bundled trixie: linux bookworm, xen trixie, libvirt trixie"},
		{Xen, "6.12", "4.20", "12.8", "bundled forky: linux trixie, xen forky, libvirt forky"},
	} {
		components := stack.kind.Components()
		cell, err := c.compose(stack.kind, map[Component]string{
			components[0]: stack.linux, components[1]: stack.base, components[2]: stack.libvirt,
		})
		if err != nil {
			t.Error(err)
			continue
		}
		if got := composition(cell); got != stack.want {
			t.Errorf("%s is %s\nwant %s", cell.ID, got, stack.want)
		}
	}
}

func TestComposeRefusesXenAndLibvirtOfTwoReleases(t *testing.T) {
	_, err := catalog(t).compose(Xen, map[Component]string{Linux: "6.1", XenHyp: "4.17", Libvirt: "11.3"})
	want := "xen and libvirt of a xen cell must come from one release, but " +
		"xen 4.17 is in bookworm; libvirt 11.3 is in trixie, bookworm-backports"
	if err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
}
