package steps

import (
	"fmt"
	"slices"
	"sync"

	"libvirt.org/go/libvirt"
)

// Objects are the events of networks, pools and secrets, by name or UUID, in the order
// that they came and in the words of libvirt's enumerations.
type Objects struct {
	t    *T
	mu   sync.Mutex
	came map[string][]string
}

// The names of the events, in the order of virStoragePoolEventLifecycleType,
// virNetworkEventLifecycleType and virSecretEventLifecycleType.
var (
	poolActs    = []string{"defined", "undefined", "started", "stopped", "created", "deleted"}
	networkActs = []string{"defined", "undefined", "started", "stopped"}
	secretActs  = []string{"defined", "undefined"}
)

// WatchObjects collects events of networks, pools and secrets until the check is over.
func (t *T) WatchObjects() *Objects {
	conn := t.Connection().Raw
	o := &Objects{t: t, came: map[string][]string{}}
	register := func(what string, call func() (int, error), deregister func(int) error) {
		id := Get(t, "register for events of "+what, call)
		t.Cleanup(func() { t.Do("deregister from events of "+what, func() error { return deregister(id) }) })
	}
	// They run on libvirt's event loop and may not call libvirt: names and UUIDs are in
	// the event.
	register("pools", func() (int, error) {
		return conn.StoragePoolEventLifecycleRegister(nil, func(_ *libvirt.Connect, p *libvirt.StoragePool, e *libvirt.StoragePoolEventLifecycle) {
			o.take(p.GetName, poolActs, int(e.Event))
		})
	}, conn.StoragePoolEventDeregister)
	register("refreshed pools", func() (int, error) {
		return conn.StoragePoolEventRefreshRegister(nil, func(_ *libvirt.Connect, p *libvirt.StoragePool) { o.take(p.GetName, []string{"refreshed"}, 0) })
	}, conn.StoragePoolEventDeregister)
	register("networks", func() (int, error) {
		return conn.NetworkEventLifecycleRegister(nil, func(_ *libvirt.Connect, n *libvirt.Network, e *libvirt.NetworkEventLifecycle) {
			o.take(n.GetName, networkActs, int(e.Event))
		})
	}, conn.NetworkEventDeregister)
	register("secrets", func() (int, error) {
		return conn.SecretEventLifecycleRegister(nil, func(_ *libvirt.Connect, s *libvirt.Secret, e *libvirt.SecretEventLifecycle) {
			o.take(s.GetUUIDString, secretActs, int(e.Event))
		})
	}, conn.SecretEventDeregister)
	register("values of secrets", func() (int, error) {
		return conn.SecretEventValueChangedRegister(nil, func(_ *libvirt.Connect, s *libvirt.Secret) { o.take(s.GetUUIDString, []string{"changed"}, 0) })
	}, conn.SecretEventDeregister)
	return o
}

func (o *Objects) take(of func() (string, error), names []string, event int) {
	name, err := of()
	if err != nil {
		return
	}
	word := fmt.Sprintf("event %d", event)
	if event >= 0 && event < len(names) {
		word = names[event]
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.came[name] = append(o.came[name], word)
}

// Through waits for an event of the object and returns all of them.
func (o *Objects) Through(name, last string) (got []string) {
	o.t.Until(eventLimit, fmt.Sprintf("event %s of %s comes", last, name), func() bool {
		o.mu.Lock()
		defer o.mu.Unlock()
		got = slices.Clone(o.came[name])
		return slices.Contains(got, last)
	})
	return got
}
