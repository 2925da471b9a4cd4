package console

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestScanFindsTrouble(t *testing.T) {
	for _, tc := range []struct {
		pattern, line string
		severity      Severity
	}{
		// arch/x86, kernel/panic.c, lib/bug.c
		{"kernel panic", "[    1.0] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)", Fatal},
		{"kernel panic", "[    2.7] ---[ end Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100 ]---", Fatal},
		{"kernel panic", "[    0.0] traps: PANIC: double fault, error_code: 0x0", Fatal},
		{"kernel BUG", "[    1.0] BUG: kernel NULL pointer dereference, address: 0000000000000000", Complaint},
		{"kernel BUG", "[    1.0] BUG: unable to handle page fault for address: ffffc90000a0e000", Complaint},
		{"kernel BUG", "[    1.0] kernel BUG at mm/slub.c:305!", Complaint},
		{"kernel BUG", "[    1.0] BUG: scheduling while atomic: swapper/0/0/0x00000002", Complaint},
		{"kernel BUG", "[    1.0] BUG: Bad page state in process qemu-system-x86  pfn:0dead", Complaint},
		{"kernel oops", "[    1.0] Oops: 0002 [#1] PREEMPT SMP NOPTI", Complaint},
		{"kernel oops", "[    1.0] Oops: general protection fault, probably for non-canonical address 0xdead: 0000 [#1] SMP", Complaint},
		{"kernel oops", "[    1.0] general protection fault, probably for non-canonical address 0xdead000000000108: 0000 [#1] PREEMPT SMP", Complaint},
		{"kernel oops", "[    1.0] invalid opcode: 0000 [#1] SMP", Complaint},
		{"kernel oops", "[    1.0] divide error: 0000 [#3] SMP NOPTI", Complaint},
		{"kernel oops", "[    1.0] Internal error: Oops: 0000000096000004 [#1] PREEMPT SMP", Complaint},
		{"kernel warning", "[    1.0] WARNING: CPU: 1 PID: 12 at kernel/foo.c:12 foo+0x1/0x2", Complaint},
		{"kernel warning", "[    1.0] WARNING: CPU: 0 PID: 0 at arch/x86/kvm/x86.c:1 kvm_init+0x1/0x2 [kvm]", Complaint},
		{"kernel warning", "[    1.0] WARNING: kernel/sched/core.c:8511 at sched_init+0x20/0x410, CPU#0: swapper/0", Complaint},
		{"kernel warning", "[    1.0] WARNING: at sched_init+0x20/0x410, CPU#0: swapper/0", Complaint},
		{"kernel warning", "WARNING: at kernel/softirq.c:159 local_bh_enable+0x60/0x90()", Complaint},
		{"lock trouble", "[    1.0] WARNING: possible circular locking dependency detected", Complaint},
		{"lock trouble", "[    1.0] INFO: possible recursive locking detected", Complaint},
		{"lock trouble", "[    1.0] INFO: inconsistent lock state", Complaint},
		{"lock trouble", "[    1.0] WARNING: suspicious RCU usage", Complaint},
		{"lock trouble", "[    1.0] WARNING: bad unlock balance detected!", Complaint},
		{"lock trouble", "[    1.0] WARNING: lock held when returning to user space!", Complaint},
		{"out of memory", "[   90.0] Out of memory: Killed process 812 (qemu-system-x86) total-vm:2097152kB", Complaint},
		{"out of memory", "[   90.0] Memory cgroup out of memory: Killed process 812 (qemu-system-x86)", Complaint},
		{"call trace", "[    1.0] Call Trace:", Complaint},
		// What a starved machine says too: kernel/watchdog.c, kernel/rcu, kernel/hung_task.c
		{"lockup", "[   60.0] watchdog: BUG: soft lockup - CPU#1 stuck for 26s! [swapper/1:0]", Stall},
		{"lockup", "[   60.0] NMI watchdog: Watchdog detected hard LOCKUP on cpu 0", Stall},
		{"lockup", "[   60.0] BUG: workqueue lockup - pool cpus=0 node=0 flags=0x0 nice=0 stuck for 37s!", Stall},
		{"lockup", "[    1.0] rcu: INFO: rcu_preempt self-detected stall on CPU", Stall},
		{"lockup", "[    1.0] rcu: INFO: rcu_sched detected stalls on CPUs/tasks:", Stall},
		{"lockup", "[    1.0] rcu: INFO: rcu_sched detected expedited stalls on CPUs/tasks: { 1-... } 21 jiffies s: 5 root: 0x2/.", Stall},
		{"hung task", "[  240.0] INFO: task kworker/0:1:12 blocked for more than 120 seconds.", Stall},
		{"hung task", "[  240.0] INFO: task dd:812 blocked in I/O wait for more than 122 seconds.", Stall},
		// Xen
		{"Xen panic", "(XEN) Panic on CPU 0:", Fatal},
		{"Xen panic", "(XEN) [2025-11-22 00:00:00.123] Panic on CPU 12:", Fatal},
		{"Xen panic", "(XEN) Early fatal page fault at e008:ffff82d0403b38e0 (cr2=0000000001100202, ec=0009)", Fatal},
		{"Xen panic", "(XEN) *** DOUBLE FAULT ***", Fatal},
		{"dom0 crash", "(XEN) Hardware Dom0 crashed: rebooting machine in 5 seconds.", Fatal},
		{"dom0 crash", "(XEN) Domain 0 (vcpu#0) crashed on cpu#0:", Fatal},
		{"Xen warning", "(XEN) Xen WARN at common/foo.c:12", Complaint},
		{"Xen warning", "(XEN) Xen BUG at page_alloc.c:1423", Complaint},
		{"Xen warning", "(XEN) Assertion 'pfn_valid' failed at mm.c:1234", Complaint},
		{"Xen guest crash", "(XEN) domain_crash called from p2m.c:1301", Complaint},
		{"Xen guest crash", "(XEN) Domain 3 (vcpu#0) crashed on cpu#1:", Complaint},
		{"Xen triple fault", "(XEN) d3v0 Triple fault - invoking HVM shutdown action 1", Complaint},
		{"kernel panic", "(d0) [    4.1] Kernel panic - not syncing: Fatal exception", Fatal},
		// ours
		{"agent gave up", "virtmatrix-agent: cannot find disk \"root\": no virtio disk has this serial", Fatal},
	} {
		want := Finding{tc.pattern, strings.TrimPrefix(tc.line, "(d0) "), tc.severity}
		for ends, text := range map[string]string{
			"\\n":    "before\n" + tc.line + "\nafter\n",
			"\\r\\n": "before\r\n" + tc.line + "\r\nafter\r\n",
			"\\n\\r": "before\n\r" + tc.line + "\n\rafter\n\r",
			"NUL":    "before\n\x00\x00" + tc.line + "\nafter\n",
			"escape": "before\n\x1bc\x1b[?7l\x1b[2J\x1b[0m" + tc.line + "\x1b[0m\nafter\n",
			"end":    tc.line,
		} {
			found := Scan([]byte(text), nil)
			if len(found) != 1 || found[0] != want {
				t.Errorf("with %s: Scan(%q) = %+v, want %s", ends, tc.line, found, tc.pattern)
			}
		}
	}
}

