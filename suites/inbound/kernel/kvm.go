package kernel

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/internal/probe"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// The modules that fit L1's processor are in the kernel, and the device speaks the one
// version that the interface ever had (Documentation/virt/kvm/api.rst,
// KVM_GET_API_VERSION).
var _ = check.Register("IK-KVM", check.Spec{
	Asserts:  "The KVM modules load, and /dev/kvm speaks API version 12",
	Requires: []matrix.Requirement{matrix.HostKVM},
	Depends:  check.On(matrix.Linux),
	Control:  sabotage.Command("another device in the place of /dev/kvm", "mount --bind /dev/null /dev/kvm"),
}, func(t *steps.T) {
	vendor := "kvm_intel"
	if t.Run("grep -qw svm /proc/cpuinfo").OK() {
		vendor = "kvm_amd"
	}
	for _, module := range []string{"kvm", vendor} {
		t.Sh("modprobe " + module)
		t.Expect(t.Exists("/sys/module/"+module)).To(BeTrue(), "module %s is in the kernel", module)
	}
	// The numbers are in hexadecimal, 10:232: the stat of coreutils 8 has no others.
	t.Expect(t.Sh("stat -c '%F %t:%T' /dev/kvm 2>&1")).To(Equal("character special file a:e8"), "/dev/kvm")
	var kvm probe.KVM
	t.Probe(&kvm, probe.AskKVM)
	t.Expect(kvm.APIVersion).To(Equal(12), "KVM_GET_API_VERSION (the probe says %q)", kvm.Error)
	t.Note("%s, nested=%s", vendor, t.Sh("cat /sys/module/"+vendor+"/parameters/nested"))
})

// A guest adds two digits, says the sum on a port, stores it and halts.
var _ = check.Register("IK-KVM-RUN", check.Spec{
	Asserts:  "A guest of a few instructions runs on KVM_RUN and leaves with the exits it should",
	Requires: []matrix.Requirement{matrix.HostKVM},
	Depends:  check.On(matrix.Linux),
	Control:  sabotage.Wrap(steps.ProbeProgram, "a processor that adds wrongly", `$REAL "$@" | sed 's/"memory":[0-9]*/"memory":48/'`),
}, func(t *steps.T) {
	var kvm probe.KVM
	t.Probe(&kvm, probe.AskKVM)
	t.Expect(kvm.Error).To(BeEmpty(), "what the kernel refused")
	const sum = '0' + probe.OperandA + probe.OperandB
	t.Expect(kvm.Exits).To(Equal([]probe.Exit{
		{Reason: probe.ExitIO, Out: true, Port: probe.Port, Data: []byte{sum}},
		{Reason: probe.ExitIO, Out: true, Port: probe.Port, Data: []byte{'\n'}},
		{Reason: probe.ExitHLT},
	}), "the exits of the guest")
	t.Expect(kvm.Memory).To(BeEquivalentTo(sum), "the byte that the guest stored")
})
