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

func TestAWaitForRoomIsToldAndIsNoTimeOfTheCheck(t *testing.T) {
	b := newBench(t)
	b.booter.admit = func(ctx context.Context, tell func(string)) (Place, error) {
		if _, limited := ctx.Deadline(); limited {
			t.Error("the wait counts against the limit of the check")
		}
		tell("for memory: needs 2.6 GiB")
		return b.booter.place(25 * time.Hour), nil
	}
	rec := b.answer(context.Background(), "IK-BOOT", holds)
	b.wants(rec, matrix.Pass, "")
	if rec.Seconds > 0 || rec.GuestSeconds > 0 {
		t.Errorf("the check took %gs, %gs of it in guests; the test has no clock, so both are short of the wait", rec.Seconds, rec.GuestSeconds)
	}
	if want := []string{"before its host it waited 25h0m0s for memory: needs 2.6 GiB"}; !slices.Equal(rec.Notes, want) {
		t.Errorf("notes %q, want %q", rec.Notes, want)
	}
	var phases []progress.Phase
	for _, e := range b.events {
		phases = append(phases, e.Phase)
	}
	want := []progress.Phase{progress.Checking, progress.Waiting, progress.Booting, progress.Finished}
	if !slices.Equal(phases, want) {
		t.Errorf("events %v, want %v", phases, want)
	}
	if rec = b.answer(context.Background(), "O-START", holds); len(rec.Notes) > 0 || rec.Seconds < 0 {
		t.Errorf("the wait is told again: %q, %gs", rec.Notes, rec.Seconds)
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
