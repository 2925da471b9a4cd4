package guest

import (
	"time"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// The agent answers when libvirt greets it, and not the command itself: that is what a
// time limit is for.
var _ = check.Register("O-GA-TMO", check.Spec{
	Asserts:  "An agent that does not answer is given up after the time that was set, and is asked again once it answers",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "5.10.0")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU),
	Control:  sabotage.ChangeCode("virDomainGetTime", libvirt.ERR_INTERNAL_ERROR),
}, func(t *steps.T) {
	d, _ := t.Started(domain.WithAgent)
	d.WaitAgent()
	silence := func(command string) {
		t.VirshSays("qemu-agent-command " + d.Name + ` '{"execute":"` + l2.AgentSilence + `","arguments":{"command":"` + command + `"}}'`)
	}
	ask := func() time.Duration {
		start := time.Now()
		err := t.Try("ask an agent that does not answer", func() error { _, _, err := d.Raw.GetTime(0); return err })
		// 11.3 tells silence on a command from silence on the sync before it; 9.0 did not yet.
		t.Expect(steps.Code(err)).To(BeElementOf(libvirt.ERR_AGENT_UNRESPONSIVE, libvirt.ERR_AGENT_COMMAND_TIMEOUT), steps.Text(err))
		return time.Since(start)
	}
	silence("guest-get-time")
	t.Do("set the time for the agent's answers", func() error { return d.Raw.AgentSetResponseTimeout(1, 0) })
	t.Expect(ask()).To(And(BeNumerically(">=", time.Second), BeNumerically("<", t.Limit(4*time.Second))), "time that an agent was waited for, of 1 s")
	t.VirshSays("guest-agent-timeout " + d.Name + " --timeout 5")
	t.Expect(ask()).To(BeNumerically(">=", 5*time.Second), "time that an agent was waited for, of 5 s")
	t.Do("set the time for the agent's answers", func() error { return d.Raw.AgentSetResponseTimeout(1, 0) })
	silence("")
	t.Expect(d.Time()).To(BeNumerically(">", 0), "time of a guest whose agent answers again")
	t.Refuses("set a time for the agent that there is not", libvirt.ERR_INVALID_ARG, func() error { return d.Raw.AgentSetResponseTimeout(-7, 0) })
})
