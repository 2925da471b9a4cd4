package kernel

import (
	"fmt"
	"slices"

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
	vendor := vendor(t)
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

// vendor is the module that fits the host's processor.
func vendor(t *steps.T) string {
	if t.Run("grep -qw svm /proc/cpuinfo").OK() {
		return "kvm_amd"
	}
	return "kvm_intel"
}

// capabilities are what KVM of a host's kernel says that it can.
func capabilities(t *steps.T) (can probe.Capabilities) {
	t.Probe(&can, probe.AskCapabilities)
	t.Expect(can.Error).To(BeEmpty(), "what the kernel refused")
	return can
}

// rebased are the components that a host before a rebase has of the version before.
var rebased = []matrix.Component{matrix.Linux, matrix.QEMU, matrix.Libvirt}

// What a guest was started with must be there on the kernel that it is moved to, and what
// an emulator asks for once it must be there after the update. Both hosts have one
// processor, as L0 gives it.
var _ = check.Register("IK-KVM-CAPS", check.Spec{
	Asserts:  "KVM can all that it could in the kernel before, and offers guests all processor features",
	Requires: []matrix.Requirement{matrix.HostKVM},
	Hosts:    matrix.Hosts{Count: 2, Earlier: rebased},
	Control:  sabotage.Wrap(steps.ProbeProgram, "a kernel without ioeventfd", `$REAL "$@" | sed 's/"36":[0-9]*/"36":0/'`),
}, func(t *steps.T) {
	before, now := capabilities(t.On(1)), capabilities(t)
	var lost []string
	for extension, was := range before.Extensions {
		if now.Extensions[extension] == 0 {
			lost = append(lost, fmt.Sprintf("extension %d (%d)", extension, was))
		}
	}
	for leaf, was := range before.CPUID {
		for i, register := range []string{"eax", "ebx", "ecx", "edx"} {
			if gone := was[i] &^ now.CPUID[leaf][i]; gone != 0 && isFeatures(leaf, register) {
				lost = append(lost, fmt.Sprintf("bits %#x of %s in leaf %s", gone, register, leaf))
			}
		}
	}
	slices.Sort(lost)
	t.Note("%d extensions of KVM (%d before), %d leaves of CPUID (%d before)", len(now.Extensions), len(before.Extensions), len(now.CPUID), len(before.CPUID))
	t.Expect(lost).To(BeEmpty(), "what KVM of %s could", t.On(1).Package(matrix.Linux))
})

// isFeatures says whether each bit of a register is a feature, and not part of a number
// (Intel SDM volume 2, CPUID; AMD APM volume 3, appendix E; Documentation/virt/kvm/x86/cpuid.rst).
func isFeatures(leaf, register string) bool {
	return slices.Contains([]string{
		"1.0 ecx", "1.0 edx", "6.0 eax", "7.0 ebx", "7.0 ecx", "7.0 edx", "7.1 eax", "7.1 edx", "d.1 eax",
		"40000001.0 eax", "80000001.0 ecx", "80000001.0 edx", "80000007.0 edx", "80000008.0 ebx", "8000000a.0 edx", "80000021.0 eax",
	}, leaf+" "+register)
}

// The bit is that of SVM in leaf 80000001 (AMD APM volume 3, appendix E). What the module
// does with another parameter is not asked: it cannot be unloaded where guests are held.
var _ = check.Register("IK-NEST", check.Spec{
	Asserts:  "Guests may have SVM where KVM says that they may be hosts, and not where it does not",
	Requires: []matrix.Requirement{matrix.HostKVM},
	Depends:  check.On(matrix.Linux),
	Control:  sabotage.Command("a kernel that says the opposite", "echo 0 >/run/nested; mount --bind /run/nested /sys/module/kvm_amd/parameters/nested"),
}, func(t *steps.T) {
	may := t.Sh("cat /sys/module/kvm_amd/parameters/nested")
	t.Expect(capabilities(t).CPUID["80000001.0"][2]&(1<<2) != 0).To(Equal(may == "1"), "KVM offers SVM to guests, with nested=%s", may)
	t.Note("nested=%s, npt=%s", may, t.Sh("cat /sys/module/kvm_amd/parameters/npt"))
})

// kvmGuest starts a guest on KVM, whatever the cell's guests run on.
func kvmGuest(t *steps.T) (*steps.QEMU, *steps.Guest) {
	s := t.Settings()
	s.Accel = "kvm"
	return t.StartGuestAs(s)
}

// Post-copy migration stands on it. The kernel reads the page here, as it does for a guest.
var _ = check.Register("IK-UFFD", check.Spec{
	Asserts:  "A page that is missing is filled by userfaultfd when the kernel reads it for a thread",
	Requires: []matrix.Requirement{matrix.OwnKernel, matrix.KVMStack},
	Depends:  check.On(matrix.Linux),
	Control:  sabotage.Wrap(steps.ProbeProgram, "a page of zeros", `$REAL "$@" | sed 's/"read":[0-9]*/"read":0/'`),
}, func(t *steps.T) {
	var page probe.Fault
	t.Probe(&page, probe.AskFault)
	t.Expect(page.Error).To(BeEmpty(), "what the kernel refused")
	t.Expect(page.Read).To(Equal(page.Given), "the byte that was read")
	t.Note("vm.unprivileged_userfaultfd=%s, %s", t.Sh("cat /proc/sys/vm/unprivileged_userfaultfd"), t.Run("ls -l /dev/userfaultfd").Text())
})

// cpu1 is the switch of the host's second processor (Documentation/core-api/cpu_hotplug.rst).
const cpu1 = "/sys/devices/system/cpu/cpu1/online"

var _ = check.Register("IK-CPUHP", check.Spec{
	Asserts:  "A processor of the host goes off and on below a guest, which goes on",
	Requires: []matrix.Requirement{matrix.HostKVM, matrix.Pristine},
	Depends:  check.On(matrix.Linux),
	Control:  sabotage.Wrap("nproc", "a processor that stays", "echo 2"),
}, func(t *steps.T) {
	all := t.Sh("nproc")
	q, g := kvmGuest(t)
	t.Cleanup(func() { t.Run("echo 1 >" + cpu1) })
	for _, on := range []string{"0", "1"} {
		mark := g.Mark()
		t.Sh("echo " + on + " >" + cpu1)
		t.Expect(t.Sh("nproc") == all).To(Equal(on == "1"), "the host has all %s processors once %s was written", all, on)
		g.ExpectGoesOn(mark)
	}
	q.Quit()
})
