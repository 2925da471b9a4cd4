package cell

import (
	"context"
	"fmt"

	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"libvirt.org/go/libvirt"
)

// shared is the guest that checks of a cell borrow. Booting a guest is most of
// what a check costs under emulation, and for many a running one will do.
type shared struct {
	guest domain.Guest
	xml   string
}

// SharedDiskBytes is the size of the disk of a borrowed guest.
const SharedDiskBytes = 16 << 20

// Borrow returns a running guest, started by an earlier check or now. It has a
// disk. A check may do with it what it likes: the next one that borrows starts
// it again when it is not running, and a check that fails takes the whole host
// with it.
func (t *T) Borrow(ctx context.Context) (*Domain, *Guest) {
	conn := t.Connect(ctx)
	if t.cell.shared == nil {
		t.cell.shared = t.defineShared(ctx, conn)
	}
	s := t.cell.shared
	d := &Domain{t: t, Name: s.guest.Name, Token: s.guest.Token, XML: s.xml}
	t.Do(ctx, "look shared domain up", func() (err error) {
		d.Domain, err = conn.LookupDomainByName(s.guest.Name)
		return err
	})
	if d.State(ctx) != libvirt.DOMAIN_RUNNING {
		d.Start(ctx)
	}
	return d, d.Guest(ctx)
}

func (t *T) defineShared(ctx context.Context, conn *libvirt.Connect) *shared {
	g := t.NewGuest()
	disk := host.ScratchDir + "/" + g.Name + ".img"
	t.Sh(ctx, fmt.Sprintf("truncate -s %d %s", SharedDiskBytes, disk))
	s := &shared{guest: g, xml: t.Marshal(t.Describe(g, domain.WithDisk(disk, "raw")))}
	t.Do(ctx, "define shared domain", func() error {
		d, err := conn.DomainDefineXMLFlags(s.xml, 0)
		if err == nil {
			_ = d.Free()
		}
		return err
	})
	return s
}

// SaveFile is where a check saves a domain to.
func SaveFile(name string) string { return host.ScratchDir + "/" + name + ".save" }

// RemoveAfter removes a file of L1 when the check is over.
func (t *T) RemoveAfter(path string) {
	t.Cleanup(func(ctx context.Context) error {
		_, err := t.vm.Exec(ctx, "rm -rf "+host.Quote(path))
		return err
	})
}
