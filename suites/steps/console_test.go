package steps

import (
	"strings"
	"testing"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/hosttest"
	"github.com/virtmatrix/virtmatrix/matrix"
)

const (
	lockup      = "watchdog: BUG: soft lockup - CPU#0 stuck for 26s!\n"
	tripleFault = "(XEN) d3v0 Triple fault - invoking HVM shutdown action 1\n"
)

func TestTroubleOnTheConsoleFailsTheCheckThatItCameIn(t *testing.T) {
	const warning = "[    9.0] WARNING: CPU: 0 PID: 1 at kernel/x.c:1 f+0x1\n"
	prints := func(text string) func(*T, *hosttest.Host) {
		return func(_ *T, h *hosttest.Host) { h.Print(text) }
	}
	complains := ends(matrix.Fail, matrix.LayerKernel, "keep the console of L1 clean", "kernel/x.c:1")
	on(t, complains, prints(warning))
	on(t, complains, prints(warning), emulated)
	on(t, ends(matrix.Fail, matrix.LayerHypervisor), prints("(XEN) Xen WARN at common/x.c:1\n"))
	on(t, passes, prints("[   10.0] nothing of note\n"))
	// What its boot printed is of the first check on a host, and of no other.
	on(t, complains, prints(""), func(b *bench) { b.host.Print(warning) })
	on(t, func(b *bench, err error) {
		passes(b, err)
		b.host.Print(warning) // between two checks
		passes(b, b.attempt(prints("")))
	}, prints(""))
}

func TestALogOfTheKernelMustBeClean(t *testing.T) {
	on(t, passes, func(t *T, h *hosttest.Host) {
		h.Print("[ 0.0] Linux version 6.1\n")
		t.Clean(t.Console())
	})
	on(t, ends(matrix.Fail, matrix.LayerKernel, "Bad page state"), func(t *T, _ *hosttest.Host) { t.Clean("BUG: Bad page state\n") })
}

func TestAStallIsTheMachinesWhenItStarvedTheHost(t *testing.T) {
	says := func(text string, waited time.Duration) func(*T, *hosttest.Host) {
		return func(_ *T, h *hosttest.Host) {
			h.Print(text)
			h.Schedule(10*time.Second, waited)
		}
	}
	on(t, infra("starved machine", "soft lockup"), says(lockup, 20*time.Second))
	on(t, infra("starved machine", "rcu_sched"), says("rcu: INFO: rcu_sched self-detected stall on CPU\nCall Trace:\n <TASK>\n", 20*time.Second))
	on(t, ends(matrix.Fail, matrix.LayerKernel, "soft lockup"), says(lockup, 0))
	on(t, ends(matrix.Fail, matrix.LayerKernel, "Oops"), says("rcu: INFO: rcu_sched self-detected stall on CPU\nOops: 0002 [#1] SMP\n", 20*time.Second))
}

// TestStarvationIsOfTheSecondsBeforeAStall, and not of an attempt that may have begun
// long before.
func TestStarvationIsOfTheSecondsBeforeAStall(t *testing.T) {
	stalls := func(early, lately func(*hosttest.Host)) func(*T, *hosttest.Host) {
		return func(_ *T, h *hosttest.Host) {
			early(h)
			time.Sleep(2 * window)
			lately(h)
			time.Sleep(window / 2)
			h.Print(lockup)
		}
	}
	starves := func(h *hosttest.Host) { h.Schedule(time.Second, time.Minute) }
	runs := func(h *hosttest.Host) { h.Schedule(window/2, 0) }
	on(t, ends(matrix.Fail, matrix.LayerKernel, "soft lockup"), stalls(starves, runs))
	on(t, infra("starved machine", "waited 1m0s"), stalls(func(h *hosttest.Host) { h.Schedule(time.Hour, 0) }, starves))
}

func TestAStallOfAnEmulatedHostIsTheEmulatorsOnce(t *testing.T) {
	for _, text := range []string{lockup, "Oops: int3: 0000 [#1] PREEMPT SMP\nCall Trace:\n", tripleFault} {
		layer := matrix.LayerKernel
		if text == tripleFault {
			layer = matrix.LayerHypervisor
		}
		says := func(_ *T, h *hosttest.Host) { h.Print(text) }
		on(t, mayBeEmulator("tell the stack from the emulator", text[:9]), says, emulated)
		on(t, ends(matrix.Fail, layer, text[:9]), says, again)
		on(t, ends(matrix.Fail, layer, text[:9]), says)
	}
}

