package steps

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"github.com/virtmatrix/virtmatrix/internal/hosttest"
	"github.com/virtmatrix/virtmatrix/matrix"
	"libvirt.org/go/libvirt"
)

// borrowable is a guest as libvirt's driver for tests knows one.
const borrowable = `<domain type="test"><name>l2-x</name><memory>8192</memory><os><type>hvm</type></os></domain>`

// shares gives the host of an attempt a guest to borrow, and changes it before.
func shares(change func(*libvirt.Domain) error) func(*bench) {
	return func(b *bench) {
		b.t.Helper()
		node := filepath.Join(b.t.TempDir(), "node.xml")
		if err := os.WriteFile(node, []byte("<node/>"), 0o644); err != nil {
			b.t.Fatal(err)
		}
		var err error
		if b.session.conn, err = libvirt.NewConnect("test://" + node); err != nil {
			b.t.Fatal(err)
		}
		d, err := b.session.conn.DomainDefineXML(borrowable)
		if err != nil {
			b.t.Fatal(err)
		}
		s := &sharedGuest{Guest: domain.Guest{Name: "l2-x", Token: "x"}, xml: borrowable}
		if s.defined, err = d.GetXMLDesc(libvirt.DOMAIN_XML_INACTIVE); err == nil {
			err = change(d)
		}
		if err != nil {
			b.t.Fatal(err)
		}
		b.session.guest = s
	}
}

func TestABorrowedGuestRunsAndIsAsItWasDefined(t *testing.T) {
	for name, change := range map[string]func(*libvirt.Domain) error{
		"it is off":     func(*libvirt.Domain) error { return nil },
		"it runs":       (*libvirt.Domain).Create,
		"it was paused": func(d *libvirt.Domain) error { _ = d.Create(); return d.Suspend() },
		"its definition was changed": func(d *libvirt.Domain) error {
			_ = d.Create()
			return d.SetMemoryFlags(4096, libvirt.DOMAIN_MEM_CONFIG)
		},
		"its definition was removed": func(d *libvirt.Domain) error { _ = d.Create(); return d.Undefine() },
		"it was removed":             (*libvirt.Domain).Undefine,
	} {
		t.Run(name, func(t *testing.T) {
			on(t, passes, func(t *T, h *hosttest.Host) {
				talks(h, says("x"))
				d := t.Guest().Domain
				if state := d.State(); state != libvirt.DOMAIN_RUNNING {
					t.Fail(matrix.LayerManagement, "it is in state %d", state)
				}
				if got := d.Dump(libvirt.DOMAIN_XML_INACTIVE); got != t.s.guest.defined || !d.Persistent() {
					t.Fail(matrix.LayerManagement, "it is defined as\n%s\nand was as\n%s", got, t.s.guest.defined)
				}
			}, shares(change))
		})
	}
}

func TestACheckWithoutTheGuestThatItRequiresIsBlocked(t *testing.T) {
	silence := func(t *T, h *hosttest.Host) {
		talks(h, silent)
		time.AfterFunc(time.Second, func() { h.Schedule(guestBoot, 0) })
		t.Guest()
	}
	asIs := shares((*libvirt.Domain).Create)
	on(t, func(b *bench, err error) {
		ends(matrix.Blocked, matrix.LayerL2, "requires a running guest, and none could be had", "the guest did not answer")(b, err)
		blockedBy(b, err, "O-START")
	}, silence, asIs)
	// The check that answers for it fails, a starved machine is no answer, and a host
	// that died is its own.
	on(t, ends(matrix.Fail, matrix.LayerL2, "the guest did not answer"), silence, asIs, func(b *bench) { b.Check = "O-START" })
	on(t, infra("starved machine"), func(t *T, h *hosttest.Host) {
		time.AfterFunc(time.Second, h.Starve)
		talks(h, silent)
		t.Guest()
	}, asIs)
	on(t, ends(matrix.Fail, matrix.LayerKernel, "Kernel panic"), func(t *T, h *hosttest.Host) {
		h.Die(hosttest.Panicked)
		t.Guest()
	}, asIs)
}

func TestTheFirstCheckThatWantsAGuestDefinesIt(t *testing.T) {
	on(t, passes, func(t *T, h *hosttest.Host) {
		talks(h, func(req l2.Request) *l2.Message { return says(t.s.guest.Token)(req) })
		first := t.Guest()
		if again := t.Guest(); again != first {
			t.Fail(matrix.LayerManagement, "it is %s, and then %s", first.Name, again.Name)
		}
		if xml := first.Domain.Dump(0); !strings.Contains(xml, first.Name+".img") {
			t.Fail(matrix.LayerManagement, "it has no disk:\n%s", xml)
		}
	}, shares((*libvirt.Domain).Undefine), func(b *bench) { b.session.guest = nil })
}