func TestScanPassesWhatIsNoTrouble(t *testing.T) {
	for _, line := range []string{
		"[    0.0] Linux version 6.1.0-41-cloud-amd64 (debian-kernel@lists.debian.org)",
		"[    0.0] Command line: console=ttyS0 panic=-1 loglevel=6 oops=panic softlockup_panic=1 hung_task_panic=1",
		"[    0.0] Kernel command line: console=hvc0 panic=-1 panic_on_warn=1",
		"[    0.1] Spectre V2 : WARNING: Unprivileged eBPF is enabled with eIBRS on, data leakage attacks possible via Spectre v2 BHB attacks!",
		"[    0.1] [Firmware Bug]: TSC doesn't count with P0 frequency!",
		"[    0.2] x86/bugs: Spectre V1 : Mitigation: usercopy/swapgs barriers",
		"[    0.2] NMI watchdog: Perf NMI watchdog permanently disabled",
		"[    0.3] rcu: Hierarchical RCU implementation.",
		"[    0.3] rcu: RCU calculated value of scheduler-enlistment delay is 25 jiffies.",
		"[    0.4] clocksource: timekeeping watchdog on CPU0: Marking clocksource 'tsc' as unstable because the skew is too large:",
		"[    0.5] hrtimer: interrupt took 12345678 ns",
		"[    0.6] ramoops: using module parameters",
		"[    0.6] pstore: Registered ramoops as persistent store backend",
		"[    0.7] Modules linked in: oops_demo panic_test bug(O)",
		"[    0.8] traps: prog[812] general protection fault ip:55d0 sp:7ffc error:0 in prog[55d0+1000]",
		"[    0.8] prog[812]: segfault at 0 ip 000055d0 sp 00007ffc error 4 in prog[55d0+1000]",
		"[    0.9] workqueue: drm_fb_helper_damage_work hogged CPU for >10000us 4 times, consider switching to WQ_UNBOUND",
		"[    0.9] debug: call me",
		"[    1.0] DEBUG: nothing",
		"WARNING: Image format was not specified for '/dev/vda' and probing guessed raw.",
		"WARNING: The following packages cannot be authenticated!",
		"the user typed: Kernel panic?",
		"(XEN) Command line: console=com1 panic=-1 dom0_mem=1024M",
		"(XEN) WARNING: NO SECURE BOOT",
		"(XEN) Domain 0 kernel supports features",
		"(XEN) Dom0 has maximum 2 VCPUs",
		"(XEN) Hardware Dom0 shutdown: rebooting machine",
		"virtmatrix-agent: serving",
		"the agent says virtmatrix-agent: cannot",
		// Xen shows the words of guests that have consoles of their own.
		"(d1) [    4.1] Kernel panic - not syncing: Attempted to kill init!",
		"(d12) [    4.1] BUG: kernel NULL pointer dereference, address: 0",
	} {
		if found := Scan([]byte(line+"\n"), nil); found != nil {
			t.Errorf("Scan(%q) = %+v, want nothing", line, found)
		}
	}
}

