package guest

import (
	"syscall"
	"time"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

func init() {
	qga("O-QGA-RESTART", "QEMU's agent that ends in the middle of a command is an error at once, and one that starts anew thaws what its predecessor froze",
		sabotage.ChangeCode("virDomainFSFreeze", libvirt.ERR_INTERNAL_ERROR), restarts)
	qga("O-QGA-DAEMON", "libvirt speaks with QEMU's agent again after its own restart, whatever it missed, and after a guest's suspension",
		sabotage.ChangeCode("virDomainGetHostname", libvirt.ERR_INTERNAL_ERROR), outlives)
	qga("O-QGA-OFF", "A guest reboots and powers off when libvirt asks its QEMU agent to, by what the system has for it",
		sabotage.SetWord("virDomainGetState", 1, uint32(libvirt.DOMAIN_SHUTOFF_DESTROYED)), shutsDown)
}

// endLimit bounds how long the end of an agent may stay unknown to who asks it, at scale 1.
const endLimit = 20 * time.Second

// name asks the agent for the guest's name.
func name(d *steps.Domain) error {
	_, err := d.Raw.GetHostname(libvirt.DOMAIN_GET_HOSTNAME_AGENT)
	return err
}

func expectName(t *steps.T, d *steps.Domain, g *steps.AgentGuest) {
	t.Expect(steps.Get(t, "ask for the guest's name", func() (string, error) { return d.Raw.GetHostname(libvirt.DOMAIN_GET_HOSTNAME_AGENT) })).To(Equal(l2.Hostname(g.Token)))
}

// expectSpeaks asserts that libvirt speaks with the agent, at the latest a while after
// something: it connects to agents beside its first calls.
func expectSpeaks(t *steps.T, d *steps.Domain, g *steps.AgentGuest, after string) {
	start := time.Now()
	if err := t.Try("ask for the guest's name", func() error { return name(d) }); err != nil {
		defer func() {
			t.Note("the first word to the agent after %s, answered after %s: %s", after, time.Since(start), steps.Text(err))
		}()
		t.UntilDone(endLimit, "libvirt speaks with the agent after "+after, func() error {
			return t.Try("ask for the guest's name", func() error { return name(d) })
		})
	}
	expectName(t, d, g)
}

// waitGone waits until libvirt knows that the agent has ended.
func waitGone(t *steps.T, d *steps.Domain) {
	t.Until(endLimit, "libvirt knows that the agent has ended", func() bool { return d.AgentState() == "disconnected" })
	t.Refuses("ask an agent that is not there", libvirt.ERR_AGENT_UNRESPONSIVE, func() error { return name(d) })
}

func restarts(t *steps.T) {
	d, g := t.StartedWithQEMUAgent(domain.WithChannel)
	over := g.Over(d)
	g.Put(dataFile, "written before")
	g.Put(steps.AgentHookDoes, "kill -9 $PPID")
	start := time.Now()
	err := t.Try("freeze by an agent that ends in the middle of it", func() error { return d.Raw.FSFreeze(nil, 0) })
	// 11.3 calls it a timeout, as it does with silence; 9.0 did not yet.
	t.Expect(steps.Code(err)).To(BeElementOf(libvirt.ERR_AGENT_UNRESPONSIVE, libvirt.ERR_AGENT_COMMAND_TIMEOUT), steps.Text(err))
	t.Expect(time.Since(start)).To(BeNumerically("<", t.Limit(endLimit)), "time until the end of the agent was known")
	waitGone(t, d)
	g.Put(steps.AgentHookDoes, "")
	g.Signal(0)
	d.WaitAgent()
	expectName(t, d, g)
	t.Expect(d.AgentStatus()).To(Equal("thawed"))

	t.Do("freeze the guest's file systems", func() error { return d.Raw.FSFreeze(nil, 0) })
	g.Signal(syscall.SIGKILL)
	waitGone(t, d)
	g.Signal(0)
	d.WaitAgent()
	t.Expect(d.AgentStatus()).To(Equal("frozen"), "what an agent knows that starts anew")
	expectHeld(t, g, over, func() { t.Do("thaw the guest's file systems", func() error { return d.Raw.FSThaw(nil, 0) }) })
	expectName(t, d, g)
}

func outlives(t *steps.T) {
	d, g := t.StartedWithQEMUAgent(domain.WithSuspend)
	expectName(t, d, g)
	t.RestartLibvirt(syscall.SIGTERM)
	d = d.Again()
	expectSpeaks(t, d, g, "the daemon's restart")
	g.Signal(syscall.SIGKILL)
	t.RestartLibvirt(syscall.SIGKILL)
	d = d.Again()
	waitGone(t, d)
	g.Signal(0)
	d.WaitAgent()
	expectName(t, d, g)

	d.Suspend()
	t.Refuses("ask the agent of a guest that stands still", libvirt.ERR_OPERATION_INVALID, func() error { return name(d) })
	d.Resume()
	expectName(t, d, g)
	mark := g.Mark()
	t.Do("suspend guest to memory", func() error { return d.Raw.PMSuspendForDuration(libvirt.NODE_SUSPEND_TARGET_MEM, 0, 0) })
	d.WaitFor(libvirt.DOMAIN_PMSUSPENDED)
	t.Do("wake guest", func() error { return d.Raw.PMWakeup(0) })
	d.WaitFor(libvirt.DOMAIN_RUNNING)
	g.WaitReady()
	g.ExpectGoesOn(mark)
	expectSpeaks(t, d, g, "the guest's suspension")
}

func shutsDown(t *steps.T) {
	d, g := t.StartedWithQEMUAgent()
	d.Shutdown(libvirt.DOMAIN_SHUTDOWN_GUEST_AGENT)
	d.WaitFor(libvirt.DOMAIN_SHUTOFF)
	d.ExpectOff(libvirt.DOMAIN_SHUTOFF_SHUTDOWN)
	t.Expect(g.Console()).To(MatchRegexp("shutdown (-h )?-P"), "how the agent asked the guest's system to power off")
	d.Start()
	before := g.WaitReady().BootID
	d.WaitAgent()
	reboots := d.WatchReboots()
	d.Reboot(libvirt.DOMAIN_REBOOT_GUEST_AGENT)
	reboots.Wait("the guest rebooted", func(string) bool { return true })
	t.Expect(g.Console()).To(MatchRegexp("shutdown (-h )?-r"), "how the agent asked the guest's system to reboot")
	t.Expect(g.WaitReady().BootID).NotTo(Equal(before), "boot ID after the reboot")
	d.WaitAgent()
	expectSpeaks(t, d, g, "the guest's reboot")
}
