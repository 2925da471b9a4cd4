package xen

import (
	"time"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

var _ = check.Register("IX-PV", check.Spec{
	Asserts:  "A paravirtual guest started by xl boots its kernel and speaks",
	Requires: []matrix.Requirement{matrix.XenStack},
	Depends:  check.On(matrix.Linux, matrix.XenHyp),
	Control:  sabotage.Wrap("xl", "a toolstack that creates nothing", `case "$1" in create) exit 0;; *) exec $REAL "$@";; esac`),
}, func(t *steps.T) {
	g := t.XlGuest()
	facts := g.WaitReady()
	t.Expect(facts.Kernel).To(Equal(t.KernelRelease()))
	t.Expect(facts.Hypervisor).To(Equal("xen"))
	g.ExpectSameBoot(g.Tick())
	g.PowerOff()
	t.XlGone(g, 2*time.Minute)
})
