package runner

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/hosttest"
	"github.com/virtmatrix/virtmatrix/internal/progress"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

func TestHostsAreKeptAcrossPasses(t *testing.T) {
	b := newBench(t)
	b.answer(soon(t), "IK-BOOT", holds)
	b.answer(soon(t), "O-START", holds)
	if b.booter.boots != 1 || b.host().Closed() != 0 {
		t.Errorf("%d hosts, the first closed %d times", b.booter.boots, b.host().Closed())
	}
	b.Discard()
	if b.host().Closed() != 1 {
		t.Error("Discard leaves the host running")
	}
}

func TestACheckMayHaveAHostOfItsOwn(t *testing.T) {
	b := newBench(t)
	b.Cell.Checks[2].Isolation = matrix.IsolateCheck
	for i, id := range []string{"IK-BOOT", "O-START", "O-SAVE"} {
		b.answer(soon(t), id, holds)
		if b.booter.boots != i+1 {
			t.Errorf("%d hosts after %s, want %d", b.booter.boots, id, i+1)
		}
	}
	if h := b.booter.hosts; h[0].Closed() != 1 || h[1].Closed() != 1 || h[2].Closed() != 0 {
		t.Error("a host outlives a check that wanted its own")
	}
}

func TestACheckThatWantsOtherHostsGetsThem(t *testing.T) {
	b := newBench(t)
	b.answer(soon(t), "O-START", holds)
	b.answerWith(soon(t), "O-SAVE", &check.Check{Check: matrix.Check{Hosts: matrix.Hosts{Network: true}}, Body: holds})
	if b.booter.boots != 2 || b.booter.hosts[0].Closed() != 1 || b.booter.places[0].released != 1 {
		t.Errorf("%d hosts were booted, the first closed %d times", b.booter.boots, b.booter.hosts[0].Closed())
	}
}

func TestHowAHostCameToBeIsToldOnce(t *testing.T) {
	b := newBench(t)
	b.booter.prepare = func(h *hosttest.Host) { h.Fresh = []string{"restored from snapshot kvm-0123"} }
	if rec := b.answer(soon(t), "IK-BOOT", holds); !slices.Equal(rec.Notes, []string{"a fresh host: restored from snapshot kvm-0123"}) {
		t.Errorf("the first answer notes %q", rec.Notes)
	}
	if rec := b.answer(soon(t), "O-START", holds); len(rec.Notes) != 0 {
		t.Errorf("the second answer notes %q", rec.Notes)
	}
}

func TestADeadHostIsNeverReplacedInTheMiddleOfACheck(t *testing.T) {
	b := newBench(t)
	rec := b.answer(soon(t), "IK-BOOT", func(t *steps.T) {
		t.Run("true")
		b.host().Die(hosttest.Panicked)
		t.Run("true") // would pass on a fresh host
	})
	b.wants(rec, matrix.Fail, matrix.LayerKernel, "Kernel panic")
	if b.booter.boots != 1 {
		t.Errorf("%d hosts were booted", b.booter.boots)
	}
}

func TestAHostThatDiedBetweenChecksIsTold(t *testing.T) {
	b := newBench(t)
	b.answer(soon(t), "IK-BOOT", holds)
	b.host().Die(hosttest.Panicked)
	rec := b.answer(soon(t), "O-START", holds)
	b.wants(rec, matrix.Pass, "")
	if len(rec.Notes) != 1 || !strings.Contains(rec.Notes[0], "Kernel panic") {
		t.Errorf("notes %q", rec.Notes)
	}
	if rec = b.answer(soon(t), "O-SAVE", holds); len(rec.Notes) != 0 {
		t.Errorf("it is told twice: %q", rec.Notes)
	}
}

func TestAHostTakesRoomAndGivesItBack(t *testing.T) {
	b := newBench(t)
	b.answer(soon(t), "IK-BOOT", holds)
	b.answer(soon(t), "O-START", holds)
	if len(b.booter.places) != 1 || b.booter.places[0].released != 0 {
		t.Fatalf("one host that lives took %d rooms", len(b.booter.places))
	}
	b.host().Die(hosttest.Panicked)
	b.answer(soon(t), "O-START", holds)
	if len(b.booter.places) != 2 || b.booter.places[0].released != 1 {
		t.Errorf("a host that died keeps its room, or the next one has none (%d rooms)", len(b.booter.places))
	}
	b.Discard()
	b.Discard()
	if n := b.booter.places[1].released; n != 1 {
		t.Errorf("the room is given back %d times", n)
	}
}

// next opens another family in the process of a bench, and goes on with it.
func (b *bench) next(cell *matrix.Cell) {
	b.Leave()
	b.Family = NewFamily(b.run, cell, "outbound/save", 0)
}

func TestTheNextFamilyOfACellGoesOnWithItsHosts(t *testing.T) {
	b := newBench(t)
	b.answer(soon(t), "O-START", holds)
	b.next(b.Cell)
	b.answer(soon(t), "O-SAVE", holds)
	if b.booter.boots != 1 || b.host().Closed() != 0 || len(b.booter.places) != 1 {
		t.Errorf("%d hosts were booted for two families that all held in", b.booter.boots)
	}
	b.Leave()
	b.run.Discard()
	if b.host().Closed() != 1 || b.booter.places[0].released != 1 {
		t.Error("hosts that nobody goes on with stay")
	}
}

