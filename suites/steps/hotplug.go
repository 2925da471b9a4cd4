package steps

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"github.com/virtmatrix/virtmatrix/matrix"
	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"
)

// PlugLimit bounds how long a device may take to come or go, at scale 1. Machine types
// before 6.1 take 5 s: PCIe's attention button.
const PlugLimit = 10 * time.Second

// Live is the XML of the running domain.
func (d *Domain) Live() (live libvirtxml.Domain) {
	d.t.Parse("the live XML", d.Dump(0), &live)
	return live
}

// AttachBoth gives a device to the running guest and to the domain's next start.
func (d *Domain) AttachBoth(dev device) {
	xml := d.t.Marshal(dev)
	d.t.Do("attach device", func() error {
		return d.Raw.AttachDeviceFlags(xml, libvirt.DOMAIN_DEVICE_MODIFY_LIVE|libvirt.DOMAIN_DEVICE_MODIFY_CONFIG)
	})
}

// Update changes a device of the running guest.
func (d *Domain) Update(dev device) {
	xml := d.t.Marshal(dev)
	d.t.Do("update device", func() error { return d.Raw.UpdateDeviceFlags(xml, libvirt.DOMAIN_DEVICE_MODIFY_LIVE) })
}

// RefusesDevice asserts that the running guest is refused a device, with one of the errors,
// and that its XML is as it was.
func (d *Domain) RefusesDevice(what string, dev device, want ...libvirt.ErrorNumber) {
	before, xml := d.Dump(0), d.t.Marshal(dev)
	err := d.t.Try("attach "+what, func() error { return d.Raw.AttachDeviceFlags(xml, libvirt.DOMAIN_DEVICE_MODIFY_LIVE) })
	if !slices.Contains(want, Code(err)) {
		d.t.Fail(matrix.LayerManagement, "attaching %s gave %s, not one of the errors %v: %s", what, named(Code(err)), want, Text(err))
	}
	if after := d.Dump(0); after != before {
		d.t.Fail(matrix.LayerManagement, "the domain's XML changed when it was refused %s:\n%s\nbecame\n%s", what, before, after)
	}
}

// Hardware is what the guest sees, whether a driver serves it or not.
func (g *Guest) Hardware() l2.Hardware {
	return guestSays(g, "list its hardware", (*l2.Client).Hardware)
}

// WaitPCI waits until the guest has n PCI devices of a kind, which may have several names:
// "1af4:1044 1af4:1005".
func (g *Guest) WaitPCI(kind string, n int) {
	g.t.Until(PlugLimit, fmt.Sprintf("the guest sees %d PCI devices %s", n, kind), func() bool {
		return len(slices.DeleteFunc(g.Hardware().PCI, func(id string) bool { return !strings.Contains(kind, id) })) == n
	})
}

// NICs are the guest's network cards.
func (g *Guest) NICs() []l2.NIC { return guestSays(g, "list its network cards", (*l2.Client).NICs) }

// HasNIC says whether the guest has a network card with a MAC address.
func (g *Guest) HasNIC(mac string) bool {
	return slices.ContainsFunc(g.NICs(), func(n l2.NIC) bool { return n.MAC == mac })
}

// WaitNIC waits until the guest has a network card with a MAC address.
func (g *Guest) WaitNIC(mac string) l2.NIC {
	g.t.Until(PlugLimit, "the guest sees network card "+mac, func() bool { return g.HasNIC(mac) })
	return g.NIC(mac)
}

// WaitNoNIC waits until the guest has no network card with a MAC address.
func (g *Guest) WaitNoNIC(mac string) {
	g.t.Until(PlugLimit, "the guest no longer sees network card "+mac, func() bool { return !g.HasNIC(mac) })
}

// GuestTakesCPUs says whether the guest's kernel lets a processor come. From 6.9 on it
// takes only those that the firmware told it of, unless it knows that it is a guest, which
// it does not under QEMU's own emulation (topology_register_apic in
// arch/x86/kernel/cpu/topology.c).
func (t *T) GuestTakesCPUs() bool {
	return t.Settings().Accel != "tcg" || !t.AtLeast(matrix.Linux, "6.9")
}

// CPUs are the guest's processors.
func (g *Guest) CPUs() l2.Units { return guestSays(g, "list its processors", (*l2.Client).CPUs) }

// MemoryNow is the guest's memory.
func (g *Guest) MemoryNow() l2.Memory { return guestSays(g, "tell its memory", (*l2.Client).Memory) }

// Online has the guest bring a processor or memory block online.
func (g *Guest) Online(unit string) {
	g.ask(guestAnswer, "bring "+unit+" online", func(ctx context.Context, c *l2.Client) error { return c.Online(ctx, unit) })
}

// Kernel tells how the guest's kernel runs.
func (g *Guest) Kernel() l2.Kernel { return guestSays(g, "tell of its kernel", (*l2.Client).Kernel) }

// Firmware are the tables that the guest has from its firmware.
func (g *Guest) Firmware() l2.Firmware {
	return guestSays(g, "tell of its firmware", (*l2.Client).Firmware)
}

// TPM has the guest give a command to its TPM, and returns the answer.
func (g *Guest) TPM(command []byte) []byte {
	return guestSays(g, "command its TPM", func(c *l2.Client, ctx context.Context) ([]byte, error) { return c.TPM(ctx, command) })
}

// Removed are the devices that libvirt says to be gone from guests.
type Removed struct {
	t       *T
	mu      sync.Mutex
	aliases []string
}

// WatchRemoved collects the aliases of devices that leave the domain until the check is over.
func (d *Domain) WatchRemoved() *Removed {
	conn := d.t.Connection().Raw
	r := &Removed{t: d.t}
	id := Get(d.t, "register for removed devices", func() (int, error) {
		return conn.DomainEventDeviceRemovedRegister(d.Raw, func(_ *libvirt.Connect, _ *libvirt.Domain, ev *libvirt.DomainEventDeviceRemoved) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.aliases = append(r.aliases, ev.DevAlias)
		})
	})
	d.t.Cleanup(func() { d.t.Do("deregister from events", func() error { return conn.DomainEventDeregister(id) }) })
	return r
}

// Wait waits until libvirt has said n times that a device of the alias is gone.
func (r *Removed) Wait(alias string, n int) {
	r.t.Until(eventLimit, "the event that device "+alias+" was removed has come", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return len(slices.DeleteFunc(slices.Clone(r.aliases), func(a string) bool { return a != alias })) == n
	})
}

// Mount has the guest mount a folder of the host at l2.SharedDir.
func (g *Guest) Mount(tag string) {
	g.ask(guestAnswer, "mount "+tag, func(ctx context.Context, c *l2.Client) error { return c.Mount(ctx, tag) })
}

// LoadFile has the guest read a file.
func (g *Guest) LoadFile(path string) string {
	return string(guestSays(g, "read "+path, func(c *l2.Client, ctx context.Context) ([]byte, error) { return c.Load(ctx, path) }))
}

// StoreFile has the guest write a file.
func (g *Guest) StoreFile(path, text string) {
	g.ask(guestAnswer, "write "+path, func(ctx context.Context, c *l2.Client) error { return c.Store(ctx, path, []byte(text)) })
}
