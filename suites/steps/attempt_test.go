package steps

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/hosttest"
	"github.com/virtmatrix/virtmatrix/matrix"
)

func TestAFailureIsOfTheLayerThatTheCheckIsAbout(t *testing.T) {
	kernel := func(b *bench) { b.Layer = matrix.LayerKernel }
	on(t, ends(matrix.Fail, matrix.LayerManagement, "cannot hold O-SAVE", "running"), func(t *T, _ *hosttest.Host) { t.Expect("shut off").To(gomega.Equal("running")) })
	on(t, ends(matrix.Fail, matrix.LayerKernel, "the count"), func(t *T, _ *hosttest.Host) { t.Expect(1).To(gomega.Equal(2), "the count") }, kernel)
	on(t, ends(matrix.Fail, matrix.LayerL2, "no tick after 5 s"), func(t *T, _ *hosttest.Host) { t.Fail(matrix.LayerL2, "no tick after %d s", 5) })
}

func TestAMistakeOfTheHarnessIsInfraWithItsPlace(t *testing.T) {
	on(t, infra("the harness panicked: assignment to entry in nil map", "attempt_test.go"), func(*T, *hosttest.Host) {
		var none map[string]int
		none["x"] = 1
	})
	on(t, infra("cannot copy file: pipe broke"), func(t *T, _ *hosttest.Host) { t.must(errors.New("pipe broke"), "copy file") })
}

func TestWhatAHostDiedOfExplainsTheFailure(t *testing.T) {
	panicked := ends(matrix.Fail, matrix.LayerKernel, "Kernel panic")
	on(t, panicked, func(_ *T, h *hosttest.Host) { h.Die(hosttest.Panicked) }) // unseen
	on(t, panicked, func(t *T, h *hosttest.Host) { h.Die(hosttest.Panicked); t.Fail(matrix.LayerL2, "silent") })
	on(t, infra("emulator is gone"), func(t *T, h *hosttest.Host) {
		h.Die(fault.Infraf("run host", "its emulator is gone"))
		t.Fail(matrix.LayerL2, "silent")
	})
	on(t, infra("ours"), func(t *T, h *hosttest.Host) { h.Die(hosttest.Panicked); t.must(errors.New("ours"), "copy") })
	// It shows only when the host is asked.
	on(t, panicked, func(t *T, h *hosttest.Host) {
		h.OnExec = func(context.Context, string) (agent.Result, error) {
			h.Die(hosttest.Panicked)
			return agent.Result{}, hosttest.Panicked
		}
		t.Fail(matrix.LayerL2, "silent")
	})
	// A step does not go on without a host.
	on(t, panicked, func(t *T, h *hosttest.Host) {
		t.Run("true")
		h.Die(hosttest.Panicked)
		t.Run("true")
		t.Fail(matrix.LayerL2, "a step was taken on a dead host")
	})
}

func TestAPanicOfAnEmulatedHostIsTheEmulatorsOnce(t *testing.T) {
	dies := func(_ *T, h *hosttest.Host) { h.Die(hosttest.Panicked) }
	on(t, mayBeEmulator("Kernel panic"), dies, emulated)
	on(t, ends(matrix.Fail, matrix.LayerKernel, "Kernel panic"), dies, again)
	on(t, ends(matrix.Fail, matrix.LayerKernel, "Kernel panic"), dies, emulated, contained) // its kernel is L0's
	cleaning := func(t *T, h *hosttest.Host) { t.Cleanup(func() { dies(t, h) }) }
	on(t, mayBeEmulator("Kernel panic"), cleaning, emulated)
	on(t, ends(matrix.Fail, matrix.LayerKernel, "Kernel panic"), cleaning, again)
}

