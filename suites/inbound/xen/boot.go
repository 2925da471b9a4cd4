// Package xen holds the checks of hypervisor and toolstack.
package xen

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

var _ = check.Register("IX-BOOT", check.Spec{
	Asserts:  "Xen and its dom0 boot, and the hypervisor is the version of the cell",
	Requires: []matrix.Requirement{matrix.XenStack},
	Depends:  check.On(matrix.Linux, matrix.XenHyp),
	Hosts:    matrix.Hosts{Cold: true},
	Boots:    true,
	Control:  sabotage.Wrap("uname", "a dom0 with another kernel", "echo 0.0.0"),
}, func(t *steps.T) {
	t.Expect(t.Sh("uname -r")).To(Equal(t.KernelRelease()))
	t.Expect(t.Sh("cat /sys/hypervisor/type")).To(Equal("xen"))
	major := t.Sh("cat /sys/hypervisor/version/major")
	minor := t.Sh("cat /sys/hypervisor/version/minor")
	t.Expect(major+"."+minor).To(Equal(t.Version(matrix.XenHyp)), "the running hypervisor's version")
})
