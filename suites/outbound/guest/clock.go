package guest

import (
	"fmt"
	"time"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/internal/layout"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirtxml"
)

// readsWithin is how far from the right time a clock may be read that was right when it was
// asked, at scale 1.
const readsWithin = 20 * time.Second

var _ = check.Register("O-RTC", check.Spec{
	Asserts:  "The clock on a guest's board shows UTC and what the XML adds; what the guest sets it to is told, and kept over a save",
	Requires: []matrix.Requirement{matrix.KVMStack},
	Depends:  check.On(matrix.Linux, matrix.QEMU, matrix.Libvirt, "machine", "accel"),
	Control:  sabotage.Wrap(layout.Emulator, "an emulator whose clocks show UTC", `exec $REAL "${@/#base=20*/base=utc}"`),
}, func(t *steps.T) {
	const ahead, further = time.Hour, 3 * time.Hour
	d, g := t.Started(domain.WithClock(libvirtxml.DomainClock{Offset: "variable", Basis: "utc", Adjustment: fmt.Sprint(ahead.Seconds())}))
	shows := func(when string, by time.Duration) {
		t.Expect(g.RTC()).To(BeTemporally("~", t.HostTime().Add(by), t.Limit(readsWithin)), "clock on the guest's board %s", when)
	}
	shows("at the start", ahead)
	told := d.WatchRTC()
	g.SetRTC(t.HostTime().Add(further))
	about := func(by time.Duration) bool { return (by - further).Abs() < t.Limit(readsWithin) }
	told.Wait("the guest set its clock", about)
	shows("after the guest set it", further)
	kept := func(when string) {
		adjustment, err := time.ParseDuration(d.Live().Clock.Adjustment + "s")
		t.Expect(err).NotTo(HaveOccurred(), "adjustment in the live XML %s", when)
		t.Expect(about(adjustment)).To(BeTrue(), "the live XML has %s %s", adjustment, when)
		shows(when, further)
	}
	kept("once the event has come")
	file := t.Scratch("saved")
	d.Save(file)
	t.Connection().Restore(file)
	g = d.Guest()
	kept("after save and restore")

	_, g = t.Started(domain.WithClock(libvirtxml.DomainClock{Offset: "utc"}))
	shows("of a guest that has UTC", 0)
	if !t.AtLeast(matrix.Libvirt, "8.4.0") {
		return
	}
	began := time.Date(2001, 9, 9, 1, 46, 40, 0, time.UTC)
	_, g = t.Started(domain.WithClock(libvirtxml.DomainClock{Offset: "absolute", Start: uint(began.Unix())}))
	t.Expect(g.RTC()).To(BeTemporally("~", began, t.Limit(time.Minute)), "clock of a guest that begins at another time")
})
