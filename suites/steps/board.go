package steps

import (
	"context"
	"strconv"
	"time"

	"github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"libvirt.org/go/libvirt"
)

// SharedMemory is the device by which guests have memory in common, as a guest finds it on
// its PCI bus: the place of a disk in ReadAt and WriteAt.
const SharedMemory = "1af4:1110"

// Discard has the guest give bytes of a disk back.
func (g *Guest) Discard(disk string, offset int64, n int) {
	g.ask(guestAnswer, "discard a part of "+disk, func(ctx context.Context, c *l2.Client) error { return c.Discard(ctx, disk, offset, n) })
}

// RTC is what the clock on the guest's board shows.
func (g *Guest) RTC() time.Time { return g.SetRTC(time.Time{}) }

// SetRTC has the guest set the clock on its board, and returns what that shows then.
func (g *Guest) SetRTC(to time.Time) time.Time {
	return guestSays(g, "read the clock on its board", func(c *l2.Client, ctx context.Context) (time.Time, error) { return c.RTC(ctx, to) })
}

// ArmWatchdog has the guest arm its watchdog and never feed it.
func (g *Guest) ArmWatchdog(after time.Duration) {
	g.ask(guestAnswer, "arm its watchdog", func(ctx context.Context, c *l2.Client) error { return c.Watchdog(ctx, after) })
}

// WatchWatchdog collects what libvirt tells of watchdogs of the domain that bit.
func (d *Domain) WatchWatchdog() *Heard[libvirt.DomainEventWatchdogAction] {
	return watch(d, func(conn *libvirt.Connect, take func(libvirt.DomainEventWatchdogAction)) (int, error) {
		return conn.DomainEventWatchdogRegister(d.Raw, func(_ *libvirt.Connect, _ *libvirt.Domain, e *libvirt.DomainEventWatchdog) { take(e.Action) })
	})
}

// WatchRTC collects what libvirt tells of changes of the clock on the domain's board: by how
// much it differs from UTC, as whole seconds.
func (d *Domain) WatchRTC() *Heard[time.Duration] {
	return watch(d, func(conn *libvirt.Connect, take func(time.Duration)) (int, error) {
		return conn.DomainEventRTCChangeRegister(d.Raw, func(_ *libvirt.Connect, _ *libvirt.Domain, e *libvirt.DomainEventRTCChange) {
			take(time.Duration(e.Utcoffset) * time.Second)
		})
	})
}

// autoDumps is where libvirt dumps guests that crash or whose watchdog bites (auto_dump_path of
// qemu.conf). A file's name has the domain's ID and name, and when it was dumped
// (getAutoDumpPath).
const autoDumps = "/var/lib/libvirt/qemu/dump/"

// dumpLimit is how long a guest may take to be dumped, at scale 1.
const dumpLimit = time.Minute

// WaitDump waits until libvirt has dumped the domain by itself, after which that has the state,
// and asserts that a word of the guest's memory is in the dump.
func (t *T) WaitDump(d *Domain, then libvirt.DomainState, word string) {
	file := ""
	t.Until(dumpLimit, "libvirt has dumped "+d.Name, func() bool {
		file = t.Sh("ls -d " + autoDumps + "*-" + d.Name + "-* 2>/dev/null | head -n 1")
		return file != "" && d.State() == then
	})
	t.RemoveAfter(file)
	t.Expect(t.Holds(file, word)).To(gomega.BeTrue(), "the guest's word is in the dump of %s", d.Name)
}

// HostTime is what the host's clock shows.
func (t *T) HostTime() time.Time {
	seconds, err := strconv.ParseInt(t.Sh("date +%s"), 10, 64)
	t.must(err, "read the host's clock")
	return time.Unix(seconds, 0).UTC()
}

// LoadModules has the guest load the modules for what few guests have.
func (g *Guest) LoadModules() {
	g.ask(guestAnswer, "load modules", func(ctx context.Context, c *l2.Client) error { return c.LoadModules(ctx) })
}
