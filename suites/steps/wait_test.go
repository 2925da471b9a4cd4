package steps

import (
	"errors"
	"testing"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/hosttest"
	"github.com/virtmatrix/virtmatrix/matrix"
)

func TestACallThatIsRefusedForEverIsToldWithItsLastRefusal(t *testing.T) {
	on(t, passes, func(t *T, _ *hosttest.Host) {
		n := 0
		t.UntilDone(time.Minute, "it is done", func() error {
			if n++; n < 3 {
				return errors.New("busy")
			}
			return nil
		})
	})
	on(t, ends(matrix.Fail, matrix.LayerManagement, "wait until it is done: not so after 2m0s, but refused with: busy"), func(t *T, _ *hosttest.Host) {
		t.UntilDone(time.Minute, "it is done", func() error { return errors.New("busy") })
	})
}

func TestUntil(t *testing.T) {
	on(t, passes, func(t *T, _ *hosttest.Host) {
		n := 0
		t.Until(time.Minute, "three times asked", func() bool { n++; return n == 3 })
	})
	on(t, ends(matrix.Fail, matrix.LayerManagement, "wait until the sun rises: not so after 1m0s"), func(t *T, h *hosttest.Host) {
		t.Until(time.Minute, "the sun rises", func() bool { h.Schedule(100*time.Millisecond, 0); return false })
	})
	on(t, infra("starved machine", "the sun rises"), func(t *T, h *hosttest.Host) {
		t.Until(time.Minute, "the sun rises", func() bool { h.Starve(); return false })
	})
	// What the machine took is given back, once.
	on(t, passes, func(t *T, h *hosttest.Host) {
		start := time.Now()
		h.Schedule(0, 30*time.Second)
		t.Until(time.Minute, "the sun rises", func() bool {
			h.Schedule(100*time.Millisecond, 50*time.Millisecond)
			return time.Since(start) > 80*time.Second
		})
	})
	on(t, ends(matrix.Fail, matrix.LayerKernel, "Kernel panic"), func(t *T, h *hosttest.Host) {
		start := time.Now()
		defer func() {
			if time.Since(start) > time.Second {
				t.must(errors.New("a dead host was waited for"), "test")
			}
		}()
		t.Until(time.Minute, "the sun rises", func() bool { h.Die(hosttest.Panicked); return false })
	})
}

func TestWhatTookTooLongIsTheMachinesWhenItStarvedTheHost(t *testing.T) {
	on(t, ends(matrix.Fail, matrix.LayerManagement, "nothing came in 5 s (L1's emulator ran"), func(t *T, _ *hosttest.Host) { t.TookTooLong("nothing came in %d s", 5) })
	on(t, ends(matrix.Fail, matrix.LayerManagement, "nothing came (L1's container ran"), func(t *T, _ *hosttest.Host) { t.TookTooLong("nothing came") }, contained)
	on(t, infra("starved machine", "nothing came"), func(t *T, h *hosttest.Host) { h.Starve(); t.TookTooLong("nothing came") })
	on(t, ends(matrix.Fail, matrix.LayerManagement, "nothing came"), func(t *T, h *hosttest.Host) {
		t.s.began.at = time.Now().Add(-10 * time.Hour) // of which one is little
		h.Starve()
		t.TookTooLong("nothing came")
	})
}
