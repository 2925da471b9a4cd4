package concurrency

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// A client that is killed leaves the daemon to tell its callbacks from those of others, while
// it tells of events.
var _ = check.Register("O-CONC-EV", check.Spec{
	Asserts:  "While clients that listen for events are killed and others come, one that stays is told of every start and every end",
	Requires: since("1.2.12"),
	Depends:  depends,
	Control:  sabotage.DoubleEvents(),
}, func(t *steps.T) {
	events := t.WatchEvents()
	d := t.Define()
	runs := d.Racers(1, "start the domain or destroy it", steps.StartsAndEnds)
	listens := "timeout -s KILL 0.3 virsh -c " + t.URI() + " event --all --loop >/dev/null 2>&1"
	t.Race(12, runs, t.Visitor("listen until it is killed", listens), t.Visitor("listen until it is killed", listens),
		t.Visitor("listen for one event", "timeout 10 virsh -c "+t.URI()+" event --all >/dev/null 2>&1"))
	d.Undefine()
	came := map[libvirt.DomainEventType]int{}
	for _, e := range events.Through(d, "the domain was undefined", gone) {
		came[e.Type]++
	}
	t.Expect([]int{came[libvirt.DOMAIN_EVENT_STARTED], came[libvirt.DOMAIN_EVENT_STOPPED]}).To(Equal([]int{6, 6}), "events of starts and ends, of six each")
})
