package guest

import (
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

const (
	qmp = libvirt.DOMAIN_QEMU_MONITOR_COMMAND_DEFAULT
	hmp = libvirt.DOMAIN_QEMU_MONITOR_COMMAND_HMP
)

var _ = check.Register("O-MON", check.Spec{
	Asserts:  "The emulator's monitor answers through libvirt, in both of its languages; what is done there libvirt follows, and the emulator's events are told",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "1.2.3")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU),
	Control:  sabotage.Alter("virDomainQemuMonitorCommand", `"status":"running"`, `"status":"ranning"`),
}, func(t *steps.T) {
	g := t.Guest()
	d := g.Domain
	told := t.WatchMonitor(d)
	ask := func(command string, flags libvirt.DomainQemuMonitorCommandFlags) string {
		return steps.Get(t, "ask the monitor", func() (string, error) { return d.Raw.QemuMonitorCommand(command, flags) })
	}
	t.Expect(ask(`{"execute":"query-status"}`, qmp)).To(ContainSubstring(`"status":"running"`))
	t.Expect(ask("info name", hmp)).To(ContainSubstring(d.Name))
	t.Expect(t.VirshSays("qemu-monitor-command " + d.Name + " --hmp 'info status'")).To(ContainSubstring("running"))
	t.Expect(ask(`{"execute":"no-such-command"}`, qmp)).To(ContainSubstring("CommandNotFound"), "the emulator's refusal")

	ask(`{"execute":"stop"}`, qmp)
	d.WaitFor(libvirt.DOMAIN_PAUSED)
	ask("cont", hmp)
	d.WaitFor(libvirt.DOMAIN_RUNNING)
	g.ExpectSameBoot(g.Tick())
	t.Until(inputLimit, "events STOP and RESUME are told", func() bool {
		return strings.Contains(strings.Join(told(), " "), "STOP RESUME")
	})
})

var _ = check.Register("O-MSG", check.Spec{
	Asserts:  "What makes a running domain's configuration doubtful is among its messages, and is not once it starts anew",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "7.1.0")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU, matrix.XenHyp),
	Control:  sabotage.Alter("virDomainGetMessages", "monitor", "manitor"),
}, func(t *steps.T) {
	messages := func(d *steps.Domain) func() ([]string, error) {
		return func() ([]string, error) { return d.Raw.GetMessages(libvirt.DOMAIN_MESSAGE_TAINTING) }
	}
	if t.Kind() == matrix.Xen {
		d := t.Define()
		t.Do("ask for messages of a domain", func() error { _, err := messages(d)(); return err })
		return
	}
	d := t.Define()
	d.StartWith(libvirt.DOMAIN_START_PAUSED)
	ask := func() []string { return steps.Get(t, "ask for messages of a domain", messages(d)) }
	t.Expect(ask()).NotTo(ContainElement(ContainSubstring("monitor")), "messages before anybody used the monitor")
	t.VirshSays("qemu-monitor-command " + d.Name + " --hmp 'info name'")
	t.Expect(ask()).To(ContainElement(ContainSubstring("monitor")), "messages once somebody used the monitor")
	t.Expect(t.VirshSays("dominfo " + d.Name)).To(MatchRegexp(`(?s)Messages:.*tainted:.*monitor`))
	d.Destroy()
	d.StartWith(libvirt.DOMAIN_START_PAUSED)
	t.Expect(ask()).NotTo(ContainElement(ContainSubstring("monitor")), "messages of the next run")
})
