package events

import (
	"fmt"
	"slices"
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// More events of a life cycle.
var (
	savedEvent    = steps.Event{Type: libvirt.DOMAIN_EVENT_STOPPED, Detail: int(libvirt.DOMAIN_EVENT_STOPPED_SAVED)}
	restoredEvent = steps.Event{Type: libvirt.DOMAIN_EVENT_STARTED, Detail: int(libvirt.DOMAIN_EVENT_STARTED_RESTORED)}
	restoredIdle  = steps.Event{Type: libvirt.DOMAIN_EVENT_SUSPENDED, Detail: int(libvirt.DOMAIN_EVENT_SUSPENDED_RESTORED)}
)

// A guest that is saved has not shut its system down, which is what the
// event says (virDomainEventType: VIR_DOMAIN_EVENT_SHUTDOWN is "guest finished shutdown
// sequence"). Who counts shutdowns takes a save for one.
var _ = check.Register("O-EV-ORDER", check.Spec{
	Asserts:  "Saving, restoring and destroying a guest brings the events of that, in order, and saving none of a shutdown",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "0.9.5")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU, matrix.XenHyp),
	Control:  sabotage.DoubleEvents(),
}, func(t *steps.T) {
	events, file := t.WatchEvents(), t.Scratch("image")
	d := t.Define()
	d.Start()
	d.Guest()
	events.Through(d, "start", booted)
	var told []string
	step := func(what string, last steps.Event, either ...[]steps.Event) {
		got := events.Through(d, what, last)
		if !slices.Contains(words(either), any(fmt.Sprint(got))) {
			told = append(told, fmt.Sprintf("%s brings %v, not %v", what, got, either))
		}
	}
	d.Save(file)
	step("saving", savedEvent, onSave(t)...)
	t.Connection().RestoreWith(file, "", libvirt.DOMAIN_SAVE_PAUSED)
	step("restoring suspended", onRestore(t), []steps.Event{restoredEvent, onRestore(t)}, []steps.Event{restoredEvent})
	d.Resume()
	step("resuming", resumed, []steps.Event{resumed})
	d.ManagedSave()
	step("saving for the next start", savedEvent, onSave(t)...)
	d.Start()
	step("starting from what was saved", restoredEvent, []steps.Event{restoredEvent})
	d.Destroy()
	step("going on and being destroyed", destroyed, onGoingOn(t)...)
	t.Expect(strings.Join(told, "\n")).To(BeEmpty(), "events that are not as documented")
})

// onSave: qemu's processors are stopped first (qemuDomainSaveInternal), which not every
// release tells.
func onSave(t *steps.T) [][]steps.Event {
	return [][]steps.Event{{savedEvent}, {suspended, savedEvent}}
}

// onRestore: only the qemu driver tells that the domain waits.
func onRestore(t *steps.T) steps.Event {
	if t.Kind() == matrix.Xen {
		return restoredEvent
	}
	return restoredIdle
}

// onGoingOn: releases differ in why a guest goes on that was saved (virDomainEventResumed
// has no word for it), and libxl does not tell.
func onGoingOn(t *steps.T) (either [][]steps.Event) {
	if t.Kind() == matrix.Xen {
		return onDestroy(t)
	}
	for _, why := range []libvirt.DomainEventResumedDetailType{libvirt.DOMAIN_EVENT_RESUMED_UNPAUSED, libvirt.DOMAIN_EVENT_RESUMED_FROM_SNAPSHOT} {
		for _, end := range onDestroy(t) {
			either = append(either, append([]steps.Event{{Type: libvirt.DOMAIN_EVENT_RESUMED, Detail: int(why)}}, end...))
		}
	}
	return either
}
