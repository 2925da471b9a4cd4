package disk

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestALockIsHeldByOneAtATime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "locks", "image.lock")
	release, err := Lock(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok, err := TryLock(path); ok || err != nil {
		t.Errorf("a held lock was given away: %v, %v", ok, err)
	}
	release()
	again, ok, err := TryLock(path)
	if !ok || err != nil {
		t.Fatalf("a free lock was refused: %v, %v", ok, err)
	}
	again()
}

func TestWhoSharesALockKeepsOutWhoWantsItAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "view.lock")
	first, err := Share(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	second, err := Share(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	for _, release := range []func(){first, second} {
		if _, ok, err := TryLock(path); ok || err != nil {
			t.Errorf("a shared lock was given away: %v, %v", ok, err)
		}
		release()
	}
	alone, ok, err := TryLock(path)
	if !ok || err != nil {
		t.Fatalf("nobody shares it any more, and it was refused: %v, %v", ok, err)
	}
	alone()
}

func TestWaitingForALockEndsWithTheContextAndTakesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "image.lock")
	release, err := Lock(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Lock(ctx, path); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v, want canceled", err)
	}
	release()
	// The abandoned wait may get the lock first; it must give it back.
	last, err := Lock(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	last()
}

func TestDigestIsTheSHA256OfTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte("abc"), 0o644); err != nil {
		t.Fatal(err)
	}
	sum, size, err := Digest(path)
	// The value is FIPS 180-2's own example.
	if want := "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"; sum != want || size != 3 || err != nil {
		t.Errorf("Digest = %s, %d, %v", sum, size, err)
	}
}

func TestExplainLeavesOtherErrorsAlone(t *testing.T) {
	cause := errors.New("broken pipe")
	if err := Explain(cause, "/"); err != cause {
		t.Errorf("the error became %v", err)
	}
	if err := Explain(nil, "/"); err != nil {
		t.Errorf("nothing became %v", err)
	}
}
