package guest

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// The agent in the guest is ours: what is asked about is libvirt's side of the channel.
var _ = check.Register("O-GA", check.Spec{
	Asserts:  "libvirt speaks with the agent of a guest: its name, its time, and its file systems frozen and thawed",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "1.2.11")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU, matrix.XenHyp),
	Control:  sabotage.Refuse("virDomainFSThaw", libvirt.ERR_AGENT_UNRESPONSIVE, libvirt.FROM_QEMU),
}, func(t *steps.T) {
	name := func(d *steps.Domain) func() (string, error) {
		return func() (string, error) { return d.Raw.GetHostname(libvirt.DOMAIN_GET_HOSTNAME_AGENT) }
	}
	if t.Kind() == matrix.Xen {
		d := t.Define()
		t.LacksOnXen("ask for the guest's name", func() error { _, err := name(d)(); return err })
		return
	}
	d, g := t.Started(domain.WithAgent)
	d.WaitAgent()
	if t.AtLeast(matrix.Libvirt, "6.1") { // the source is a flag since then
		t.Expect(steps.Get(t, "ask for the guest's name", name(d))).To(Equal(l2.Hostname(g.Token)))
	}
	t.Expect(t.VirshSays("qemu-agent-command " + d.Name + ` '{"execute":"guest-get-host-name"}'`)).To(ContainSubstring(l2.Hostname(g.Token)))
	t.Expect(d.Time()).To(BeNumerically("~", g.Clock().Unix(), 300), "seconds of the guest's time, as its agent and itself tell")
	frozen := func(want string) {
		t.Expect(t.VirshSays("qemu-agent-command " + d.Name + ` '{"execute":"guest-fsfreeze-status"}'`)).To(ContainSubstring(want))
	}
	t.Do("freeze the guest's file systems", func() error { return d.Raw.FSFreeze(nil, 0) })
	frozen("frozen")
	t.Do("thaw the guest's file systems", func() error { return d.Raw.FSThaw(nil, 0) })
	frozen("thawed")
})
