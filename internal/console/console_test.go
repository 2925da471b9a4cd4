package console

import "testing"

func TestScanFindsTrouble(t *testing.T) {
	for _, tc := range []struct {
		line, pattern string
		fatal         bool
	}{
		{"[    1.0] Kernel panic - not syncing: VFS: Unable to mount root fs", "kernel panic", true},
		{"[    1.0] BUG: kernel NULL pointer dereference, address: 0000000000000000", "kernel BUG", false},
		{"[    1.0] Oops: 0002 [#1] PREEMPT SMP NOPTI", "kernel oops", false},
		{"[    1.0] WARNING: CPU: 1 PID: 12 at kernel/foo.c:12 foo+0x1/0x2", "kernel warning", false},
		{"[    1.0] WARNING: possible circular locking dependency detected", "kernel warning", false},
		{"[    1.0] INFO: possible recursive locking detected", "lock trouble", false},
		{"[    1.0] INFO: inconsistent lock state", "lock trouble", false},
		{"[    1.0] rcu: INFO: rcu_preempt self-detected stall on CPU", "lockup", false},
		{"[    1.0] INFO: task kworker/0:1:12 blocked for more than 120 seconds.", "hung task", false},
		{"[    1.0] Call Trace:", "call trace", false},
		{"(XEN) Xen WARN at common/foo.c:12", "Xen warning", false},
		{"(XEN) Panic on CPU 0:", "Xen panic", true},
		{"virtmatrix-agent: cannot find disk", "agent gave up", true},
	} {
		found := Scan([]byte("before\n"+tc.line+"\r\nafter\n"), nil)
		if len(found) != 1 || found[0] != (Finding{tc.pattern, tc.line, tc.fatal}) {
			t.Errorf("Scan(%q) = %+v, want %s", tc.line, found, tc.pattern)
		}
	}
}

func TestScanPassesWhatIsNoTrouble(t *testing.T) {
	text := "[    0.0] Linux version 6.1\n[    0.1] Spectre V2: WARNING\n[    0.2] x86/fpu: xstate\n[    0.3] debug: call me\n"
	if found := Scan([]byte(text), nil); found != nil {
		t.Errorf("found %+v", found)
	}
}

func TestAllowancesCoverTheirLineAlone(t *testing.T) {
	a := Allowance{Match: `at arch/x86/known\.c`, Reason: "the emulator's"}
	if err := a.Compile(); err != nil {
		t.Fatal(err)
	}
	text := "WARNING: CPU: 0 PID: 1 at arch/x86/known.c:1\nWARNING: CPU: 0 PID: 1 at arch/x86/other.c:1\n"
	if found := Scan([]byte(text), []Allowance{a}); len(found) != 1 || found[0].Line != "WARNING: CPU: 0 PID: 1 at arch/x86/other.c:1" {
		t.Errorf("found %+v", found)
	}
}

func TestAllowancesNeedReasonAndPattern(t *testing.T) {
	for name, a := range map[string]Allowance{
		"no reason":     {Match: "x"},
		"no expression": {Match: "(", Reason: "r"},
		"matches all":   {Match: ".*", Reason: "r"},
	} {
		if a.Compile() == nil {
			t.Errorf("%s: compiled", name)
		}
	}
}
