package steps

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"libvirt.org/go/libvirt"
)

// device is the XML of a device.
type device interface{ Marshal() (string, error) }

// Attach gives the running guest a device.
func (d *Domain) Attach(dev device) {
	xml := d.t.Marshal(dev)
	d.t.Do("attach device", func() error { return d.Raw.AttachDeviceFlags(xml, libvirt.DOMAIN_DEVICE_MODIFY_LIVE) })
}

// Detach takes a device from the running guest. The guest lets it go some time after.
func (d *Domain) Detach(dev device) {
	xml := d.t.Marshal(dev)
	d.t.Do("detach device", func() error { return d.Raw.DetachDeviceFlags(xml, libvirt.DOMAIN_DEVICE_MODIFY_LIVE) })
}

// Has says that the domain's XML has a text.
func (d *Domain) Has(text string) bool { return strings.Contains(d.Dump(0), text) }

// agentLimit bounds how long the agent of a guest that has spoken may take to open its
// channel, at scale 1.
const agentLimit = time.Minute

// WaitAgent waits until libvirt says that the guest's agent has opened its channel.
func (d *Domain) WaitAgent() {
	d.t.Until(agentLimit, "the guest's agent is connected", func() bool { return d.AgentState() == "connected" })
}

// AgentState is what the live XML says of the agent's channel: "connected" or "disconnected".
func (d *Domain) AgentState() string {
	for _, c := range d.Live().Devices.Channels {
		if c.Target != nil && c.Target.VirtIO != nil && c.Target.VirtIO.Name == l2.AgentPort {
			return c.Target.VirtIO.State
		}
	}
	return ""
}

// Time is the guest's time of day as its agent tells it, in seconds since 1970.
func (d *Domain) Time() int64 {
	return Get(d.t, "ask for the guest's time", func() (int64, error) {
		seconds, _, err := d.Raw.GetTime(0)
		return seconds, err
	})
}

// Clock is the guest's time of day as it tells itself.
func (g *Guest) Clock() time.Time { return guestSays(g, "tell its time", (*l2.Client).Clock) }

// Disk returns the guest's disk with a serial number; ok is false when it has none.
func (g *Guest) Disk(serial string) (disk l2.Disk, ok bool) {
	disk, ok = g.Disks()[serial]
	return disk, ok
}

// Disks are all that the guest has, by serial number.
func (g *Guest) Disks() map[string]l2.Disk {
	disks := map[string]l2.Disk{}
	for _, d := range slices.Backward(guestSays(g, "list its disks", (*l2.Client).Disks)) {
		disks[d.Serial] = d // of some without a number the first
	}
	return disks
}

// WaitDisk waits until the guest has a disk with the serial number.
func (g *Guest) WaitDisk(serial string, limit time.Duration) (disk l2.Disk) {
	g.t.Until(limit, "the guest sees disk "+serial, func() (ok bool) { disk, ok = g.Disk(serial); return ok })
	return disk
}

// WaitNoDisk waits until the guest has no disk with the serial number.
func (g *Guest) WaitNoDisk(serial string, limit time.Duration) {
	g.t.Until(limit, "the guest no longer sees disk "+serial, func() bool { _, ok := g.Disk(serial); return !ok })
}

// WriteAt has the guest write a text to a disk at an offset in bytes.
func (g *Guest) WriteAt(disk string, offset int64, text string) {
	g.ask(guestAnswer, "write to "+disk, func(ctx context.Context, c *l2.Client) error {
		return c.WriteDisk(ctx, disk, offset, []byte(text))
	})
}

// ReadAt has the guest read n bytes of a disk at an offset in bytes.
func (g *Guest) ReadAt(disk string, offset int64, n int) string {
	return string(guestSays(g, "read from "+disk, func(c *l2.Client, ctx context.Context) ([]byte, error) {
		return c.ReadDisk(ctx, disk, offset, n)
	}))
}

// ReadFile reads n bytes of a file of L1 at an offset.
func (t *T) ReadFile(path string, offset int64, n int) string {
	return t.Sh(fmt.Sprintf("tail -c +%d %s | head -c %d", offset+1, host.Quote(path), n))
}
