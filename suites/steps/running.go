package steps

import (
	"fmt"
	"slices"

	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"libvirt.org/go/libvirt"
)

// sharedGuest is the guest that checks of a host borrow. Booting a guest is most of
// what a check costs under emulation, and for many a running one will do.
type sharedGuest struct {
	domain.Guest
	// xml is what it was made from, defined what libvirt made of that.
	xml, defined string
}

// SharedDiskBytes is the size of the disk of a borrowed guest.
const SharedDiskBytes = 16 << 20

// Guest returns a running guest with a disk, started by an earlier check or now. A
// check may do with it what it likes: the next one gets it as it was defined, and
// running. Where no guest can be had the check is blocked.
func (t *T) Guest() *Guest {
	var g *Guest
	t.require("a running guest", "O-START", func() { g = t.borrow() })
	return g
}

// Lends says that a domain is the guest that checks of the host borrow.
func (t *T) Lends(name string) bool { return t.s.guest != nil && t.s.guest.Name == name }

func (t *T) borrow() *Guest {
	conn := t.Connection()
	if t.s.guest == nil {
		t.s.guest = t.defineShared(conn)
	}
	s := t.s.guest
	if !slices.Contains(conn.Names(), s.Name) {
		conn.Define(s.defined)
	}
	d := conn.Lookup(s.Name)
	d.Token, d.XML = s.Token, s.xml
	if !d.Persistent() || d.Dump(libvirt.DOMAIN_XML_INACTIVE) != s.defined {
		conn.Define(s.defined)
	}
	switch d.State() {
	case libvirt.DOMAIN_RUNNING:
	case libvirt.DOMAIN_PAUSED:
		d.Resume()
	default:
		d.Start()
	}
	return d.Guest()
}

func (t *T) defineShared(conn *Connection) *sharedGuest {
	g := t.NewGuest()
	disk := host.ScratchDir + "/" + g.Name + ".img"
	t.Sh(fmt.Sprintf("truncate -s %d %s", SharedDiskBytes, disk))
	s := &sharedGuest{Guest: g, xml: t.Marshal(t.Describe(g, domain.WithDisk(disk, "raw")))}
	conn.Define(s.xml)
	s.defined = conn.Lookup(g.Name).Dump(libvirt.DOMAIN_XML_INACTIVE)
	return s
}
