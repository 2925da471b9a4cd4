// Package outbound holds the checks of what users and other SIGs touch: the
// libvirt API and virsh.
package outbound

import (
	"context"
	"time"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/suites/cell"
	"libvirt.org/go/libvirt"
)

// Checks are the behaviours by check ID.
var Checks = map[string]cell.Body{
	"O-CONN":  connects,
	"O-START": starts,
	"O-SAVE":  saves,
}

func connects(ctx context.Context, t *cell.T) {
	conn := t.Connect(ctx)
	var version uint32
	t.Do(ctx, "ask for the library's version", func() (err error) {
		version, err = conn.GetLibVersion()
		return err
	})
	t.Expect(version).NotTo(BeZero())
}

func starts(ctx context.Context, t *cell.T) {
	d, g := t.Started(ctx)
	t.Expect(d.State(ctx)).To(Equal(libvirt.DOMAIN_RUNNING))
	before := g.Tick(ctx)
	g.TickedOn(ctx, before)
}

func saves(ctx context.Context, t *cell.T) {
	d, g := t.Started(ctx)
	g.Keep(ctx, d.Token)
	before := g.Tick(ctx)
	d.Do(ctx, "save domain", func(d *libvirt.Domain) error { return d.SaveFlags("/var/lib/libvirt/images/x.save", "", 0) })
	d.Reaches(ctx, libvirt.DOMAIN_SHUTOFF)
	conn := t.Connect(ctx)
	t.Do(ctx, "restore domain", func() error { return conn.DomainRestoreFlags("/var/lib/libvirt/images/x.save", "", 0) })
	g.Meets(ctx)
	t.Expect(g.Kept(ctx)).To(Equal(d.Token))
	g.TickedOn(ctx, before)
	_ = time.Second
}
