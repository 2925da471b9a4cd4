package cell

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/matrix"
)

func TestHostsAreKeptAcrossPasses(t *testing.T) {
	b := newBench(t)
	b.answer(soon(t), "IK-BOOT", holds)
	b.answer(soon(t), "O-START", holds)
	if len(b.booter.hosts) != 1 || b.booter.hosts[0].closed != 0 {
		t.Errorf("%d hosts, the first closed %d times", len(b.booter.hosts), b.booter.hosts[0].closed)
	}
	b.Discard()
	if b.booter.hosts[0].closed != 1 {
		t.Error("Discard leaves the host running")
	}
}

func TestACheckMayHaveAHostOfItsOwn(t *testing.T) {
	b := newBench(t)
	b.Plan.Checks[1].Isolation = matrix.IsolateCheck
	for i, id := range []string{"IK-BOOT", "O-START", "O-SAVE"} {
		b.answer(soon(t), id, holds)
		if len(b.booter.hosts) != i+1 {
			t.Errorf("%d hosts after %s, want %d", len(b.booter.hosts), id, i+1)
		}
	}
	if b.booter.hosts[0].closed != 1 || b.booter.hosts[1].closed != 1 || b.booter.hosts[2].closed != 0 {
		t.Error("a host outlives a check that wanted its own")
	}
}

func TestHowAHostCameToBeIsToldOnce(t *testing.T) {
	b := newBench(t)
	b.booter.refuse = func(n int) error {
		b.booter.hosts[n-1].notes = []string{"restored from snapshot kvm-0123"}
		return nil
	}
	if rec := b.answer(soon(t), "IK-BOOT", holds); !slices.Equal(rec.Notes, []string{"a fresh host: restored from snapshot kvm-0123"}) {
		t.Errorf("the first answer notes %q", rec.Notes)
	}
	if rec := b.answer(soon(t), "O-START", holds); len(rec.Notes) != 0 {
		t.Errorf("the second answer notes %q", rec.Notes)
	}
}

func TestADeadHostIsNeverReplacedInTheMiddleOfACheck(t *testing.T) {
	b := newBench(t)
	rec := b.answer(soon(t), "IK-BOOT", func(ctx context.Context, t *T) {
		t.Run(ctx, "true")
		b.booter.hosts[0].die(panicked)
		t.Run(ctx, "true") // would pass on a fresh host
	})
	b.wants(rec, matrix.Fail, matrix.LayerKernel, "Kernel panic")
	if len(b.booter.hosts) != 1 {
		t.Errorf("%d hosts were booted", len(b.booter.hosts))
	}
}

func TestWhatAHostDiedOfExplainsTheFailure(t *testing.T) {
	ended := fault.Infraf("run host", "its emulator is gone")
	for name, tc := range map[string]struct {
		body    func(*bench, *T)
		verdict matrix.Verdict
		layer   matrix.Layer
		words   string
	}{
		"died unseen":                 {func(b *bench, _ *T) { b.booter.hosts[0].die(panicked) }, matrix.Fail, matrix.LayerKernel, "Kernel panic"},
		"assertion on a dead host":    {func(b *bench, t *T) { b.booter.hosts[0].die(panicked); t.Fail(matrix.LayerL2, "silent") }, matrix.Fail, matrix.LayerKernel, "Kernel panic"},
		"emulator gone":               {func(b *bench, t *T) { b.booter.hosts[0].die(ended); t.Fail(matrix.LayerL2, "silent") }, matrix.Infra, matrix.LayerHarness, "emulator is gone"},
		"our fault came first":        {func(b *bench, t *T) { b.booter.hosts[0].die(panicked); t.must(errors.New("ours"), "copy") }, matrix.Infra, matrix.LayerHarness, "ours"},
		"death shows only when asked": {func(b *bench, t *T) { b.booter.hosts[0].exec = dyingShell(b); t.Fail(matrix.LayerL2, "silent") }, matrix.Fail, matrix.LayerKernel, "Kernel panic"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			first := true
			rec := b.answer(soon(t), "IK-BOOT", func(_ context.Context, t *T) {
				if first || tc.verdict == matrix.Infra {
					first = false
					b.booter.hosts = b.booter.hosts[len(b.booter.hosts)-1:]
					tc.body(b, t)
				}
			})
			b.wants(rec, tc.verdict, tc.layer, tc.words)
		})
	}
}

