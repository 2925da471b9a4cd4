package steps

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"libvirt.org/go/libvirt"
)

// eventLimit bounds how long an event may take to come at scale 1.
const eventLimit = time.Minute

// Event is a step of a domain's life cycle as libvirt tells it.
type Event struct {
	Type   libvirt.DomainEventType
	Detail int
}

// eventNames are the names of virDomainEventType, in its order.
var eventNames = []string{
	"defined", "undefined", "started", "suspended", "resumed", "stopped", "shutdown", "pmsuspended", "crashed",
}

// String returns the event as "started/0".
func (e Event) String() string {
	if int(e.Type) < len(eventNames) && e.Type >= 0 {
		return fmt.Sprintf("%s/%d", eventNames[e.Type], e.Detail)
	}
	return fmt.Sprintf("event %d/%d", e.Type, e.Detail)
}

// Events are the life-cycle events of the cell, by domain and in the order that
// they came.
type Events struct {
	t *T

	mu   sync.Mutex
	came map[string][]Event
	seen map[string]int
}

// WatchEvents collects life-cycle events until the check is over.
func (t *T) WatchEvents() *Events {
	conn := t.Connection().Raw
	e := &Events{t: t, came: map[string][]Event{}, seen: map[string]int{}}
	id := Get(t, "register for life-cycle events", func() (int, error) { return conn.DomainEventLifecycleRegister(nil, e.take) })
	t.Cleanup(func() { t.Do("deregister from events", func() error { return conn.DomainEventDeregister(id) }) })
	return e
}

// take runs on libvirt's event loop: it may not call libvirt. The domain's name
// is in the event.
func (e *Events) take(_ *libvirt.Connect, d *libvirt.Domain, ev *libvirt.DomainEventLifecycle) {
	name, err := d.GetName()
	if err != nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.came[name] = append(e.came[name], Event{ev.Event, ev.Detail})
}

// Through waits for an event of the domain and returns all that came since the
// last call, up to and with this one.
func (e *Events) Through(d *Domain, after string, last Event) (got []Event) {
	defer func() {
		if got == nil {
			e.t.Note("events of %s without %s: %v", d.Name, last, e.of(d.Name))
		}
	}()
	e.t.Until(eventLimit, fmt.Sprintf("event %s comes after %s", last, after), func() bool {
		fresh := e.of(d.Name)
		if i := slices.Index(fresh, last); i >= 0 {
			got = fresh[:i+1]
		}
		return got != nil
	})
	e.mu.Lock()
	defer e.mu.Unlock()
	e.seen[d.Name] += len(got)
	return got
}

// of returns the domain's events that no Through has returned.
func (e *Events) of(name string) []Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.came[name][e.seen[name]:])
}
