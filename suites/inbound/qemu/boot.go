package qemu

import (
	"fmt"
	"slices"
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"github.com/virtmatrix/virtmatrix/internal/layout"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// The processors of an emulated host lack cmpxchg16b, which an emulator with several
// threads is compiled to use: it is asked where the processors are L0's.
var _ = check.Register("IQ-TCG", check.Spec{
	Asserts:  "A guest with two processors boots and computes the same, emulated by one thread and by one for each processor",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Contained},
	Depends:  check.On(matrix.Linux, matrix.QEMU, "machine"),
	Control:  sabotage.Wrap(layout.Emulator, "one thread for all processors", `exec $REAL "${@/thread=multi/thread=single}"`),
}, func(t *steps.T) {
	var tables [][]l2.ACPITable
	for mode, threads := range map[string]int{"single": 1, "multi": 2} {
		s := t.Settings()
		s.Accel = "tcg,thread=" + mode
		q, g := t.StartGuestAs(s, "-smp", "2")
		facts := g.WaitReady()
		t.Expect(facts.Hypervisor).To(Equal("TCGTCGTCGTCG"), "what runs the guest with %s threads", mode)
		t.Expect(facts.CPUs).To(Equal(2), "processors of the guest with %s threads", mode)
		var cpus []struct {
			Thread int `json:"thread-id"`
		}
		q.Do("query-cpus-fast", nil, &cpus)
		t.Expect(slices.Compact(cpus)).To(HaveLen(threads), "threads of two processors with %s threads", mode)
		// The guest hashes the tables: a workload whose result is known from the other mode.
		tables = append(tables, g.Firmware().ACPI)
		mark := g.Mark()
		g.Dirty(16)
		g.ExpectGoesOn(mark)
		q.Quit()
	}
	t.Expect(tables[0]).NotTo(BeEmpty(), "tables that the guest hashed")
	t.Expect(tables[0]).To(Equal(tables[1]), "what the guest computed with one thread and with several")
})

// The cell's guests may run on TCG: this one is asked of the kernel's KVM whatever they run on.
var _ = check.Register("IQ-KVM", check.Spec{
	Asserts:  "A guest with two processors runs on KVM of the cell's kernel, works on its disk and is saved and loaded",
	Requires: []matrix.Requirement{matrix.HostKVM},
	Depends:  check.On(matrix.Linux, matrix.QEMU, "machine"),
	Control:  sabotage.Wrap(layout.Emulator, "an emulator that does without KVM", `exec $REAL "${@/#kvm/tcg}"`),
}, func(t *steps.T) {
	s := t.Settings()
	s.Accel = "kvm"
	image := t.QCOW2("disk", "")
	q, g := t.StartGuestAs(s, append(disk(image, "qcow2"), "-smp", "2")...)
	facts := g.WaitReady()
	t.Expect(facts.Hypervisor).To(Equal("KVMKVMKVM"), "what runs the guest")
	t.Expect(facts.CPUs).To(Equal(2), "processors of the guest")
	g.WriteAt(vda, 0, one)
	mark := g.Mark()
	q.HMP("savevm it")
	q.HMP("loadvm it")
	g.ExpectGoesOn(mark)
	t.Expect(g.ReadAt(vda, 0, len(one))).To(Equal(one), "what the disk holds")
	q.Quit()
})

// longest is how much of a command line Linux takes on x86 (COMMAND_LINE_SIZE), with its end.
const longest = 2048

var _ = check.Register("IQ-KERNEL", check.Spec{
	Asserts:  "A guest's kernel is the one that was given, and has all of a command line of the greatest length, and its initial RAM disk",
	Requires: []matrix.Requirement{matrix.KVMStack},
	Depends:  guestRuns,
	Control:  sabotage.Wrap(layout.Emulator, "command lines that are cut off", `exec $REAL "${@/%virtmatrix.last/}"`),
}, func(t *steps.T) {
	who := t.NewGuest()
	args := domain.Arguments(who, t.Settings())
	line := &args[slices.Index(args, "-append")+1]
	*line += ` virtmatrix.quoted="a, b" `
	const last = "virtmatrix.last"
	*line += strings.Repeat("x", longest-1-len(*line)-len(last)-1) + " " + last
	q := t.StartQEMU(args...)
	q.Do("cont", nil, nil)
	g := q.Guest(who)
	t.Expect(g.Kernel().Cmdline).To(Equal(*line), "the command line that the guest has")
	t.Expect(g.WaitReady().Kernel).To(Equal(t.KernelRelease()), "the kernel that the guest runs")
	q.Quit()
})

var _ = check.Register("IQ-MICRO", check.Spec{
	Asserts:  "The machine microvm boots a guest, which works on its disk",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.QEMU, "4.2")},
	Depends:  check.On(matrix.Linux, matrix.QEMU, "accel"),
	Control:  sabotage.Guest(l2.ForgetWord),
}, func(t *steps.T) {
	s := t.Settings()
	s.Seen.Machine = "microvm,pcie=on"
	image := t.DiskImage("disk", mib)
	args := disk(image, "raw")
	if s.Accel == "tcg" {
		// The kernel takes the speed of its clock from the PIT, for lack of a HPET, and hangs
		// where that was late. Time by instructions is never.
		args = append(args, "-icount", "shift=1")
	}
	q, g := t.StartGuestAs(s, args...)
	g.WriteAt(vda, 0, one)
	t.Expect(t.ReadFile(image, 0, len(one))).To(Equal(one), "what the disk holds")
	g.ExpectGoesOn(g.Mark())
	q.Quit()
})

// On a host that qemu 7.2 emulates, KVM's guest with this firmware ends that emulator
// ("tcg_handle_interrupt: assertion failed"), each time in two releases.
var _ = check.Register("IQ-UEFI", check.Spec{
	Asserts:  "A guest boots by UEFI from two flash chips, and its variables are written and read at the next boot",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Contained},
	Depends:  append(check.On(matrix.QEMU, matrix.Linux), "accel", "firmware"),
	Control:  sabotage.Wrap(layout.Emulator, "flash without its variables", `exec $REAL "${@/if=pflash,format=raw,file=/if=none,format=raw,file=}"`),
}, func(t *steps.T) {
	firmware, vars := t.UEFI(), t.Scratch("vars")
	t.Sh("cp " + firmware.Vars + " " + vars)
	template := t.Images(vars)[vars].Hash
	for range 2 {
		q, g := t.StartGuest("-m", "256",
			"-drive", fmt.Sprintf("if=pflash,format=%s,readonly=on,file=%s", firmware.Format, firmware.Code),
			"-drive", fmt.Sprintf("if=pflash,format=%s,file=%s", firmware.Format, vars))
		t.Expect(g.WaitReady().Firmware).To(Equal(l2.UEFI), "what the guest was booted by")
		g.ExpectGoesOn(g.Mark())
		q.Quit()
		written := t.Images(vars)[vars].Hash
		t.Expect(written).NotTo(Equal(template), "variables of a guest that booted, and their template")
	}
})
