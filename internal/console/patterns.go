package console

import (
	"regexp"
	"strings"
)

// Severity says what a troubling line means for the guest.
type Severity int

const (
	// Complaint: the guest goes on, but something is wrong in it.
	Complaint Severity = iota
	// Stall is a complaint about time, which a guest that gets no processor
	// makes as well as one that hangs.
	Stall
	// Fatal: the guest is dead or as good as dead.
	Fatal
)

// pattern is a line that means trouble. name is for a report. A line that
// matches has one of the words: looking for those first is a hundred times
// faster, and nearly every line has none.
type pattern struct {
	name     string
	severity Severity
	words    []string
	expr     *regexp.Regexp
}

func (p pattern) matches(line string) bool {
	for _, w := range p.words {
		if strings.Contains(line, w) {
			return p.expr.MatchString(line)
		}
	}
	return false
}

// patterns is what is looked for in every console and dmesg; the first that
// matches a line names it. Kernels from 3.10 to 7.x and Xen from 4.14 say these
// words, the place is named with each.
var patterns = []pattern{
	// kernel/panic.c, panic; arch/x86/kernel/traps.c, exc_double_fault
	{"kernel panic", Fatal, []string{"panic", "PANIC"}, regexp.MustCompile(`Kernel panic - not syncing|\bPANIC: double fault`)},
	// xen/drivers/char/console.c, panic; xen/arch/x86/traps.c, do_early_page_fault
	// and do_double_fault; xen/common/shutdown.c, hwdom_shutdown
	{xenPanic, Fatal, []string{"Panic on CPU", "Early fatal", "DOUBLE FAULT"}, regexp.MustCompile(`^\(XEN\) (\[.*\] )?(Panic on CPU \d+|Early fatal page fault|\*\*\* DOUBLE FAULT \*\*\*)`)},
	{"dom0 crash", Fatal, []string{"crashed"}, regexp.MustCompile(`^\(XEN\) (\[.*\] )?(Hardware Dom\d+|Domain 0) crashed|^\(XEN\) (\[.*\] )?Domain 0 \(vcpu#\d+\) crashed`)},
	// kernel/watchdog.c, kernel/rcu/tree_stall.h and tree_exp.h, kernel/workqueue.c:
	// before the BUG that some of these lines also are.
	{"lockup", Stall, []string{"lockup", "LOCKUP", "stall"}, regexp.MustCompile(`BUG: soft lockup|hard LOCKUP|BUG: workqueue lockup|\brcu.*detected (expedited )?stall`)},
	// kernel/hung_task.c
	{"hung task", Stall, []string{"blocked"}, regexp.MustCompile(`INFO: task .{1,80} blocked (in I/O wait )?for more than \d+ seconds`)},
	// arch/x86/kernel/dumpstack.c, __die_header (with "Oops: " always from 6.10 on);
	// arch/arm64/kernel/traps.c, die. Programs that die of a trap have no "[#1]".
	{"kernel oops", Complaint, []string{"[#", "Internal error"}, regexp.MustCompile(`: [0-9a-f]{1,16} \[#\d+\]|\bInternal error: `)},
	// lib/bug.c, arch/x86/mm/fault.c, kernel/sched/core.c, mm/page_alloc.c
	{"kernel BUG", Complaint, []string{"BUG"}, regexp.MustCompile(`\bBUG: |kernel BUG at `)},
	// kernel/panic.c, __warn: up to 6.18, from 6.19 on, and in 3.10;
	// kernel/locking/lockdep.c
	{"kernel warning", Complaint, []string{"WARNING"}, regexp.MustCompile(`\bWARNING: (CPU: \d+ PID: \d+ at |\S+:\d+ at .*CPU#\d+|at )`)},
	{"lock trouble", Complaint, []string{"WARNING", "INFO"}, regexp.MustCompile(`(WARNING|INFO): .*(possible .*(lock|deadlock)|inconsistent lock state|suspicious RCU usage|bad unlock balance|held lock freed|still held|held when returning)|(WARNING|INFO): (suspicious|inconsistent|possible) `)},
	// mm/oom_kill.c, __oom_kill_process
	{"out of memory", Complaint, []string{"ut of memory"}, regexp.MustCompile(`\b[Oo]ut of memory: Kill(ed)? process \d+`)},
	// xen/arch/x86/traps.c, do_invalid_op; xen/include/xen/sched.h, domain_crash
	{"Xen warning", Complaint, []string{"Xen ", "Assertion"}, regexp.MustCompile(`^\(XEN\) (\[.*\] )?(Xen (WARN|BUG) at|Assertion '.*' failed)`)},
	{"Xen guest crash", Complaint, []string{"domain_crash", "crashed"}, regexp.MustCompile(`^\(XEN\) (\[.*\] )?(domain_crash called from|Domain \d+ (\(vcpu#\d+\) |reported )crashed)`)},
	// xen/arch/x86/hvm/hvm.c, hvm_triple_fault
	{TripleFault, Complaint, []string{"Triple fault"}, regexp.MustCompile(`^\(XEN\) (\[.*\] )?d\d+v\d+ Triple fault - invoking HVM shutdown action \d`)},
	{agentName, Fatal, []string{"virtmatrix-agent"}, regexp.MustCompile(`^virtmatrix-agent: cannot `)},
	// arch/x86/kernel/dumpstack.c: a trace that no line above announced. See Scan.
	{traceName, Complaint, []string{"Call Trace"}, regexp.MustCompile(`\bCall Trace:`)},
}

// xenPanic is the pattern of Xen's last words.
const xenPanic = "Xen panic"

// TripleFault is the pattern of what Xen says of a guest whose processor found no way on.
const TripleFault = "Xen triple fault"

// HostState is the pattern of a triple fault after which the guest has Xen's own code segment
// and address: no guest can load them, and the processor that mixed them up is at fault.
const HostState = "Xen's state in a guest"

// hostState matches where the guest of a triple fault is then: e008 is __HYPERVISOR_CS, and
// Xen's code begins at XEN_VIRT_START (xen/arch/x86/include/asm/config.h).
var hostState = regexp.MustCompile(`^\(XEN\) (\[.*\] )?RIP: +e008:\[<ffff82d`)

// stateLines is how many lines after a triple fault the guest's state is in.
const stateLines = 6

// agentName is the pattern of the agent's last words.
const agentName = "agent gave up"

// traceName is the pattern of a stack trace. A splat has one, and is reported
// by its first line; a trace alone is trouble without a known name.
const traceName = "call trace"

// splatLines is how many lines after the last troubling one a trace belongs to
// it: registers, modules and code bytes come between the two.
const splatLines = 100

// otherDomain starts what Xen prints for a guest (xen/drivers/char/console.c,
// guest_console_write). Those have consoles of their own.
var otherDomain = regexp.MustCompile(`^\(d[1-9]\d*\) `)

// dom0 starts dom0's own lines with some versions of Xen.
const dom0 = "(d0) "

// escapes are the terminal control sequences of firmware and boot loaders.
var escapes = regexp.MustCompile(`\x1b(\[[0-9;?=]*[A-Za-z]|[A-Za-z()][0-9A-Za-z]?)`)
