package cell

import (
	"context"
	"fmt"
	"strings"

	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// Settings are what the cell's settings make of its kvm guests.
func (t *T) Settings() domain.Settings {
	s, err := domain.Read(t.cell.Plan, t.cell.run.Accel)
	t.must(err, "read settings")
	return s
}

// Machine is the versioned machine type of the cell's guests.
func (t *T) Machine() string { return t.Settings().Seen.Machine }

// GuestMemoryKB is the memory of a guest that Describe describes, in KiB.
func (t *T) GuestMemoryKB() int64 { return int64(t.Describe(domain.Guest{}).Memory.Value) << 10 }

// Security is what libvirt confines emulators by: "none" or "apparmor".
func (t *T) Security() string {
	if v, ok := t.cell.Plan.Value(host.Security); ok {
		return v
	}
	return "none"
}

// Confinement is the profile that a guest's emulator runs under, and how it is
// held to it, as the kernel says: "libvirt-UUID (enforce)". It is empty without.
// What Docker confines a whole container by, its init too, is not libvirt's doing
// and counts as none.
func (t *T) Confinement(ctx context.Context, name string) string {
	said := t.profile(ctx, "$("+emulatorOf(name)+")")
	if said == "unconfined" || t.cell.contained() && said == t.profile(ctx, "1") {
		return ""
	}
	return said
}

// profile is what the kernel says that a process of L1 runs under.
func (t *T) profile(ctx context.Context, pid string) string {
	// The file cannot be read when no security module is there to answer.
	return strings.Trim(t.Sh(ctx, "cat /proc/"+pid+"/attr/current 2>/dev/null || true"), "\x00\n")
}

// DiskImage makes the raw image of a guest's disk in L1 and the option that
// gives it to the guest.
func (t *T) DiskImage(ctx context.Context, name string, bytes int64) (path string, disk domain.Option) {
	path = t.Scratch(name + ".img")
	t.Sh(ctx, fmt.Sprintf("truncate -s %d %s", bytes, path))
	return path, domain.WithDisk(path, "raw")
}

// guestAccel is what runs the cell's guests. A plan with settings that cannot be
// read is refused before a cell is opened.
func (c *Cell) guestAccel() string {
	if c.Plan.Kind == matrix.Xen {
		return "xen-pv"
	}
	s, _ := domain.Read(c.Plan, c.run.Accel)
	return s.Accel
}

// contained says that the cell's host is a container.
func (c *Cell) contained() bool { return c.Plan.Tier == matrix.Container }
