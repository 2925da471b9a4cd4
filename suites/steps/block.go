package steps

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"libvirt.org/go/libvirt"
)

// sizeLimit bounds how long a guest may take to see that a disk has another size, at
// scale 1.
const sizeLimit = 30 * time.Second

// BlockInfo is what libvirt says of the size of a disk, in bytes.
func (d *Domain) BlockInfo(disk string) *libvirt.DomainBlockInfo {
	return Get(d.t, "ask for block info", func() (*libvirt.DomainBlockInfo, error) { return d.Raw.GetBlockInfo(disk, 0) })
}

// BlockStats is what libvirt counted of a disk of the running guest.
func (d *Domain) BlockStats(disk string) *libvirt.DomainBlockStats {
	return Get(d.t, "ask for disk statistics", func() (*libvirt.DomainBlockStats, error) { return d.Raw.BlockStatsFlags(disk, 0) })
}

// DiskErrors are what went wrong with disks of the running guest. The binding returns
// an entry for each disk, and only the first ones are filled (Domain.GetDiskErrors).
func (d *Domain) DiskErrors() []libvirt.DomainDiskError {
	all := Get(d.t, "ask for disk errors", func() ([]libvirt.DomainDiskError, error) { return d.Raw.GetDiskErrors(0) })
	return slices.DeleteFunc(all, func(e libvirt.DomainDiskError) bool { return e.Disk == "" })
}

// ResizeDisk gives a disk of the running guest another size in bytes.
func (d *Domain) ResizeDisk(disk string, bytes uint64) {
	d.t.Do("resize disk", func() error { return d.Raw.BlockResize(disk, bytes, libvirt.DOMAIN_BLOCK_RESIZE_BYTES) })
}

// WaitDiskSize waits until the guest sees that its disk with the serial number has a
// size in bytes.
func (g *Guest) WaitDiskSize(serial string, bytes int64) (disk l2.Disk) {
	g.t.Until(sizeLimit, "the guest sees the new size of disk "+serial, func() bool {
		disk, _ = g.Disk(serial)
		return disk.Bytes == bytes
	})
	return disk
}

// WriteLater has the guest write a text to a disk while the check goes on. What it
// returns waits until the text is written.
func (g *Guest) WriteLater(disk string, offset int64, text string) (wait func()) {
	return g.later("write to "+disk, func(ctx context.Context, c *l2.Client) error {
		return c.WriteDisk(ctx, disk, offset, []byte(text))
	})
}

// later asks the guest while the check goes on. What it returns waits for the answer.
func (g *Guest) later(what string, question func(context.Context, *l2.Client) error) (wait func()) {
	done, client, ctx := make(chan error, 1), g.client, g.t.ctx
	go func() { done <- question(ctx, client) }()
	return func() {
		g.ask(guestAnswer, what+" to the end", func(ctx context.Context, _ *l2.Client) error {
			select {
			case err := <-done:
				return err
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		})
	}
}

// EmulatorOwner is whom the guest's emulator runs as: "user:group" by their names.
func (d *Domain) EmulatorOwner() string {
	return strings.Join(strings.Fields(d.t.Sh("ps -o euser:32=,egroup:32= -p $("+emulatorOf(d.Name)+")")), ":")
}

// OpenFiles are the paths that the guest's emulator has open, as its own user sees them:
// in a container root may not look.
func (d *Domain) OpenFiles() []string {
	user, group, _ := strings.Cut(d.EmulatorOwner(), ":")
	look := "readlink /proc/$(" + emulatorOf(d.Name) + ")/fd/* | sort -u"
	return strings.Fields(d.t.Sh("setpriv --reuid " + user + " --regid " + group + " --clear-groups sh -c " + host.Quote(look)))
}