func TestAFailureOnAHostThatAnswersNothingAnyMore(t *testing.T) {
	silent := func(ran, waited time.Duration) func(*T, *hosttest.Host) {
		return func(t *T, h *hosttest.Host) {
			h.FallSilent(ran, waited)
			t.Fail(matrix.LayerL2, "the guest is silent")
		}
	}
	product := ends(matrix.Fail, matrix.LayerL2, "the guest is silent")
	for name, tc := range map[string]struct {
		want        verdict
		ran, waited time.Duration
		on          func(*bench)
	}{
		"its processors are real":        {product, 20 * time.Second, 0, func(*bench) {}},
		"its processors are emulated":    {mayBeEmulator("may be why; it came to: cannot hold O-SAVE: the guest is silent"), 20 * time.Second, 0, emulated},
		"its processors were blamed":     {product, 20 * time.Second, 0, again},
		"it starved":                     {infra("waited 19s for a processor", "the guest is silent"), time.Second, 19 * time.Second, func(*bench) {}},
		"somebody stopped it":            {infra("stopped from outside"), 0, 0, func(*bench) {}},
		"it is a container":              {infra("L1's container ran 20s"), 20 * time.Second, 0, contained},
		"it is a container, emulated L0": {infra("L1's container ran 20s"), 20 * time.Second, 0, func(b *bench) { emulated(b); contained(b) }},
	} {
		t.Run(name, func(t *testing.T) {
			on(t, func(b *bench, err error) {
				tc.want(b, err)
				if got := b.keeps("l1-registers.txt"); !strings.HasPrefix(got, "RIP=") {
					b.t.Errorf("l1-registers.txt says %q", got)
				}
				v, _ := fault.Classify(err)
				if noted := slices.Contains(b.T.Notes(), "L1 answers nothing any more"); noted != (v == matrix.Fail) {
					b.t.Errorf("notes %q", b.T.Notes())
				}
			}, silent(tc.ran, tc.waited), tc.on)
		})
	}
}

func TestACheckThatIsCalledOffSaysNothingOfTheProduct(t *testing.T) {
	var off context.CancelFunc
	on(t, func(b *bench, err error) {
		infra("context canceled; it had come to: ")(b, err)
		if ran := b.host.Ran(); len(ran) != 0 {
			b.t.Errorf("nobody waits for the answers to %q", ran)
		}
	}, func(t *T, _ *hosttest.Host) {
		off()
		t.Expect(t.ctx.Err()).To(gomega.Succeed())
	}, calledOff(&off))
	on(t, ends(matrix.Fail, matrix.LayerKernel, "Kernel panic"), func(_ *T, h *hosttest.Host) {
		off()
		h.Die(hosttest.Panicked)
	}, calledOff(&off))
}

func TestTheWayBackIsPartOfTheCheck(t *testing.T) {
	var order []string
	on(t, passes, func(t *T, _ *hosttest.Host) {
		t.Cleanup(func() { order = append(order, "first") })
		t.Cleanup(func() { order = append(order, "last", t.Sh("true")) })
	})
	if !slices.Equal(order, []string{"last", "", "first"}) {
		t.Errorf("cleaned up in the order %q", order)
	}
	on(t, ends(matrix.Fail, matrix.LayerKernel, "Kernel panic"), func(t *T, h *hosttest.Host) {
		t.Cleanup(func() { h.Die(hosttest.Panicked) })
	})
	on(t, ends(matrix.Fail, matrix.LayerKernel, "Bad page state"), func(t *T, h *hosttest.Host) {
		t.Cleanup(func() { h.Print("BUG: Bad page state\n") })
	})
}

func TestACleanUpThatTheProductRefusesFailsTheCheck(t *testing.T) {
	for name, tc := range map[string]struct {
		want verdict
		undo func(*T, *hosttest.Host)
	}{
		"a refusal": {ends(matrix.Fail, matrix.LayerManagement, "still there"), func(t *T, _ *hosttest.Host) { t.Fail(matrix.LayerManagement, "domain l2-x is still there") }},
		"a call":    {ends(matrix.Fail, matrix.LayerManagement, "cannot undefine domain"), func(t *T, _ *hosttest.Host) { t.Do("undefine domain", func() error { return noDomain }) }},
		"a command": {ends(matrix.Fail, matrix.LayerManagement, `"false" ended with status 1`), func(t *T, h *hosttest.Host) { answers(h, agent.Result{Code: 1}); t.Sh("false") }},
		"a hang": {ends(matrix.Fail, matrix.LayerManagement, "libvirt did not answer within 3m0s"), func(t *T, h *hosttest.Host) {
			t.Do("undefine domain", func() error { h.Schedule(callLimit, 0); <-h.Gone(); return nil })
		}},
		"a domain that stays": {ends(matrix.Fail, matrix.LayerManagement, "l2-y is still there after it was destroyed and undefined"), func(t *T, h *hosttest.Host) {
			answers(h, agent.Result{Code: 1})
			t.forget("l2-y")
			t.cleanups[len(t.cleanups)-1]()
		}},
		"our mistake": {infra("the harness panicked: domain l2-x"), func(*T, *hosttest.Host) { panic("domain l2-x is still there") }},
		"our fault":   {infra("pipe broke"), func(t *T, _ *hosttest.Host) { t.must(errors.New("pipe broke"), "copy file") }},
	} {
		t.Run(name, func(t *testing.T) {
			ran := false
			on(t, tc.want, func(t *T, h *hosttest.Host) {
				t.Cleanup(func() { ran = true })
				t.Cleanup(func() { tc.undo(t, h) })
			})
			if ran {
				t.Error("the cleaning went on on a host that goes")
			}
		})
	}
}

