package lifecycle

import (
	"time"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/internal/layout"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// unfed is how long each timer of a guest's watchdog runs, in the guest's time.
const unfed = 200 * time.Millisecond

var _ = check.Register("O-WATCHDOG", check.Spec{
	Asserts:  "A guest whose watchdog is not fed is reset, paused, dumped or ended, as its XML says, and an event tells of that",
	Requires: []matrix.Requirement{matrix.KVMStack},
	Depends:  check.On(matrix.Linux, matrix.QEMU, matrix.Libvirt, "machine"),
	Control:  sabotage.Wrap(layout.Emulator, "an emulator whose watchdogs do not bite", `set -- "${@/#pause/none}"; exec $REAL "${@//watchdog=pause/watchdog=none}"`),
}, func(t *steps.T) {
	bites := func(action string, told libvirt.DomainEventWatchdogAction) (*steps.Guest, steps.Mark) {
		d, g := t.Started(domain.WithWatchdog(action))
		heard, mark := d.WatchWatchdog(), g.Mark()
		g.ArmWatchdog(unfed)
		heard.Wait("the watchdog bit, to "+action, func(a libvirt.DomainEventWatchdogAction) bool { return a == told })
		return g, mark
	}
	g, mark := bites("pause", libvirt.DOMAIN_EVENT_WATCHDOG_PAUSE)
	g.Domain.WaitFor(libvirt.DOMAIN_PAUSED)
	_, reason := g.Domain.StateReason()
	t.Expect(libvirt.DomainPausedReason(reason)).To(Equal(libvirt.DOMAIN_PAUSED_WATCHDOG), "reason of the pause")
	g.Domain.Resume()
	g.ExpectGoesOn(mark)

	g, mark = bites("dump", libvirt.DOMAIN_EVENT_WATCHDOG_PAUSE)
	t.WaitDump(g.Domain, libvirt.DOMAIN_RUNNING, mark.Word)
	g.ExpectGoesOn(mark)

	g, _ = bites("poweroff", libvirt.DOMAIN_EVENT_WATCHDOG_POWEROFF)
	g.Domain.WaitFor(libvirt.DOMAIN_SHUTOFF)

	g, mark = bites("reset", libvirt.DOMAIN_EVENT_WATCHDOG_RESET)
	t.Until(time.Minute, "the guest has booted anew", func() bool { return g.WaitReady().BootID != mark.BootID })
	t.Expect(g.Domain.State()).To(Equal(libvirt.DOMAIN_RUNNING), "state after the watchdog's reset")
})

var _ = check.Register("O-CRASH", check.Spec{
	Asserts:  "A guest whose kernel panics is ended, kept, dumped or started anew, as its XML says, and events tell of that",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "1.3.1")},
	Depends:  check.On(matrix.Linux, matrix.QEMU, matrix.Libvirt, "machine"),
	Control:  sabotage.SetWord("virDomainGetState", 0, uint32(libvirt.DOMAIN_RUNNING)),
}, func(t *steps.T) {
	events := t.WatchEvents()
	panics := func(action string) (*steps.Guest, steps.Mark) {
		d, g := t.Started(domain.WithPanic(action))
		mark := g.Mark()
		g.Panic()
		events.Through(d, "a panic of the guest's kernel", steps.Event{Type: libvirt.DOMAIN_EVENT_CRASHED, Detail: int(libvirt.DOMAIN_EVENT_CRASHED_PANICKED)})
		return g, mark
	}
	g, mark := panics("preserve")
	state, reason := g.Domain.StateReason()
	t.Expect(state).To(Equal(libvirt.DOMAIN_CRASHED), "state of the guest that is kept")
	t.Expect(libvirt.DomainCrashedReason(reason)).To(Equal(libvirt.DOMAIN_CRASHED_PANICKED), "reason of the state")
	file := t.Scratch("core")
	t.Do("dump a guest that crashed", func() error {
		return g.Domain.Raw.CoreDumpWithFormat(file, libvirt.DOMAIN_CORE_DUMP_FORMAT_RAW, libvirt.DUMP_MEMORY_ONLY)
	})
	t.Expect(t.Holds(file, mark.Word)).To(BeTrue(), "the guest's word is in the dump of what was kept")
	g.Domain.Destroy()

	g, _ = panics("destroy")
	g.Domain.WaitFor(libvirt.DOMAIN_SHUTOFF)
	g.Domain.ExpectOff(libvirt.DOMAIN_SHUTOFF_CRASHED)

	g, mark = panics("coredump-destroy")
	t.WaitDump(g.Domain, libvirt.DOMAIN_SHUTOFF, mark.Word)

	g, mark = panics("restart")
	t.Until(time.Minute, "the guest has booted anew", func() bool { return g.WaitReady().BootID != mark.BootID })
	t.Expect(g.Domain.State()).To(Equal(libvirt.DOMAIN_RUNNING), "state of the guest that is started anew")
})
