package steps

import (
	"fmt"
	"syscall"

	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// richDiskBytes is the size of the disk of a rich guest.
const richDiskBytes = 1 << 20

// Shared names a file in the folder that all hosts of the check see; empty where there
// is no such folder. It is removed when the check is over.
func (t *T) Shared(name string) (path string) {
	folder := t.Host().Address().Shared
	if folder == "" {
		return ""
	}
	path = folder + "/" + t.Check + "-" + name
	t.RemoveAfter(path)
	return path
}

// RichGuest starts a guest with one of each device, and a disk where the hosts share a
// folder. Its machine type is the usual one of another host: of the older of two stacks,
// the newer one knows it too.
func (t *T) RichGuest(machineOf *T) *Guest {
	opts := []domain.Option{domain.Rich}
	if image := t.Shared("disk.img"); image != "" {
		t.Sh(fmt.Sprintf("truncate -s %d %s", richDiskBytes, host.Quote(image)))
		opts = append(opts, domain.WithDisk(image, "raw"))
	}
	g := t.NewGuest()
	d := t.DefineXML(g, t.Marshal(machineOf.Describe(g, opts...)))
	d.Start()
	return d.Guest()
}

// TryRestore restores a guest of another host from the file that it was saved to, and
// returns libvirt's error. What is restored is gone when the check is over.
func (t *T) TryRestore(file string, g *Guest) error {
	if g.t.s != t.s {
		t.forget(g.Name)
	}
	conn := t.Connection().Raw
	return t.Try("restore domain", func() error { return conn.DomainRestoreFlags(file, "", 0) })
}

// Restored is a guest on the host that restored it.
func (t *T) Restored(g *Guest) *Guest { return g.Domain.movedTo(t, g.Name).Guest() }

// RestoreFrom restores a guest of another host, which must go well.
func (t *T) RestoreFrom(file string, g *Guest) *Guest {
	if err := t.TryRestore(file, g); err != nil {
		t.Fail(matrix.LayerManagement, "a guest that %s saved cannot be restored by %s: %s", g.t.Cell, t.Cell, Text(err))
	}
	return t.Restored(g)
}

// Inherit gives libvirt's daemon what the one of another host of Xen knew and saved of a
// domain, as the disk of a host does that boots into the next release, and returns the domain
// that it makes of that. It is gone when the check is over.
func (t *T) Inherit(d *Domain) *Domain {
	t.forget(d.Name)
	d.t.send(t.Layout().LibvirtConfig+"/libxl/"+d.Name+".xml", t)
	d.t.send("/var/lib/libvirt/libxl/save/"+d.Name+".save", t)
	t.RestartLibvirt(syscall.SIGTERM)
	return d.movedTo(t, d.Name)
}
