package cell

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// fallsSilent makes the host answer nothing from now on, while L0's scheduler does
// this to it for each question.
func (h *fakeHost) fallsSilent(ran, waited time.Duration) {
	h.exec = func(ctx context.Context, command string) (agent.Result, error) {
		h.schedules(ran, waited)
		return hungShell(ctx, command)
	}
}

func TestAFailureOnAHostThatAnswersNothingAnyMore(t *testing.T) {
	for name, tc := range map[string]struct {
		accel       string
		tier        matrix.Tier
		ran, waited time.Duration
		verdict     matrix.Verdict
		words       string
	}{
		"its processors are real":     {"kvm", matrix.Nested, 20 * time.Second, 0, matrix.Fail, "the guest is silent"},
		"its processors are emulated": {"tcg", matrix.Nested, 20 * time.Second, 0, matrix.Infra, "may be why; it came to: cannot hold O-START: the guest is silent"},
		"it starved":                  {"kvm", matrix.Nested, time.Second, 19 * time.Second, matrix.Infra, "waited 19s for a processor"},
		"somebody stopped it":         {"kvm", matrix.Nested, 0, 0, matrix.Infra, "stopped from outside"},
		"it is a container":           {"kvm", matrix.Container, 20 * time.Second, 0, matrix.Infra, "L1's container ran 20s"},
	} {
		b := newBench(t)
		b.run.Accel, b.Plan.Tier = tc.accel, tc.tier
		rec := b.answer(soon(t), "O-START", func(_ context.Context, t *T) {
			if t.attempt == 1 {
				b.host().fallsSilent(tc.ran, tc.waited)
				t.Fail(matrix.LayerL2, "the guest is silent")
			}
		})
		if got := b.evidence(rec, "l1-registers.txt"); !strings.HasPrefix(got, "RIP=") {
			t.Errorf("%s: l1-registers.txt says %q", name, got)
		}
		switch tc.verdict {
		case matrix.Fail:
			b.wants(rec, matrix.Fail, matrix.LayerL2, tc.words)
			if rec.Attempts != 1 || !strings.Contains(strings.Join(rec.Notes, "\n"), "L1 answers nothing any more") {
				t.Errorf("%s: %d attempts, notes %q", name, rec.Attempts, rec.Notes)
			}
		default:
			b.wants(rec, matrix.Pass, "")
			if got := strings.Join(rec.Notes, "\n"); rec.Attempts != 2 || !strings.Contains(got, "ended in our own fault") || !strings.Contains(b.evidence(rec, "reason.txt"), tc.words) {
				t.Errorf("%s: %d attempts, notes %q", name, rec.Attempts, got)
			}
		}
	}
}

func TestAHostThatFallsSilentTwiceIsTheProducts(t *testing.T) {
	b := newBench(t)
	rec := b.answer(soon(t), "O-START", func(_ context.Context, t *T) {
		b.host().fallsSilent(20*time.Second, 0)
		t.Fail(matrix.LayerL2, "the guest is silent")
	})
	b.wants(rec, matrix.Fail, matrix.LayerL2, "the guest is silent")
	if rec.Attempts != 2 {
		t.Errorf("%d attempts", rec.Attempts)
	}
}

const lockup = "watchdog: BUG: soft lockup - CPU#0 stuck for 26s!\n"

func TestAFailureThatCameOfAStallIsTriedAgain(t *testing.T) {
	b := newBench(t)
	rec := b.answer(soon(t), "O-START", func(_ context.Context, t *T) {
		if t.attempt == 1 {
			b.host().prints(lockup)
			t.Expect("cannot acquire state change lock").To(gomega.BeEmpty())
		}
	})
	b.wants(rec, matrix.Pass, "")
	text := b.evidence(rec, "reason.txt")
	if rec.Attempts != 2 || !strings.Contains(text, "soft lockup") || !strings.Contains(text, "state change lock") {
		t.Errorf("%d attempts, the first for %q", rec.Attempts, text)
	}

	b = newBench(t)
	b.run.Accel = "kvm"
	rec = b.answer(soon(t), "O-START", func(_ context.Context, t *T) {
		b.host().prints(lockup)
		t.Fail(matrix.LayerManagement, "libvirt refuses")
	})
	b.wants(rec, matrix.Fail, matrix.LayerManagement, "libvirt refuses")
}

func TestAStallAfterAnotherFaultOfOursIsTheFirst(t *testing.T) {
	b := newBench(t)
	rec := b.answer(soon(t), "IK-BOOT", func(_ context.Context, t *T) {
		if t.attempt == 1 {
			panic("index out of range")
		}
		b.host().prints(lockup)
	})
	b.wants(rec, matrix.Infra, matrix.LayerHarness, "soft lockup")
}

func TestACheckThatIsCalledOffSaysNothingOfTheProduct(t *testing.T) {
	b := newBench(t)
	ctx, cancel := context.WithCancel(context.Background())
	rec := b.answer(ctx, "IK-BOOT", func(ctx context.Context, t *T) {
		cancel()
		t.Expect(ctx.Err()).To(gomega.Succeed())
	})
	b.wants(rec, matrix.Infra, matrix.LayerHarness, "context canceled; it had come to: ")

	ctx, cancel = context.WithCancel(context.Background())
	b = newBench(t)
	rec = b.answer(ctx, "IK-BOOT", func(context.Context, *T) {
		cancel()
		b.host().die(panicked)
	})
	b.wants(rec, matrix.Fail, matrix.LayerKernel, "Kernel panic")
}

func TestARetryBootsInsteadOfRestoring(t *testing.T) {
	b := newBench(t)
	b.answer(soon(t), "IK-BOOT", func(_ context.Context, t *T) {
		if want := t.attempt - 1; b.booter.forgotten != want {
			panic("a host was restored")
		}
		if t.attempt == 1 {
			panic("index out of range")
		}
	})
	if b.booter.forgotten != 1 {
		t.Errorf("the state of earlier hosts was given up %d times, want once", b.booter.forgotten)
	}
}

func TestAnAnswerThatComesAfterTheMachineStoodStillCounts(t *testing.T) {
	for name, tc := range map[string]struct {
		ran     time.Duration
		verdict matrix.Verdict
	}{
		"it stood still": {0, matrix.Pass},
		"it ran":         {callLimit, matrix.Fail},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				rec := b.answer(t.Context(), "O-START", func(ctx context.Context, t *T) {
					t.Do(ctx, "start domain", func() error {
						time.Sleep(callLimit / 2)
						b.host().schedules(tc.ran, 0)
						time.Sleep(callLimit)
						return nil
					})
				})
				if rec.Verdict != tc.verdict {
					t.Errorf("%s (%s), want %s", rec.Verdict, rec.Reason, tc.verdict)
				}
				time.Sleep(callLimit) // for the call that nobody waits for any more
			})
		})
	}
}
