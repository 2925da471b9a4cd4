package outbound

import (
	"context"
	"fmt"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/cell"
	"libvirt.org/go/libvirt"
)

// The events of a life cycle, in the words of virDomainEventType and its
// details.
var (
	defined    = cell.Event{Type: libvirt.DOMAIN_EVENT_DEFINED, Detail: int(libvirt.DOMAIN_EVENT_DEFINED_ADDED)}
	redefined  = cell.Event{Type: libvirt.DOMAIN_EVENT_DEFINED, Detail: int(libvirt.DOMAIN_EVENT_DEFINED_UPDATED)}
	undefined  = cell.Event{Type: libvirt.DOMAIN_EVENT_UNDEFINED, Detail: int(libvirt.DOMAIN_EVENT_UNDEFINED_REMOVED)}
	booted     = cell.Event{Type: libvirt.DOMAIN_EVENT_STARTED, Detail: int(libvirt.DOMAIN_EVENT_STARTED_BOOTED)}
	suspended  = cell.Event{Type: libvirt.DOMAIN_EVENT_SUSPENDED, Detail: int(libvirt.DOMAIN_EVENT_SUSPENDED_PAUSED)}
	resumed    = cell.Event{Type: libvirt.DOMAIN_EVENT_RESUMED, Detail: int(libvirt.DOMAIN_EVENT_RESUMED_UNPAUSED)}
	poweredOff = cell.Event{Type: libvirt.DOMAIN_EVENT_SHUTDOWN, Detail: int(libvirt.DOMAIN_EVENT_SHUTDOWN_GUEST)}
	signalled  = cell.Event{Type: libvirt.DOMAIN_EVENT_SHUTDOWN, Detail: int(libvirt.DOMAIN_EVENT_SHUTDOWN_HOST)}
	stopped    = cell.Event{Type: libvirt.DOMAIN_EVENT_STOPPED, Detail: int(libvirt.DOMAIN_EVENT_STOPPED_SHUTDOWN)}
	destroyed  = cell.Event{Type: libvirt.DOMAIN_EVENT_STOPPED, Detail: int(libvirt.DOMAIN_EVENT_STOPPED_DESTROYED)}
)

func tellsEvents(ctx context.Context, t *cell.T) {
	conn, events := t.Connect(ctx), t.WatchEvents(ctx)
	d := t.Define(ctx)
	// tells asserts what came since the last step: one of some sequences that
	// end in the same event.
	tells := func(after string, either ...[]cell.Event) {
		last := either[0][len(either[0])-1]
		t.Expect(fmt.Sprint(events.Through(ctx, d, after, last))).To(BeElementOf(words(either)), "events after %s", after)
	}
	tells("define", []cell.Event{defined})
	again := d.Dump(ctx, libvirt.DOMAIN_XML_INACTIVE)
	t.Do(ctx, "define domain again", func() error { return define(conn, again) })
	tells("define again", []cell.Event{redefined})
	d.Start(ctx)
	tells("start", onStart(t))
	d.Do(ctx, "suspend domain", (*libvirt.Domain).Suspend)
	tells("suspend", []cell.Event{suspended})
	d.Do(ctx, "resume domain", (*libvirt.Domain).Resume)
	tells("resume", []cell.Event{resumed})
	d.Guest(ctx).PowerOff(ctx)
	tells("the guest's power-off", onPowerOff(t))
	d.Reaches(ctx, libvirt.DOMAIN_SHUTOFF)
	d.Do(ctx, "start domain paused", func(d *libvirt.Domain) error { return d.CreateWithFlags(libvirt.DOMAIN_START_PAUSED) })
	tells("start paused", onStartPaused(t))
	d.Do(ctx, "destroy domain", (*libvirt.Domain).Destroy)
	tells("destroy", onDestroy(t)...)
	d.Undefine(ctx)
	tells("undefine", []cell.Event{undefined})
}

func words(either [][]cell.Event) (words []any) {
	for _, events := range either {
		words = append(words, fmt.Sprint(events))
	}
	return words
}

// onStart: qemu is started with its processors stopped and resumes them
// (qemuProcessHandleResume); libxl unpauses without a word
// (libxlDomainStartPerform).
func onStart(t *cell.T) []cell.Event {
	if t.Kind() == matrix.Xen {
		return []cell.Event{booted}
	}
	return []cell.Event{resumed, booted}
}

// onStartPaused: only the qemu driver tells that the domain waits
// (qemuDomainCreateXML, qemuDomainObjStart).
func onStartPaused(t *cell.T) []cell.Event {
	if t.Kind() == matrix.Xen {
		return []cell.Event{booted}
	}
	return []cell.Event{booted, suspended}
}

// onPowerOff: qemu reports the guest's wish before its process ends
// (qemuProcessHandleShutdown); libxl learns of it when it is over
// (libxlDomainShutdownThread).
func onPowerOff(t *cell.T) []cell.Event {
	if t.Kind() == matrix.Xen {
		return []cell.Event{stopped}
	}
	return []cell.Event{poweredOff, stopped}
}

// onDestroy: qemu is asked to end by a signal first and reports a shutdown that
// the host wished for, which the driver tells unless the domain is off by then
// (qemuProcessBeginStopJob, qemuProcessHandleShutdown).
func onDestroy(t *cell.T) [][]cell.Event {
	if t.Kind() == matrix.Xen {
		return [][]cell.Event{{destroyed}}
	}
	return [][]cell.Event{{destroyed}, {signalled, destroyed}}
}