func dyingShell(b *bench) func(context.Context, string) (agent.Result, error) {
	return func(context.Context, string) (agent.Result, error) {
		b.booter.hosts[0].die(panicked)
		return agent.Result{}, panicked
	}
}

func hungShell(context.Context, string) (agent.Result, error) {
	return agent.Result{}, fault.Infraf("run command in L1", "deadline exceeded")
}

func TestTheWayBackIsPartOfTheCheck(t *testing.T) {
	b := newBench(t)
	var order []string
	rec := b.answer(soon(t), "IK-BOOT", func(_ context.Context, t *T) {
		t.Cleanup(func(context.Context) error { order = append(order, "first"); return nil })
		t.Cleanup(func(context.Context) error { order = append(order, "last"); return nil })
	})
	b.wants(rec, matrix.Pass, "")
	if !slices.Equal(order, []string{"last", "first"}) {
		t.Errorf("cleaned up in the order %q", order)
	}

	rec = b.answer(soon(t), "O-START", func(_ context.Context, t *T) {
		t.Cleanup(func(context.Context) error { b.booter.hosts[0].die(panicked); return nil })
	})
	b.wants(rec, matrix.Fail, matrix.LayerKernel, "Kernel panic")
	b.evidence(rec, "reason.txt")

	b = newBench(t)
	rec = b.answer(soon(t), "IK-BOOT", func(_ context.Context, t *T) {
		t.Cleanup(func(context.Context) error { b.booter.hosts[0].prints("BUG: Bad page state\n"); return nil })
	})
	b.wants(rec, matrix.Fail, matrix.LayerKernel, "Bad page state")
}

func TestAHostThatCannotBeCleanedIsGivenUp(t *testing.T) {
	for name, undo := range map[string]func(ctx context.Context, t *T) error{
		"error": func(context.Context, *T) error { return errors.New("domain l2-x is still there") },
		"product": func(_ context.Context, t *T) error {
			t.Fail(matrix.LayerManagement, "domain l2-x is still there")
			return nil
		},
		"our mistake": func(context.Context, *T) error { panic("domain l2-x is still there") },
	} {
		b := newBench(t)
		ran := false
		rec := b.answer(soon(t), "IK-BOOT", func(_ context.Context, t *T) {
			t.Cleanup(func(context.Context) error { ran = true; return nil })
			t.Cleanup(func(ctx context.Context) error { return undo(ctx, t) })
		})
		b.wants(rec, matrix.Pass, "")
		if len(rec.Notes) != 1 || !strings.Contains(rec.Notes[0], "the host was given up") || !strings.Contains(rec.Notes[0], "still there") {
			t.Errorf("%s: notes %q", name, rec.Notes)
		}
		if b.vm != nil || b.booter.hosts[0].closed != 1 || ran {
			t.Errorf("%s: the host was closed %d times, the cleaning went on: %v", name, b.booter.hosts[0].closed, ran)
		}
	}
}

func TestACleanupThatHangsIsLeftAlone(t *testing.T) {
	b := newBench(t)
	b.run.Scale = 1
	hung := make(chan struct{})
	defer close(hung)
	ctx, cancel := context.WithCancel(context.Background())
	rec := b.answer(ctx, "IK-BOOT", func(_ context.Context, t *T) {
		t.Cleanup(func(context.Context) error { cancel(); <-hung; return nil })
	})
	b.wants(rec, matrix.Pass, "")
	if b.vm != nil {
		t.Error("the host that was not cleaned is kept")
	}
}

func TestAHostThatDiedBetweenChecksIsTold(t *testing.T) {
	b := newBench(t)
	b.answer(soon(t), "IK-BOOT", holds)
	b.booter.hosts[0].die(panicked)
	rec := b.answer(soon(t), "O-START", holds)
	b.wants(rec, matrix.Pass, "")
	if len(rec.Notes) != 1 || !strings.Contains(rec.Notes[0], "Kernel panic") {
		t.Errorf("notes %q", rec.Notes)
	}
}
