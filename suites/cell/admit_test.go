package cell

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/progress"
	"github.com/virtmatrix/virtmatrix/matrix"
)

func TestAHostTakesRoomAndGivesItBack(t *testing.T) {
	b := newBench(t)
	b.answer(soon(t), "IK-BOOT", holds)
	b.answer(soon(t), "O-START", holds)
	if len(b.booter.places) != 1 || b.booter.places[0].released != 0 {
		t.Fatalf("one host that lives took %d rooms", len(b.booter.places))
	}
	b.booter.hosts[0].die(panicked)
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

// remoteBooter hands out hosts that are not below this process.
type remoteBooter struct{ *fakeBooter }

type remoteHost struct{ Host }

func (remoteHost) Root() int { return 4711 }

func (b remoteBooter) Boot(ctx context.Context, c *matrix.Cell, logDir string) (Host, error) {
	h, err := b.fakeBooter.Boot(ctx, c, logDir)
	return remoteHost{h}, err
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
	for i, p := range b.booter.places {
		if p.released != 1 {
			t.Errorf("room %d is given back %d times", i, p.released)
		}
	}
}

func TestAWaitForRoomIsTold(t *testing.T) {
	b := newBench(t)
	b.booter.admit = func(ctx context.Context, tell func(string)) (Place, error) {
		if _, limited := ctx.Deadline(); limited {
			t.Error("the wait counts against the limit of the check")
		}
		tell("for memory: needs 2.5 GiB")
		return &fakePlace{}, nil
	}
	rec := b.answer(context.Background(), "IK-BOOT", holds)
	b.wants(rec, matrix.Pass, "")
	var phases []progress.Phase
	for _, e := range b.events {
		phases = append(phases, e.Phase)
	}
	want := []progress.Phase{progress.Checking, progress.Waiting, progress.Booting, progress.Finished}
	if !slices.Equal(phases, want) {
		t.Errorf("events %v, want %v", phases, want)
	}
}

func TestAWaitForRoomIsNoTimeOfTheCheck(t *testing.T) {
	b := newBench(t)
	rec := b.answer(soon(t), "IK-BOOT", func(context.Context, *T) { b.waited += time.Hour })
	if least := -time.Hour.Seconds(); rec.Seconds < least || rec.Seconds > least/2 {
		t.Errorf("an hour of waiting is left in %gs", rec.Seconds)
	}
	if rec = b.answer(soon(t), "O-START", holds); rec.Seconds < 0 {
		t.Errorf("the wait is taken from the next check, too: %gs", rec.Seconds)
	}
}

func TestALongWaitIsNoted(t *testing.T) {
	if got := waitNote(longWait/2, "for its turn"); got != "" {
		t.Errorf("a short wait is noted: %q", got)
	}
	if got, want := waitNote(90*time.Second, "for memory: needs 2.5 GiB"), "before its host it waited 1m30s for memory: needs 2.5 GiB"; got != want {
		t.Errorf("noted %q, want %q", got, want)
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
	if asked != maxAttempts || len(b.booter.hosts) != 0 {
		t.Errorf("room is asked for %d times, %d hosts are booted", asked, len(b.booter.hosts))
	}
	if rec := b.answer(soon(t), "O-START", holds); rec.Verdict != matrix.Blocked || !strings.Contains(rec.Reason, "IK-BOOT") {
		t.Errorf("the next check is %s: %s", rec.Verdict, rec.Reason)
	}
}
