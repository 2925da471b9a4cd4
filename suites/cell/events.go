package cell

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/virtmatrix/virtmatrix/matrix"
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
func (t *T) WatchEvents(ctx context.Context) *Events {
	conn := t.Connect(ctx)
	e := &Events{t: t, came: map[string][]Event{}, seen: map[string]int{}}
	var id int
	t.Do(ctx, "register for life-cycle events", func() (err error) {
		id, err = conn.DomainEventLifecycleRegister(nil, e.take)
		return err
	})
	t.Cleanup(func(context.Context) error { return conn.DomainEventDeregister(id) })
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

// of returns the domain's events that no Expect has dealt with.
func (e *Events) of(name string) []Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.came[name][e.seen[name]:])
}

// Expect waits for as many further events of the domain as are wanted, and
// asserts that they are these, in this order.
func (e *Events) Expect(ctx context.Context, d *Domain, after string, want ...Event) {
	var got []Event
	e.t.Until(ctx, eventLimit, fmt.Sprintf("%d events come after %s", len(want), after), func() bool {
		got = e.of(d.Name)
		return len(got) >= len(want) || !slices.Equal(got, want[:len(got)])
	})
	if !slices.Equal(got, want) {
		e.t.Fail(matrix.LayerManagement, "after %s the events were %s, and not %s", after, list(got), list(want))
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.seen[d.Name] += len(got)
}

func list(events []Event) string {
	var words []string
	for _, ev := range events {
		words = append(words, ev.String())
	}
	return "[" + strings.Join(words, " ") + "]"
}
