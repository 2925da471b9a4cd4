package lifecycle

import (
	"fmt"
	"math"
	"time"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// savedGuests is the status of a service that has stopped guests and not started them again.
const savedGuests = 3

var _ = check.Register("O-GUESTS-SAVE", check.Spec{
	Asserts:  "Guests that libvirt-guests saves as the host goes down go on once it is up, a paused one paused, and a transient one is named and left",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "0.9.10")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU, matrix.XenHyp),
	Control:  sabotage.Guest(l2.ForgetWord),
}, func(t *steps.T) {
	service := t.GuestsService()
	service.Configure("ON_SHUTDOWN=suspend\nON_BOOT=start")
	off, transient, g := t.Define(), t.Create(), t.Guest()
	paused, still := t.Started()
	marks := map[*steps.Guest]steps.Mark{g: g.Mark(), still: still.Mark()}
	// libxl saves no paused guest: its kernel suspends itself.
	if t.Kind() == matrix.KVM {
		paused.Suspend()
	}
	t.Expect(service.Does("stop", 0)).To(ContainSubstring("Not suspending transient guests on URI: %s: %s", t.URI(), transient.Name))
	for guest := range marks {
		guest.Domain.ExpectOff(libvirt.DOMAIN_SHUTOFF_SAVED)
	}
	service.Does("status", savedGuests)
	t.Expect(transient.State()).To(Equal(libvirt.DOMAIN_RUNNING), "state of the transient guest")
	transient.Destroy()

	hostBoots(t, service)
	if t.Kind() == matrix.KVM {
		t.Expect(paused.Again().State()).To(Equal(libvirt.DOMAIN_PAUSED), "state of the guest that was saved while it was paused")
		paused.Again().Resume()
	}
	for guest, mark := range marks {
		guest.Domain.Again().Guest()
		guest.ExpectGoesOn(mark)
		t.Expect(guest.Domain.HasManagedSave()).To(BeFalse(), "the image is used up")
	}
	t.Expect(off.Again().Active()).To(BeFalse(), "a domain that was off runs")
})

// hostBoots has a new daemon, and then libvirt-guests.
func hostBoots(t *steps.T, service *steps.GuestsService) {
	t.RestartLibvirt(sigterm)
	service.Does("start", 0)
	service.Does("status", 0)
}

// stubborn is how long guests are waited for that do not go down, at scale 1.
const stubborn = 10 * time.Second

var _ = check.Register("O-GUESTS-SHUT", check.Spec{
	Asserts:  "Guests that libvirt-guests shuts down with the host boot with it if they are to, and one that does not go down is waited for as long as was set",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "0.9.10")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU, matrix.XenHyp),
	Control:  sabotage.Wrap("virsh", "a virsh that starts nothing", `case "$*" in *" start "*) exit 0;; esac; exec $REAL "$@"`),
}, func(t *steps.T) {
	service := t.GuestsService()
	service.Configure(fmt.Sprintf("ON_SHUTDOWN=shutdown\nPARALLEL_SHUTDOWN=2\nSHUTDOWN_TIMEOUT=%.0f", math.Ceil(t.Limit(stubborn).Seconds())))
	service.Configure("ON_BOOT=start")
	g := t.Guest()
	paused, _ := t.Started()
	boot := g.Tick().BootID
	paused.Suspend() // and hears of no shutdown
	service.Does("stop", 1)
	g.Domain.WaitFor(libvirt.DOMAIN_SHUTOFF)
	t.Expect(paused.State()).To(Equal(libvirt.DOMAIN_PAUSED), "state of the guest that does not go down")
	service.Does("status", savedGuests)
	paused.Destroy()

	hostBoots(t, service)
	for _, d := range []*steps.Domain{g.Domain, paused} {
		d.Again().Guest()
	}
	t.Expect(g.Domain.Again().Guest().Tick().BootID).NotTo(Equal(boot), "boot ID after the host's boot")

	service.Configure("PARALLEL_SHUTDOWN=0\nON_BOOT=ignore") // one after the other
	service.Does("stop", 0)
	hostBoots(t, service)
	for _, d := range []*steps.Domain{g.Domain, paused} {
		t.Expect(d.Again().Active()).To(BeFalse(), "%s runs, and no guest is to start with the host", d.Name)
	}
})