func TestAGuestWithTheHypervisorsStateIsTheEmulatorsEachTime(t *testing.T) {
	fails := func(state string) func(*T, *hosttest.Host) {
		return func(t *T, h *hosttest.Host) {
			h.Print(tripleFault + "(XEN) *** Dumping Dom3 vcpu#0 state: ***\n(XEN) CPU:    0\n(XEN) RIP:    " + state + "\n")
			t.Fail(matrix.LayerL2, "the guest's console is gone")
		}
	}
	on(t, infra("hypervisor's own state", "console is gone"), fails("e008:[<ffff82d040204505>]"), emulated)
	on(t, infra("hypervisor's own state", "console is gone"), fails("e008:[<ffff82d040204505>]"), again)
	on(t, ends(matrix.Fail, matrix.LayerL2, "console is gone"), fails("0010:[<ffffffff81000000>]"), again)
	on(t, ends(matrix.Fail, matrix.LayerL2, "console is gone"), fails("e008:[<ffff82d040204505>]"))
}

func TestAFailureThatCameOfAStallIsNotTheProductsYet(t *testing.T) {
	for text, told := range map[string]string{lockup: "soft lockup", tripleFault: "d3v0 Triple fault"} {
		fails := func(t *T, h *hosttest.Host) {
			h.Print(text)
			t.Fail(matrix.LayerManagement, "cannot acquire state change lock")
		}
		on(t, mayBeEmulator(told, "state change lock"), fails, emulated)
		on(t, ends(matrix.Fail, matrix.LayerManagement, "state change lock"), fails, again)
		on(t, ends(matrix.Fail, matrix.LayerManagement, "state change lock"), fails)
	}
}

func TestAHostThatHangsIsNotWaitedFor(t *testing.T) {
	hangs := func(t *T, h *hosttest.Host) {
		for range 60 {
			h.Print("watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [l1probe:185]\n")
			if t.ctx.Err() != nil {
				t.Fail(matrix.LayerL2, "what the step stumbled over")
			}
			time.Sleep(28 * time.Second)
		}
		t.Fail(matrix.LayerL2, "nobody noticed that it hangs")
	}
	on(t, func(b *bench, err error) {
		ends(matrix.Fail, matrix.LayerKernel, "soft lockup - CPU#0")(b, err)
		if strings.Contains(err.Error(), "stumbled") {
			b.t.Errorf("the hang is not the cause in %v", err)
		}
		if got := b.keeps("l1-registers.txt"); !strings.HasPrefix(got, "RIP=") {
			b.t.Errorf("l1-registers.txt says %q", got)
		}
	}, hangs)
	on(t, mayBeEmulator("soft lockup - CPU#0"), hangs, emulated)
	// One that stalls once may go on.
	wentOn := false
	on(t, ends(matrix.Fail, matrix.LayerKernel, "soft lockup"), func(t *T, h *hosttest.Host) {
		h.Print(lockup)
		time.Sleep(10 * time.Minute)
		wentOn = t.ctx.Err() == nil
	})
	if !wentOn {
		t.Error("an attempt was ended for one stall")
	}
}

func TestAllowancesCompileAndHaveReasons(t *testing.T) {
	if _, err := allowances(); err != nil {
		t.Error(err)
	}
	for _, text := range []string{
		"- match: 'WARNING: CPU'\n",                        // no reason
		"- match: 'WARNING: ('\n  reason: harmless\n",      // no expression
		"- match: ''\n  reason: harmless\n",                // everything
		"- match: 'x'\n  reason: harmless\n  because: x\n", // not known
	} {
		if list, err := readAllowances([]byte(text)); err == nil {
			t.Errorf("%q is allowed: %v", text, list)
		}
	}
	if list, err := readAllowances([]byte("- match: 'WARNING: CPU'\n  reason: harmless\n")); err != nil || len(list) != 1 {
		t.Errorf("read %v, %v", list, err)
	}
}
