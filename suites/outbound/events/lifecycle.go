// Package events holds the checks of what libvirt tells without being asked.
package events

import (
	"fmt"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// The events of a life cycle, in the words of virDomainEventType and its
// details.
var (
	defined    = steps.Event{Type: libvirt.DOMAIN_EVENT_DEFINED, Detail: int(libvirt.DOMAIN_EVENT_DEFINED_ADDED)}
	redefined  = steps.Event{Type: libvirt.DOMAIN_EVENT_DEFINED, Detail: int(libvirt.DOMAIN_EVENT_DEFINED_UPDATED)}
	undefined  = steps.Event{Type: libvirt.DOMAIN_EVENT_UNDEFINED, Detail: int(libvirt.DOMAIN_EVENT_UNDEFINED_REMOVED)}
	booted     = steps.Event{Type: libvirt.DOMAIN_EVENT_STARTED, Detail: int(libvirt.DOMAIN_EVENT_STARTED_BOOTED)}
	suspended  = steps.Event{Type: libvirt.DOMAIN_EVENT_SUSPENDED, Detail: int(libvirt.DOMAIN_EVENT_SUSPENDED_PAUSED)}
	resumed    = steps.Event{Type: libvirt.DOMAIN_EVENT_RESUMED, Detail: int(libvirt.DOMAIN_EVENT_RESUMED_UNPAUSED)}
	poweredOff = steps.Event{Type: libvirt.DOMAIN_EVENT_SHUTDOWN, Detail: int(libvirt.DOMAIN_EVENT_SHUTDOWN_GUEST)}
	signalled  = steps.Event{Type: libvirt.DOMAIN_EVENT_SHUTDOWN, Detail: int(libvirt.DOMAIN_EVENT_SHUTDOWN_HOST)}
	stopped    = steps.Event{Type: libvirt.DOMAIN_EVENT_STOPPED, Detail: int(libvirt.DOMAIN_EVENT_STOPPED_SHUTDOWN)}
	destroyed  = steps.Event{Type: libvirt.DOMAIN_EVENT_STOPPED, Detail: int(libvirt.DOMAIN_EVENT_STOPPED_DESTROYED)}
)

var _ = check.Register("O-EV-DOM", check.Spec{
	Asserts:  "Every step of a life cycle brings its event with its detail, in order",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "0.8.0")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU, matrix.XenHyp, "machine"),
	Control:  sabotage.DoubleEvents(),
}, func(t *steps.T) {
	events := t.WatchEvents()
	d := t.Define()
	// tells asserts what came since the last step: one of some sequences that
	// end in the same event.
	tells := func(after string, either ...[]steps.Event) {
		last := either[0][len(either[0])-1]
		t.Expect(fmt.Sprint(events.Through(d, after, last))).To(BeElementOf(words(either)), "events after %s", after)
	}
	tells("define", []steps.Event{defined})
	again := d.Dump(libvirt.DOMAIN_XML_INACTIVE)
	t.Connection().Define(again)
	tells("define again", []steps.Event{redefined})
	d.Start()
	tells("start", onStart(t))
	d.Suspend()
	tells("suspend", []steps.Event{suspended})
	d.Resume()
	tells("resume", []steps.Event{resumed})
	d.Guest().PowerOff()
	tells("the guest's power-off", onPowerOff(t))
	d.WaitFor(libvirt.DOMAIN_SHUTOFF)
	d.StartWith(libvirt.DOMAIN_START_PAUSED)
	tells("start paused", onStartPaused(t))
	d.Destroy()
	tells("destroy", onDestroy(t)...)
	d.Undefine()
	tells("undefine", []steps.Event{undefined})
})

func words(either [][]steps.Event) (words []any) {
	for _, events := range either {
		words = append(words, fmt.Sprint(events))
	}
	return words
}

// onStart: qemu is started with its processors stopped and resumes them
// (qemuProcessHandleResume); libxl unpauses without a word
// (libxlDomainStartPerform).
func onStart(t *steps.T) []steps.Event {
	if t.Kind() == matrix.Xen {
		return []steps.Event{booted}
	}
	return []steps.Event{resumed, booted}
}

// onStartPaused: only the qemu driver tells that the domain waits
// (qemuDomainCreateXML, qemuDomainObjStart).
func onStartPaused(t *steps.T) []steps.Event {
	if t.Kind() == matrix.Xen {
		return []steps.Event{booted}
	}
	return []steps.Event{booted, suspended}
}

// onPowerOff: qemu reports the guest's wish before its process ends
// (qemuProcessHandleShutdown); libxl learns of it when it is over
// (libxlDomainShutdownThread).
func onPowerOff(t *steps.T) []steps.Event {
	if t.Kind() == matrix.Xen {
		return []steps.Event{stopped}
	}
	return []steps.Event{poweredOff, stopped}
}

// onDestroy: qemu is asked to end by a signal first and reports a shutdown that
// the host wished for, which the driver tells unless the domain is off by then
// (qemuProcessBeginStopJob, qemuProcessHandleShutdown).
func onDestroy(t *steps.T) [][]steps.Event {
	if t.Kind() == matrix.Xen {
		return [][]steps.Event{{destroyed}}
	}
	return [][]steps.Event{{destroyed}, {signalled, destroyed}}
}
