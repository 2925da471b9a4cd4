package outbound

import (
	"context"
	"fmt"
	"slices"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/cell"
	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"
)

// arch is the architecture of all hosts.
const arch = "x86_64"

func tellsCapabilities(ctx context.Context, t *cell.T) {
	caps := capabilities(ctx, t)
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
	if t.Run(ctx, "test -c /dev/kvm").OK() {
		want = []string{"qemu", "kvm"}
	}
	for _, g := range caps.Guests {
		t.Expect(domainTypes(t, caps, g.OSType, g.Arch.Name)).To(ConsistOf(want), "domain types of %s guests", g.Arch.Name)
		t.Expect(t.Sh(ctx, host.Quote(g.Arch.Emulator)+" --version")).To(
			HavePrefix("QEMU emulator version "+t.Version(matrix.QEMU)+"."), "the emulator of %s guests, %s", g.Arch.Name, g.Arch.Emulator)
		t.Expect(machines(g)).To(ContainElement(t.Machine()))
	}
	t.Expect(kinds).To(ContainElement("hvm/" + arch))
}

// capabilities reads what the connection can do.
func capabilities(ctx context.Context, t *cell.T) (caps libvirtxml.Caps) {
	conn := t.Connect(ctx)
	var text string
	t.Do(ctx, "ask for capabilities", func() (err error) { text, err = conn.GetCapabilities(); return err })
	t.Expect(caps.Unmarshal(text)).To(Succeed(), "parse capabilities:\n%s", text)
	return caps
}

// domainTypes are the kinds of virtualization that a kind of guest can have.
func domainTypes(t *cell.T, caps libvirtxml.Caps, osType, arch string) (types []string) {
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

func tellsDomainCapabilities(ctx context.Context, t *cell.T) {
	asked := 0
	for _, g := range capabilities(ctx, t).Guests {
		for _, d := range g.Arch.Domains {
			for _, m := range machines(g) {
				answersFor(ctx, t, g, d.Type, m)
				asked++
			}
		}
	}
	t.Note("domain capabilities answer for %d combinations", asked)
	t.Expect(asked).NotTo(BeZero(), "combinations to ask for")
	conn := t.Connect(ctx)
	for _, wrong := range [][2]string{{"nosuch-machine", domainType(t)}, {"", "nosuch-type"}} {
		t.Refuses(ctx, fmt.Sprintf("ask for domain capabilities of machine %q and type %q", wrong[0], wrong[1]), libvirt.ERR_INVALID_ARG,
			func() error { _, err := conn.GetDomainCapabilities("", arch, wrong[0], wrong[1], 0); return err })
	}
}

// domainType is the virtualization that the cell's guests have.
func domainType(t *cell.T) string {
	if t.Kind() == matrix.Xen {
		return "xen"
	}
	return t.Settings().Type
}

// answersFor asks for one combination, and whether the answer is about it.
func answersFor(ctx context.Context, t *cell.T, g libvirtxml.CapsGuest, virt, machine string) {
	conn := t.Connect(ctx)
	what := fmt.Sprintf("domain capabilities of %s, %s, %s, %s", g.Arch.Emulator, g.Arch.Name, machine, virt)
	var text string
	t.Do(ctx, "ask for "+what, func() (err error) {
		text, err = conn.GetDomainCapabilities(g.Arch.Emulator, g.Arch.Name, machine, virt, 0)
		return err
	})
	var caps libvirtxml.DomainCaps
	t.Expect(caps.Unmarshal(text)).To(Succeed(), "parse %s:\n%s", what, text)
	t.Expect([]string{caps.Path, caps.Arch, caps.Machine, caps.Domain}).To(
		Equal([]string{g.Arch.Emulator, g.Arch.Name, machine, virt}), what)
	t.Expect(caps.VCPU).NotTo(BeNil(), what)
	t.Expect(caps.VCPU.Max).To(BeNumerically(">", 0), what)
	t.Expect(caps.OS).NotTo(BeNil(), what)
	t.Expect(caps.OS.Supported).To(Equal("yes"), what)
	t.Expect(caps.Devices).NotTo(BeNil(), what)
	t.Expect(caps.Devices.Disk).NotTo(BeNil(), what)
}
