package steps

import (
	"context"
	"sync"

	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"libvirt.org/go/libvirt"
)

// Screenshot returns an image of the guest's first screen, and what it says it is.
func (d *Domain) Screenshot() (kind string, content []byte) {
	d.t.Do("take a screenshot", func() (err error) {
		kind, content, err = d.screenshot(0)
		return err
	})
	return kind, content
}

// TryScreenshot asks for an image of a screen and returns libvirt's error.
func (d *Domain) TryScreenshot(screen uint32) error {
	_, _, err := d.screenshot(screen)
	return err
}

func (d *Domain) screenshot(screen uint32) (kind string, content []byte, err error) {
	s, err := d.t.s.conn.NewStream(0)
	if err != nil {
		return "", nil, err
	}
	defer func() { _ = s.Free() }()
	if kind, err = d.Raw.Screenshot(s, screen, 0); err != nil {
		return "", nil, err
	}
	r := &received{}
	if err := s.RecvAll(r.data); err != nil {
		_ = s.Abort()
		return "", nil, err
	}
	return kind, r.content, s.Finish()
}

// Show has the guest write a text on its screen.
func (g *Guest) Show(text string) {
	g.ask(guestAnswer, "show a text", func(ctx context.Context, c *l2.Client) error { return c.Show(ctx, text) })
}

// WatchMonitor collects the names of the events of a domain's emulator until the check is
// over.
func (t *T) WatchMonitor(d *Domain) (told func() []string) {
	conn := t.Connection().Raw
	var mu sync.Mutex
	var names []string
	take := func(_ *libvirt.Connect, _ *libvirt.Domain, e *libvirt.DomainQemuMonitorEvent) {
		mu.Lock()
		defer mu.Unlock()
		names = append(names, e.Event)
	}
	id := Get(t, "register for events of the emulator", func() (int, error) {
		return conn.DomainQemuMonitorEventRegister(d.Raw, ".*", take, libvirt.CONNECT_DOMAIN_QEMU_MONITOR_EVENT_REGISTER_REGEX)
	})
	t.Cleanup(func() {
		t.Do("deregister from events of the emulator", func() error { return conn.DomainQemuEventDeregister(id) })
	})
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return append([]string(nil), names...)
	}
}
