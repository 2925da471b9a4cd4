package outbound

import (
	"context"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"github.com/virtmatrix/virtmatrix/suites/cell"
	"libvirt.org/go/libvirt"
)

func saves(ctx context.Context, t *cell.T) {
	d, g := t.Borrow(ctx)
	conn, file := t.Connect(ctx), t.Scratch("image")
	mark := markOf(ctx, g, "kept over a save")
	d.Do(ctx, "save domain", func(d *libvirt.Domain) error { return d.SaveFlags(file, "", 0) })
	d.Reaches(ctx, libvirt.DOMAIN_SHUTOFF)
	isOff(ctx, t, d, libvirt.DOMAIN_SHUTOFF_SAVED)
	t.Expect(t.Run(ctx, "test -s "+file).OK()).To(BeTrue(), "the image has content")
	t.Do(ctx, "restore domain", func() error { return conn.DomainRestoreFlags(file, "", 0) })
	t.Expect(d.State(ctx)).To(Equal(libvirt.DOMAIN_RUNNING))
	goesOn(ctx, t, g, mark)
}

func savesManaged(ctx context.Context, t *cell.T) {
	d, g := t.Borrow(ctx)
	mark := markOf(ctx, g, "kept over a managed save")
	d.Do(ctx, "save domain for its next start", func(d *libvirt.Domain) error { return d.ManagedSave(0) })
	isOff(ctx, t, d, libvirt.DOMAIN_SHUTOFF_SAVED)
	t.Expect(hasManagedSave(ctx, d)).To(BeTrue())
	d.Start(ctx)
	goesOn(ctx, t, g, mark)
	t.Expect(hasManagedSave(ctx, d)).To(BeFalse(), "the image is used up")

	d.Do(ctx, "save domain for its next start again", func(d *libvirt.Domain) error { return d.ManagedSave(0) })
	d.Do(ctx, "remove managed save", func(d *libvirt.Domain) error { return d.ManagedSaveRemove(0) })
	t.Expect(hasManagedSave(ctx, d)).To(BeFalse())
	d.Start(ctx)
	g.Meets(ctx)
	t.Expect(g.Tick(ctx).BootID).NotTo(Equal(mark.tick.BootID), "boot ID after a start from nothing")
	t.Expect(g.Kept(ctx)).To(BeEmpty(), "what a fresh guest keeps")
}

func hasManagedSave(ctx context.Context, d *cell.Domain) (has bool) {
	d.Do(ctx, "ask for managed save", func(d *libvirt.Domain) (err error) { has, err = d.HasManagedSaveImage(0); return err })
	return has
}

// mark is what a guest was at before it was stopped.
type mark struct {
	word string
	tick l2.Tick
}

// markOf gives the guest a word to keep and notes its pulse.
func markOf(ctx context.Context, g *cell.Guest, word string) mark {
	word += " by " + g.Token
	g.Keep(ctx, word)
	return mark{word, g.Tick(ctx)}
}

// goesOn asserts that the guest went on from its mark: the same boot, its pulse
// from where it stood, the word still in its memory.
func goesOn(ctx context.Context, t *cell.T, g *cell.Guest, m mark) {
	g.Meets(ctx)
	g.TickedOn(ctx, m.tick)
	t.Expect(g.Kept(ctx)).To(Equal(m.word))
}
