// Package host holds the checks of what libvirt tells of the host.
package host

import (
	"slices"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirtxml"
)

// arch is the architecture of all hosts.
const arch = "x86_64"

// The processor, the devices and the accelerators are the host's.
var _ = check.Register("O-CAPS", check.Spec{
	Asserts:  "The capabilities name the architecture of the host and the guests it can run",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "0.2.1")},
	Depends:  check.On(matrix.Linux, matrix.QEMU, matrix.XenHyp, matrix.Libvirt, "machine"),
	Control:  sabotage.Alter("virConnectGetCapabilities", "<machine", "<mechine"),
}, func(t *steps.T) {
	caps := capabilities(t)
	t.Expect(caps.Host.CPU).NotTo(BeNil(), "processor of the host")
	t.Expect(caps.Host.CPU.Arch).To(Equal(arch))
	var kinds []string
	for _, g := range caps.Guests {
		kinds = append(kinds, g.OSType+"/"+g.Arch.Name)
		t.Expect(g.Arch.Machines).NotTo(BeEmpty(), "machines of %s guests", g.Arch.Name)
	}
	t.Expect(slices.Compact(slices.Sorted(slices.Values(kinds)))).To(HaveLen(len(kinds)), "each kind of guest is named once: %v", kinds)
	if t.Kind() == matrix.Xen {
		// The kind that needs nothing of the processor; HVM and PVH come and go
		// with what it can do.
		t.Expect(domainTypes(t, caps, "xen", arch)).To(Equal([]string{"xen"}))
		return
	}
	// Only the qemu driver tells it (virQEMUDriverCreateCapabilities).
	t.Expect(caps.Host.UUID).NotTo(BeEmpty(), "UUID of the host")
	want := []string{"qemu"}
	if t.Run("test -c /dev/kvm").OK() {
		want = []string{"qemu", "kvm"}
	}
	for _, g := range caps.Guests {
		t.Expect(domainTypes(t, caps, g.OSType, g.Arch.Name)).To(ConsistOf(want), "domain types of %s guests", g.Arch.Name)
		t.Expect(t.Sh(host.Quote(g.Arch.Emulator)+" --version")).To(
			HavePrefix("QEMU emulator version "+t.Version(matrix.QEMU)+"."), "the emulator of %s guests, %s", g.Arch.Name, g.Arch.Emulator)
		t.Expect(machines(g)).To(ContainElement(t.Machine()))
	}
	t.Expect(kinds).To(ContainElement("hvm/" + arch))
})

// capabilities reads what the connection can do.
func capabilities(t *steps.T) (caps libvirtxml.Caps) {
	conn := t.Connection().Raw
	t.Parse("the capabilities", steps.Get(t, "ask for capabilities", conn.GetCapabilities), &caps)
	return caps
}

// domainTypes are the kinds of virtualization that a kind of guest can have.
func domainTypes(t *steps.T, caps libvirtxml.Caps, osType, arch string) (types []string) {
	for _, g := range caps.Guests {
		if g.OSType != osType || g.Arch.Name != arch {
			continue
		}
		for _, d := range g.Arch.Domains {
			types = append(types, d.Type)
		}
		return types
	}
	t.Fail(matrix.LayerManagement, "the capabilities have no %s guest of %s", osType, arch)
	return nil
}

// machines are a guest's machine types without aliases.
func machines(g libvirtxml.CapsGuest) (names []string) {
	for _, m := range g.Arch.Machines {
		if m.Canonical == "" {
			names = append(names, m.Name)
		}
	}
	return names
}