func TestHostsThatAreNotAsTheNextFamilyNeedsThemEnd(t *testing.T) {
	for name, tc := range map[string]struct {
		first, second func(*bench)
		other         bool
	}{
		"of another cell": {other: true},
		"of another kind": {second: func(b *bench) {
			b.answerWith(soon(b.t), "O-SAVE", &check.Check{Check: matrix.Check{Hosts: matrix.Hosts{Network: true}}, Body: holds})
		}},
		"that died":   {first: func(b *bench) { b.answer(soon(b.t), "O-START", holds); b.host().Die(hosttest.Panicked) }},
		"that failed": {first: func(b *bench) { b.answer(soon(b.t), "O-START", ours) }},
		"for a check alone": {second: func(b *bench) {
			b.Cell.Checks[4].Isolation = matrix.IsolateCheck
			b.answer(soon(b.t), "O-SAVE", holds)
		}},
	} {
		b := newBench(t)
		ask := func(how func(*bench), id string) {
			if how == nil {
				how = func(b *bench) { b.answer(soon(b.t), id, holds) }
			}
			how(b)
		}
		ask(tc.first, "O-START")
		cell := b.Cell
		if tc.other {
			other := *cell
			cell = &other
		}
		used := len(b.booter.hosts)
		b.next(cell)
		ask(tc.second, "O-SAVE")
		if len(b.booter.hosts) != used+1 {
			t.Errorf("hosts %s are used again", name)
		}
		for _, h := range b.booter.hosts[:used] {
			if h.Closed() != 1 {
				t.Errorf("hosts %s are closed %d times", name, h.Closed())
			}
		}
	}
}

// remoteBooter hands out hosts that are not below this process.
type remoteBooter struct{ *fakeBooter }

type remoteHost struct{ steps.Host }

func (remoteHost) Root() int { return 4711 }

func (b remoteBooter) Start(ctx context.Context, c *matrix.Cell, want matrix.Hosts, logDir string) ([]steps.Host, error) {
	hosts, err := b.fakeBooter.Start(ctx, c, want, logDir)
	for i := range hosts {
		hosts[i] = remoteHost{hosts[i]}
	}
	return hosts, err
}

func TestTheRoomOfAContainerIsTakenByItsOwnProcesses(t *testing.T) {
	b := newBench(t)
	b.run.Boot = remoteBooter{b.booter}
	b.wants(b.answer(soon(t), "IK-BOOT", holds), matrix.Pass, "")
	if got := b.booter.places[0].root; got != 4711 {
		t.Errorf("the room is taken by process %d", got)
	}
}

func TestABootThatFailsGivesItsRoomBack(t *testing.T) {
	b := newBench(t)
	b.booter.refuse = func(int) error { return fault.Infraf("boot host", "no emulator") }
	b.wants(b.answer(soon(t), "IK-BOOT", holds), matrix.Infra, matrix.LayerHarness, "no emulator")
	if len(b.booter.places) != maxAttempts {
		t.Errorf("room is taken %d times", len(b.booter.places))
	}
	for i, p := range b.booter.places {
		if p.released != 1 {
			t.Errorf("room %d is given back %d times", i, p.released)
		}
	}
}

// waits has the machine make room after a while.
func waits(b *bench, wait time.Duration) {
	b.booter.admit = func(ctx context.Context, tell func(string)) (Place, error) {
		if _, limited := ctx.Deadline(); limited {
			b.t.Error("the wait counts against the limit of the check")
		}
		tell("for memory: needs 2.5 GiB")
		time.Sleep(wait)
		return &fakePlace{}, nil
	}
}

func TestAWaitForRoomIsToldAndIsNoTimeOfTheCheck(t *testing.T) {
	for wait, noted := range map[time.Duration][]string{
		longWait / 2:     nil,
		90 * time.Second: {"before its host it waited 1m30s for memory: needs 2.5 GiB"},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t)
			waits(b, wait)
			rec := b.answer(context.Background(), "IK-BOOT", func(*steps.T) { time.Sleep(time.Second) })
			b.wants(rec, matrix.Pass, "")
			if !slices.Equal(rec.Notes, noted) {
				t.Errorf("after %s: notes %q", wait, rec.Notes)
			}
			if rec.Seconds != 1 {
				t.Errorf("of a wait of %s, and a check of 1 s, %g s are the check's", wait, rec.Seconds)
			}
			if rec = b.answer(context.Background(), "O-START", func(*steps.T) { time.Sleep(time.Second) }); rec.Seconds != 1 {
				t.Errorf("the wait is taken from the next check, too: %g s", rec.Seconds)
			}
			var phases []progress.Phase
			for _, e := range b.events[:5] {
				phases = append(phases, e.Phase)
			}
			want := []progress.Phase{progress.Checking, progress.Waiting, progress.Booting, progress.Checking, progress.Finished}
			if !slices.Equal(phases, want) {
				t.Errorf("events %v, want %v", phases, want)
			}
		})
	}
}

func TestNoRoomIsOurFault(t *testing.T) {
	b := newBench(t)
	asked := 0
	b.booter.admit = func(context.Context, func(string)) (Place, error) {
		asked++
		return nil, fault.Infraf("make room for a host", "%w", errors.New("there are only 2.0 GiB"))
	}
	rec := b.answer(soon(t), "IK-BOOT", holds)
	b.wants(rec, matrix.Infra, matrix.LayerHarness, "cannot make room for a host: there are only 2.0 GiB")
	if asked != maxAttempts || b.booter.boots != 0 {
		t.Errorf("room is asked for %d times, %d hosts are booted", asked, b.booter.boots)
	}
	// Our own fault at one check blocks no other: each asks for itself.
	b.wants(b.answer(soon(t), "O-START", holds), matrix.Infra, matrix.LayerHarness, "make room")
}
