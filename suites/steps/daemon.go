package steps

import "syscall"

// RestartLibvirt ends libvirt's daemon by a signal, starts it again as it was, and
// waits until it answers.
func (t *T) RestartLibvirt(signal syscall.Signal) {
	daemon := t.Manager().Name
	t.must(t.Host().Restart(t.ctx, daemon, signal), "restart "+daemon)
	if old := t.s.conn; old != nil {
		// It leads nowhere any more, and says so.
		t.s.conn, t.s.more = nil, append(t.s.more, old)
	}
	t.Connection()
}
