// Package kernel holds the checks of L1's kernel, or dom0's.
package kernel

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// The running kernel is the package's of the cell, and not some other image's.
var _ = check.Register("IK-BOOT", check.Spec{
	Asserts:  "The host boots its own kernel, and that kernel is the version of the cell",
	Requires: []matrix.Requirement{matrix.OwnKernel},
	Depends:  check.On(matrix.Linux, matrix.XenHyp),
	Hosts:    matrix.Hosts{Cold: true},
	Boots:    true,
	Control:  sabotage.Wrap("uname", "a kernel of another build", `$REAL "$@" | sed 's/Debian [^ ]*/Debian 0.0.1-1/'`),
}, func(t *steps.T) {
	t.Expect(t.Sh("cat /proc/1/comm")).To(Equal("init"), "the name of PID 1")
	release := t.Sh("uname -r")
	t.Expect(release).To(Equal(t.KernelRelease()), "what uname -r says, and the image holds")
	t.Expect(steps.InSeries(release, t.Version(matrix.Linux))).To(BeTrue(), "kernel %s is of the series %s", release, t.Version(matrix.Linux))
	// The release names an ABI, which several packages share.
	build := t.Sh("uname -rv")
	t.Expect(build).To(ContainSubstring(t.Package(matrix.Linux)), "the package's version, in what the kernel says of itself")
	t.Note("uname -rv: %s", build)
})