const splat = `[ 1.0] ------------[ cut here ]------------
[ 1.0] WARNING: CPU: 0 PID: 1 at arch/x86/known.c:1 known+0x1/0x2
[ 1.0] Modules linked in: kvm_amd
[ 1.0] Call Trace:
[ 1.0]  <TASK>
[ 1.0] ---[ end trace 0000000000000000 ]---
`

func TestASplatIsReportedOnce(t *testing.T) {
	found := Scan([]byte(splat), nil)
	if len(found) != 1 || found[0].Pattern != "kernel warning" {
		t.Errorf("found %+v, want the warning alone", found)
	}
	far := splat + strings.Repeat("[ 2.0] usb 1-1: new device\n", splatLines) + "[ 3.0] Call Trace:\n"
	if found := Scan([]byte(far), nil); len(found) != 2 || found[1].Pattern != "call trace" {
		t.Errorf("found %+v, want the warning, and the trace that has nothing to do with it", found)
	}
}

func compiled(t *testing.T, match string) []Allowance {
	t.Helper()
	a := Allowance{Match: match, Reason: "the emulator's"}
	if err := a.Compile(); err != nil {
		t.Fatal(err)
	}
	return []Allowance{a}
}

func TestAllowancesCoverTheirSplatAlone(t *testing.T) {
	text := splat + "WARNING: CPU: 0 PID: 1 at arch/x86/other.c:1\n"
	found := Scan([]byte(text), compiled(t, `at arch/x86/known\.c`))
	if len(found) != 1 || !strings.Contains(found[0].Line, "other.c") {
		t.Errorf("found %+v, want the warning in other.c", found)
	}
}

func TestAllowancesNeedReasonAndPattern(t *testing.T) {
	for name, a := range map[string]Allowance{
		"no reason":     {Match: "x"},
		"no expression": {Match: "(", Reason: "r"},
		"matches all":   {Match: ".*", Reason: "r"},
		"empty":         {Match: "", Reason: "r"},
	} {
		if err := a.Compile(); err == nil || !strings.HasPrefix(err.Error(), "cannot allow console line") {
			t.Errorf("%s: Compile = %v, want a refusal", name, err)
		}
	}
}

func TestTroubleIsFoundBehindEndlessLines(t *testing.T) {
	const trouble = "Kernel panic - not syncing: x"
	for offset := MaxLine - 2*len(trouble); offset < MaxLine+len(trouble); offset++ {
		text := strings.Repeat("x", offset) + trouble + strings.Repeat("y", MaxLine) + "\n"
		found := Scan([]byte(text), nil)
		if len(found) == 0 {
			t.Fatalf("a panic %d bytes into a line is not found", offset)
		}
		for _, f := range found {
			if len(f.Line) > MaxLine {
				t.Fatalf("a finding keeps %d bytes", len(f.Line))
			}
		}
	}
}

func TestWhatAGuestComplainsWithoutEndIsBounded(t *testing.T) {
	if n := len(Scan(bytes.Repeat([]byte("BUG: x\n"), 100_000), nil)); n != maxFindings {
		t.Errorf("Scan returned %d findings, want %d", n, maxFindings)
	}
}

func TestTail(t *testing.T) {
	long := strings.Repeat("x", 2*MaxLine)
	for _, tc := range []struct {
		name, text string
		n          int
		want       string
	}{
		{"nothing", "", 3, ""},
		{"fewer", "a\nb\n", 3, "a\nb"},
		{"last", "a\r\nb\r\nc\r\n", 2, "b\nc"},
		{"half a line", "a\nb", 1, "b"},
		{"empty lines at the end", "a\nb\n\n\n", 1, "b"},
		{"endless line", "a\n" + long + "\n", 1, long[:MaxLine]},
	} {
		if got := Tail([]byte(tc.text), tc.n); got != tc.want {
			t.Errorf("%s: Tail = %q, want %q", tc.name, got, tc.want)
		}
	}
}

