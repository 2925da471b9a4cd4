package steps

import (
	"fmt"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/agent"
)

// How long a daemon waits for somebody to come, and how long it is watched for its end, at scale 1.
const (
	alone      = 2 * time.Second
	aloneLimit = 3 * alone
)

// EndsAlone has libvirt's daemons end by themselves once nobody has been connected for a while,
// until the check is over: libvirtd.service has it so, after two minutes (LIBVIRTD_ARGS), but in
// Debian 11, which names it as a choice. Who asks for it has no connection but virsh's, which
// leaves again.
func (t *T) EndsAlone() {
	t.Cleanup(func() {
		for _, d := range t.Daemons() {
			t.tryEndDaemon(d)
		}
		t.startLibvirt()
	})
	for _, d := range t.Daemons() {
		t.endDaemon(d)
	}
	t.disconnect()
	t.comes()
}

// comes has the daemons run that do not, as systemd does for who connects.
func (t *T) comes() {
	for _, d := range t.Daemons() {
		t.Sh(fmt.Sprintf("pidof %s >/dev/null || setsid %s --timeout %.0f >>%s 2>&1 </dev/null &", d.Name, d.Path, t.Limit(alone).Seconds(), agent.ServiceLog(d.Name)))
	}
	t.Until(callLimit, "the daemon answers", func() bool { return t.Run("timeout 20 virsh -c " + t.URI() + " uri </dev/null").OK() })
}

// LeaveAlone lets the daemon be for longer than it waits for somebody. If it ends, another is there
// again.
func (t *T) LeaveAlone() {
	began, ended := time.Now(), false
	t.Until(2*aloneLimit, "the daemon has ended, or was alone for long", func() bool {
		ended = !t.Run("pidof " + t.Manager().Name).OK()
		return ended || time.Since(began) > t.Limit(aloneLimit)
	})
	t.Note("the daemon that nobody was connected to had ended: %t, after %s", ended, time.Since(began).Round(100*time.Millisecond))
	t.comes()
}
