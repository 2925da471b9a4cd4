package cell

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/virtmatrix/virtmatrix/matrix"
)

func TestTroubleOnTheConsoleFailsTheCheckThatItCameIn(t *testing.T) {
	const warning = "[    9.0] WARNING: CPU: 0 PID: 1 at kernel/x.c:1 f+0x1\n"
	b := newBench(t)
	rec := b.answer(soon(t), "IK-BOOT", func(context.Context, *T) { b.booter.hosts[0].prints(warning) })
	b.wants(rec, matrix.Fail, matrix.LayerKernel, "keep the console of L1 clean", "kernel/x.c:1")

	b = newBench(t)
	b.booter.banner += warning
	b.wants(b.answer(soon(t), "IK-BOOT", holds), matrix.Fail, matrix.LayerKernel, "kernel/x.c:1")

	b = newBench(t)
	b.answer(soon(t), "IK-BOOT", holds)
	b.booter.hosts[0].prints("[   10.0] nothing of note\n")
	b.wants(b.answer(soon(t), "O-START", holds), matrix.Pass, "")

	b = newBench(t)
	rec = b.answer(soon(t), "IK-BOOT", func(context.Context, *T) { b.booter.hosts[0].prints("(XEN) Xen WARN at common/x.c:1\n") })
	b.wants(rec, matrix.Fail, matrix.LayerHypervisor)
}

func TestAStallIsTheMachinesWhenItStarvedTheHost(t *testing.T) {
	for name, tc := range map[string]struct {
		said    string
		starved bool
		verdict matrix.Verdict
	}{
		"starved":              {"watchdog: BUG: soft lockup - CPU#0 stuck for 26s!\n", true, matrix.Infra},
		"with a trace":         {"rcu: INFO: rcu_sched self-detected stall on CPU\nCall Trace:\n <TASK>\n", true, matrix.Infra},
		"not starved":          {"watchdog: BUG: soft lockup - CPU#0 stuck for 26s!\n", false, matrix.Fail},
		"starved, and an oops": {"rcu: INFO: rcu_sched self-detected stall on CPU\nOops: 0002 [#1] SMP\n", true, matrix.Fail},
	} {
		b := newBench(t)
		rec := b.answer(soon(t), "IK-BOOT", func(context.Context, *T) {
			h := b.booter.hosts[len(b.booter.hosts)-1]
			h.prints(tc.said)
			h.mu.Lock()
			defer h.mu.Unlock()
			if h.sched.Ran = 10e9; tc.starved {
				h.sched.Waited = 20e9
			}
		})
		if rec.Verdict != tc.verdict {
			t.Errorf("%s: %s (%s), want %s", name, rec.Verdict, rec.Reason, tc.verdict)
		}
	}
}

func TestAStallThatDoesNotComeAgainIsTheEmulators(t *testing.T) {
	const stall = "watchdog: BUG: soft lockup - CPU#0 stuck for 26s!\n"
	once := func(b *bench) Body {
		return func(context.Context, *T) {
			if len(b.booter.hosts) == 1 {
				b.booter.hosts[0].prints(stall)
			}
		}
	}
	b := newBench(t)
	rec := b.answer(soon(t), "IK-BOOT", once(b))
	b.wants(rec, matrix.Pass, "")
	if rec.Attempts != 2 || len(rec.Notes) == 0 || !strings.Contains(rec.Notes[0], "emulated") {
		t.Errorf("%d attempts with the notes %q, want a second one and why", rec.Attempts, rec.Notes)
	}

	// A processor that nobody emulates has no such excuse.
	b = newBench(t)
	b.run.Accel = "kvm"
	b.wants(b.answer(soon(t), "IK-BOOT", once(b)), matrix.Fail, matrix.LayerKernel, "soft lockup")
}

func TestAHostThatHangsIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		began := time.Now()
		rec := b.answer(t.Context(), "IK-BOOT", func(ctx context.Context, _ *T) {
			h := b.booter.hosts[len(b.booter.hosts)-1]
			for ctx.Err() == nil {
				h.prints("watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [l1probe:185]\n")
				time.Sleep(28 * time.Second)
			}
		})
		b.wants(rec, matrix.Fail, matrix.LayerKernel, "soft lockup - CPU#0")
		if took := time.Since(began); rec.Attempts != 2 || took > checkLimit/2 {
			t.Errorf("%d attempts in %s, want two that were cut short", rec.Attempts, took)
		}
	})
}