func TestACleanUpOfARunThatIsCalledOffIsOurs(t *testing.T) {
	var off context.CancelFunc
	on(t, infra("context canceled"), func(t *T, h *hosttest.Host) {
		t.Cleanup(func() { t.Do("undefine domain", func() error { off(); <-h.Gone(); return nil }) })
	}, calledOff(&off))
}

// TestAFailureIsNotCleanedUp: the host goes with what is there to be looked at.
func TestAFailureIsNotCleanedUp(t *testing.T) {
	cleaned := false
	on(t, ends(matrix.Fail, matrix.LayerL2, "no"), func(t *T, _ *hosttest.Host) {
		t.Cleanup(func() { cleaned = true })
		t.Fail(matrix.LayerL2, "no")
	})
	if cleaned {
		t.Error("it was cleaned up")
	}
}

func TestEachHostOfAnAttemptIsWatched(t *testing.T) {
	two := func(body func(t *T, second *hosttest.Host)) error {
		b := newBench(t)
		second := hosttest.New(t, t.TempDir())
		b.T = New(b.ctx, b.Env, b.session, NewSession(second))
		err := b.T.Attempt(func(t *T) { body(t, second) })
		if err == nil {
			err = b.T.WayBack()
		}
		return err
	}
	for name, tc := range map[string]struct {
		body  func(*T, *hosttest.Host)
		words string
	}{
		"works on it": {func(t *T, second *hosttest.Host) {
			answers(second, agent.Result{Code: 1})
			t.Sh("false") // on the first
			t.On(1).Sh("false")
		}, "status 1"},
		"it dies":      {func(_ *T, second *hosttest.Host) { second.Die(hosttest.Panicked) }, "Kernel panic"},
		"it complains": {func(_ *T, second *hosttest.Host) { second.Print("BUG: Bad page state\n") }, "Bad page state"},
	} {
		err := two(tc.body)
		if v, _ := fault.Classify(err); v != matrix.Fail || !strings.Contains(err.Error(), tc.words) {
			t.Errorf("%s: it came to %v", name, err)
		}
	}
}

func TestAnEmulatedHostThatSleepsWhileSomebodyWaitsIsOursOnce(t *testing.T) {
	hangs := func(ran time.Duration) func(*T, *hosttest.Host) {
		return func(t *T, h *hosttest.Host) {
			t.Do("list domains", func() error { h.Schedule(ran, 0); <-h.Gone(); return nil })
		}
	}
	const words = "list domains: libvirt did not answer within 3m0s"
	on(t, infra("tell a hang from the emulator's", ErrEmulator.Error(), words), hangs(callLimit/20), emulated)
	on(t, ends(matrix.Fail, matrix.LayerManagement, words), hangs(callLimit/20), again)
	on(t, ends(matrix.Fail, matrix.LayerManagement, words), hangs(callLimit/20))
	on(t, ends(matrix.Fail, matrix.LayerManagement, words), hangs(callLimit), emulated)
	on(t, infra("starved machine", "list domains"), func(t *T, h *hosttest.Host) {
		t.Do("list domains", func() error { h.Schedule(time.Second, callLimit); <-h.Gone(); return nil })
	}, emulated)
}
