package events

import (
	"fmt"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirtxml"
)

// Each driver tells of its own objects. What is told of one object comes in the order of
// the acts.
var _ = check.Register("O-EV-OTH", check.Spec{
	Asserts:  "What happens to networks, pools and secrets is told, each act once and in order",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "3.8.0")},
	Depends:  check.On(matrix.Libvirt),
	Control:  sabotage.Double("REMOTE_PROC_STORAGE_POOL_EVENT_LIFECYCLE", "events of pools that come twice"),
}, func(t *steps.T) {
	events := t.WatchObjects()
	p := t.DefinePool()
	p.Build()
	p.Start()
	p.Refresh()
	p.Destroy()
	p.Delete()
	p.Undefine()
	tells(t, events, p.Name, "defined", "created", "started", "refreshed", "stopped", "deleted", "undefined")

	n := t.DefineNetwork("<network><name>" + t.NewGuest().Name + "-net</name></network>")
	t.Do("undefine network", n.Raw.Undefine)
	tells(t, events, n.Name, "defined", "undefined")

	s := t.DefineSecret(libvirtxml.Secret{Ephemeral: "no", Private: "no", Usage: &libvirtxml.SecretUsage{Type: "volume", Volume: "/" + t.NewGuest().Name}})
	t.Do("set secret", func() error { return s.Raw.SetValue([]byte("hidden"), 0) })
	t.Do("undefine secret", s.Raw.Undefine)
	tells(t, events, s.UUID, "defined", "changed", "undefined")

	// virsh ends with the first event; who makes pools goes on until then.
	file := t.Scratch("events")
	said := t.Sh(fmt.Sprintf("v='virsh -q -c %[1]s'; ($v pool-event --event lifecycle --timeout 60 >%[2]s; touch %[2]s.end) & "+
		"until test -e %[2]s.end; do $v 'pool-create-as seen dir --target /tmp; pool-destroy seen' >/dev/null; done; rm %[2]s.end; cat %[2]s", t.URI(), file))
	t.Expect(said).To(MatchRegexp(`event 'lifecycle' for storage pool seen: (Started|Stopped)`), "what virsh tells of a pool")
})

// tells asserts what came of an object, with the last act's event.
func tells(t *steps.T, events *steps.Objects, name string, acts ...string) {
	t.Expect(events.Through(name, acts[len(acts)-1])).To(Equal(acts), "events of %s", name)
}
