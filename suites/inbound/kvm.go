package inbound

import (
	"context"
	"encoding/json"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/internal/probe"
	"github.com/virtmatrix/virtmatrix/suites/cell"
)

// ask puts a question to the probe in L1 and reads its answer.
func ask(ctx context.Context, t *cell.T, answer any, args ...string) {
	command := host.ToolsDir + "/" + probe.Program
	for _, a := range args {
		command += " " + host.Quote(a)
	}
	said := t.Sh(ctx, command)
	t.Expect(json.Unmarshal([]byte(said), answer)).To(Succeed(), "the probe's answer %q", said)
}

// kvmIsThere: the modules that fit L1's processor are in the kernel, and the
// device speaks the one version that the interface ever had
// (Documentation/virt/kvm/api.rst, KVM_GET_API_VERSION).
func kvmIsThere(ctx context.Context, t *cell.T) {
	vendor := "kvm_intel"
	if t.Run(ctx, "grep -qw svm /proc/cpuinfo").OK() {
		vendor = "kvm_amd"
	}
	for _, module := range []string{"kvm", vendor} {
		t.Sh(ctx, "modprobe "+module)
		t.Expect(t.Run(ctx, "test -d /sys/module/"+module).OK()).To(BeTrue(), "module %s is in the kernel", module)
	}
	// The numbers are in hexadecimal, 10:232: the stat of coreutils 8 has no others.
	t.Expect(t.Sh(ctx, "stat -c '%F %t:%T' /dev/kvm 2>&1")).To(Equal("character special file a:e8"), "/dev/kvm")
	var kvm probe.KVM
	ask(ctx, t, &kvm, probe.AskKVM)
	t.Expect(kvm.APIVersion).To(Equal(12), "KVM_GET_API_VERSION (the probe says %q)", kvm.Error)
	t.Note("%s, nested=%s", vendor, t.Sh(ctx, "cat /sys/module/"+vendor+"/parameters/nested"))
}

// kvmRunsGuest: a guest adds two digits, says the sum on a port, stores it and
// halts.
func kvmRunsGuest(ctx context.Context, t *cell.T) {
	var kvm probe.KVM
	ask(ctx, t, &kvm, probe.AskKVM)
	t.Expect(kvm.Error).To(BeEmpty(), "what the kernel refused")
	const sum = '0' + probe.OperandA + probe.OperandB
	t.Expect(kvm.Exits).To(Equal([]probe.Exit{
		{Reason: probe.ExitIO, Out: true, Port: probe.Port, Data: []byte{sum}},
		{Reason: probe.ExitIO, Out: true, Port: probe.Port, Data: []byte{'\n'}},
		{Reason: probe.ExitHLT},
	}), "the exits of the guest")
	t.Expect(kvm.Memory).To(BeEquivalentTo(sum), "the byte that the guest stored")
}
