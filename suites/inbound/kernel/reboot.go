package kernel

import (
	"time"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// quiet is a network that forwards nothing.
const quiet = `<network><name>vmquiet</name><bridge name='vmquiet0' stp='off'/><ip address='192.168.199.1' netmask='255.255.255.0'/></network>`

var _ = check.Register("IK-REBOOT", check.Spec{
	Asserts:  "After a reboot of the host what is to start with it runs, a saved guest goes on, and one that only ran is off and starts",
	Requires: []matrix.Requirement{matrix.OwnKernel, matrix.KVMStack, matrix.Deployment, matrix.Pristine},
	Control:  sabotage.Swallow("virDomainSetAutostart"),
}, func(t *steps.T) {
	starts, saved, ran := t.Define(), t.Define(), t.Define()
	starts.SetAutostart(true)
	network, pool := t.DefineNetwork(quiet), t.DefinePool()
	t.VirshSays("net-autostart " + network.Name)
	pool.Build()
	pool.SetAutostart(true)
	ran.Start()
	ran.Guest()
	saved.Start()
	g := saved.Guest()
	moment := g.Mark()
	saved.ManagedSave()
	t.Reboot()
	starts = starts.Again()
	t.Until(time.Minute, "the guest that is to start with the host runs", starts.Active)
	starts.Guest()
	t.Expect(t.VirshSays("net-list --name")).To(ContainSubstring(network.Name), "networks that run")
	t.Expect(t.VirshSays("pool-list --name")).To(ContainSubstring(pool.Name), "pools that run")
	saved = saved.Again()
	t.Expect(saved.HasManagedSave()).To(BeTrue(), "the saved state of a guest")
	saved.Start()
	saved.Guest().ExpectGoesOn(moment)
	ran = ran.Again()
	t.Expect(ran.Active()).To(BeFalse(), "the guest that only ran is active")
	ran.Start()
	ran.Guest()
})
