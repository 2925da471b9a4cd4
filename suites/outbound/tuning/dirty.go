package tuning

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

var _ = check.Register("O-DIRTY", check.Spec{
	Asserts:  "How fast a running guest dirties its memory is measured for as long as it was asked, and told with the statistics",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "7.2.0")},
	Depends:  check.On(matrix.QEMU, matrix.Libvirt, matrix.XenHyp),
	Control:  sabotage.ChangeCode("virDomainStartDirtyRateCalc", libvirt.ERR_INTERNAL_ERROR),
}, func(t *steps.T) {
	g := t.Guest()
	d := g.Domain
	start := func(seconds int) func() error { return func() error { return d.Raw.StartDirtyRateCalc(seconds, 0) } }
	if t.LacksOnXen("measure how fast memory is dirtied", start(1)) {
		return
	}
	t.Do("measure how fast memory is dirtied", start(2))
	var rate *libvirt.DomainStatsDirtyRate
	t.Until(steps.PlugLimit, "the rate was measured", func() bool {
		rate = dirtyRate(t, d)
		return rate != nil && rate.CalcStatus == int(libvirt.DOMAIN_DIRTYRATE_MEASURED) && rate.CalcPeriod == 2
	})
	t.Expect(rate.MegabytesPerSecond).To(And(BeNumerically(">=", 0), BeNumerically("<=", t.GuestMemoryKB()>>10)), "MiB/s that an idle guest dirties")
	t.Refuses("measure for longer than a minute", libvirt.ERR_CONFIG_UNSUPPORTED, start(61))
	t.VirshSays("domdirtyrate-calc " + d.Name + " --seconds 1")
	t.Until(steps.PlugLimit, "the second rate was measured", func() bool {
		rate := dirtyRate(t, d)
		return rate.CalcStatus == int(libvirt.DOMAIN_DIRTYRATE_MEASURED) && rate.CalcPeriod == 1
	})
	g.ExpectSameBoot(g.Tick())
})

// dirtyRate is what the domain's statistics say of it.
func dirtyRate(t *steps.T, d *steps.Domain) *libvirt.DomainStatsDirtyRate {
	conn := t.Connection().Raw
	all := steps.Get(t, "ask for statistics", func() ([]libvirt.DomainStats, error) {
		return conn.GetAllDomainStats([]*libvirt.Domain{d.Raw}, libvirt.DOMAIN_STATS_DIRTYRATE, 0)
	})
	t.Expect(all).To(HaveLen(1), "domains that the answer is about")
	return all[0].DirtyRate
}
