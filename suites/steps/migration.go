package steps

import (
	"time"

	"github.com/virtmatrix/virtmatrix/matrix"
	"libvirt.org/go/libvirt"
)

// migrationLimit bounds a migration of a small guest at scale 1. Between two emulated
// hosts one took 50 s.
const migrationLimit = 5 * time.Minute

// MigrateTo moves the running guest to another host of the check and returns its
// domain there, which is gone when the check is over.
func (d *Domain) MigrateTo(peer *T, flags libvirt.DomainMigrateFlags) *Domain {
	peer.forget(d.Name)
	address := peer.Host().Address()
	params := libvirt.DomainMigrateParameters{URISet: true, URI: address.Migrate}
	d.t.doWithin(migrationLimit, "migrate domain", func() error { return d.Raw.MigrateToURI3(address.Libvirt, &params, flags) })
	moved := peer.Connection().Lookup(d.Name)
	moved.Token, moved.XML = d.Token, d.XML
	if state := moved.State(); state != libvirt.DOMAIN_RUNNING {
		d.t.Fail(matrix.LayerManagement, "the migration succeeded, and the domain is in state %d on its new host", state)
	}
	return moved
}
