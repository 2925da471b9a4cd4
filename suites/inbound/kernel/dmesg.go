package kernel

import (
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// All that the kernel said since its boot is read on both ways that it has: the
// console keeps what the ring buffer lost, and the ring buffer has what is below the
// console's level.
var _ = check.Register("IK-DMESG", check.Spec{
	Asserts:  "The host's kernel log holds no warning, oops, lockup or hung task beyond the known harmless ones",
	Requires: []matrix.Requirement{matrix.OwnKernel},
	Depends:  check.On(matrix.Linux, matrix.XenHyp, matrix.Libvirt),
	Control:  sabotage.Command("a line of an oops that only the ring buffer has", "echo '<7>BUG: unable to handle page fault for address: ffffc90000000000' >/dev/kmsg"),
}, func(t *steps.T) {
	log := t.Sh("dmesg")
	t.Expect(log).To(ContainSubstring("Linux version "+t.KernelRelease()), "the log's first line: without it the log is not whole")
	t.Clean(log)
	t.Clean(t.Console())
	t.Note("dmesg: %d lines", strings.Count(log, "\n")+1)
})