func TestLogReadsFromAnOffsetAndBoundsItself(t *testing.T) {
	log := Log{Path: filepath.Join(t.TempDir(), "console.log")}
	if b, err := log.Since(0); b != nil || err != nil || log.Size() != 0 {
		t.Errorf("a console that is not there yet: %q, %v, size %d", b, err, log.Size())
	}
	if err := os.WriteFile(log.Path, []byte("one\ntwo\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if b, err := log.Since(4); string(b) != "two\n" || err != nil {
		t.Errorf("Since(4) = %q, %v", b, err)
	}
	if b, err := log.Since(100); len(b) != 0 || err != nil {
		t.Errorf("Since past the end = %q, %v", b, err)
	}
	if b, err := log.Last(5); string(b) != "\ntwo\n" || err != nil {
		t.Errorf("Last(5) = %q, %v", b, err)
	}
	if b, err := log.Last(100); string(b) != "one\ntwo\n" || err != nil {
		t.Errorf("Last(100) = %q, %v", b, err)
	}
	if got := log.Tail(1); got != "two" {
		t.Errorf("Tail(1) = %q", got)
	}
	if err := os.Truncate(log.Path, MaxBytes+10); err != nil {
		t.Fatal(err)
	}
	if b, err := log.Since(0); len(b) != MaxBytes || err != nil {
		t.Errorf("Since read %d bytes, %v; want %d", len(b), err, MaxBytes)
	}
}

func TestWatchHearsTheAgentOut(t *testing.T) {
	log := Log{Path: filepath.Join(t.TempDir(), "console.log")}
	w := NewWatch(log)
	said := "[ 1.0] Linux version 6.1\n"
	for _, step := range []string{"virtmatrix-agent: cannot start x: /run/x", " was not there within 2m0s", "\n"} {
		said += step
		if err := os.WriteFile(log.Path, []byte(said), 0o644); err != nil {
			t.Fatal(err)
		}
		want := Finding{}
		if step == "\n" {
			want = Finding{agentName, "virtmatrix-agent: cannot start x: /run/x was not there within 2m0s", Fatal}
		}
		if got, dead := w.Fatal(); got != want || dead != (step == "\n") {
			t.Errorf("after %q: Fatal = %+v, %v", said, got, dead)
		}
	}
}

func TestWatchFindsTheFatalLineWhenItComes(t *testing.T) {
	log := Log{Path: filepath.Join(t.TempDir(), "console.log")}
	w := NewWatch(log)
	f, err := os.Create(log.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, step := range []struct {
		said string
		dead bool
	}{
		{"", false},
		{"[ 1.0] Linux version 6.1\n[ 1.1] BUG: kernel NULL", false},
		{" pointer dereference\n[ 1.2] Kernel panic - not ", false},
		{"syncing: Fatal exception", true},
		{"\n[ 1.3] Kernel panic - not syncing: another\n", true},
	} {
		if _, err := f.WriteString(step.said); err != nil {
			t.Fatal(err)
		}
		if got, dead := w.Fatal(); dead != step.dead || dead && got.Line != "[ 1.2] Kernel panic - not syncing: Fatal exception" {
			t.Errorf("after %q: Fatal = %+v, %v; want %v", step.said, got, dead, step.dead)
		}
	}
}

func TestXensPanicSaysWhyOnItsNextLine(t *testing.T) {
	log := Log{Path: filepath.Join(t.TempDir(), "console.log")}
	w := NewWatch(log)
	add := func(text string) {
		f, err := os.OpenFile(log.Path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteString(text); err != nil {
			t.Fatal(err)
		}
	}
	add("(XEN) ELF: not an ELF binary\n(XEN) Panic on CPU 0:\n")
	if f, found := w.Fatal(); found {
		t.Errorf("found %q before it says why", f.Line)
	}
	add("(XEN) Could not construct domain 0\n(XEN) ****\n")
	const want = "(XEN) Panic on CPU 0: Could not construct domain 0"
	if f, found := w.Fatal(); !found || f.Line != want {
		t.Errorf("found %v %q, want %q", found, f.Line, want)
	}
	if f, found := w.Fatal(); !found || f.Line != want {
		t.Errorf("then %v %q, want %q", found, f.Line, want)
	}
	torn := NewWatch(log)
	torn.log.Path += ".torn"
	if err := os.WriteFile(torn.log.Path, []byte("(XEN) Panic on CPU 1:\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	torn.Fatal()
	if f, found := torn.Fatal(); !found || f.Line != "(XEN) Panic on CPU 1:" {
		t.Errorf("a panic whose console ends there: %v %q", found, f.Line)
	}
}
