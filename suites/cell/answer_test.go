package cell

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/internal/journal"
	"github.com/virtmatrix/virtmatrix/internal/progress"
	"github.com/virtmatrix/virtmatrix/matrix"
)

var panicked = fault.Productf(matrix.LayerKernel, "run host", "its console says %q", "Kernel panic")

func TestAPassCarriesEverythingAVerdictIsAbout(t *testing.T) {
	b := newBench(t)
	rec := b.answer(soon(t), "IK-BOOT", func(_ context.Context, t *T) { t.Note("kernel %s", t.KernelRelease()) })
	want := journal.Record{
		Plan: "plan-hash", Cell: b.Plan.ID, Check: "IK-BOOT", Verdict: matrix.Pass, Attempts: 1,
		Notes: []string{"kernel 6.1.0-fake"}, Repeat: "bin/virtmatrix repro " + b.Plan.ID + " IK-BOOT",
		Harness: "v0", Accelerators: map[string]string{"L1": "tcg", "L2": "kvm"}, Emulator: "qemu 7.2",
		Quirks: []string{"a quirk"}, PackageSets: map[string]string{"userland-kvm": "set-1"},
	}
	if diff := cmp.Diff(want, rec, cmpopts.IgnoreFields(journal.Record{}, "Started", "Seconds", "GuestSeconds")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]journal.Record{rec}, b.journal.records); diff != "" {
		t.Error(diff)
	}
	if rec.GuestSeconds > rec.Seconds || rec.Started.IsZero() {
		t.Errorf("started %s, took %f s, %f of them in guests", rec.Started, rec.Seconds, rec.GuestSeconds)
	}
	last := b.events[len(b.events)-1]
	if last.Phase != progress.Finished || last.Verdict != matrix.Pass || last.Done != 1 || last.Total != 3 {
		t.Errorf("the last event is %+v", last)
	}
}

func TestAFailureIsTheProductsAndTakesItsHost(t *testing.T) {
	for name, tc := range map[string]struct {
		id    string
		body  Body
		layer matrix.Layer
		words string
	}{
		"assertion":         {"O-START", func(_ context.Context, t *T) { t.Expect("shut off").To(gomega.Equal("running")) }, matrix.LayerManagement, "running"},
		"kernel assertion":  {"IK-BOOT", func(_ context.Context, t *T) { t.Expect(1).To(gomega.Equal(2), "the count") }, matrix.LayerKernel, "the count"},
		"word of the check": {"O-START", func(_ context.Context, t *T) { t.Fail(matrix.LayerL2, "no tick after %d s", 5) }, matrix.LayerL2, "no tick after 5 s"},
		"command":           {"O-START", func(ctx context.Context, t *T) { t.Sh(ctx, "false") }, matrix.LayerManagement, `"false" ended with status 3`},
	} {
		b := newBench(t)
		b.booter.refuse = func(n int) error {
			b.booter.hosts[n-1].exec = func(_ context.Context, command string) (agent.Result, error) {
				if command == "false" {
					return agent.Result{Code: 3}, nil
				}
				return agent.Result{Stdout: []byte("said by " + command)}, nil
			}
			return nil
		}
		cleaned := false
		rec := b.answer(soon(t), tc.id, func(ctx context.Context, t *T) {
			t.Cleanup(func(context.Context) error { cleaned = true; return nil })
			tc.body(ctx, t)
		})
		b.wants(rec, matrix.Fail, tc.layer, tc.words)
		if rec.Attempts != 1 || len(b.booter.hosts) != 1 || b.booter.hosts[0].closed != 1 || b.vm != nil {
			t.Errorf("%s: %d attempts, %d hosts, the first closed %d times", name, rec.Attempts, len(b.booter.hosts), b.booter.hosts[0].closed)
		}
		if cleaned {
			t.Errorf("%s: a host that goes was cleaned up", name)
		}
		if got := b.evidence(rec, "reason.txt"); !strings.Contains(got, tc.words) {
			t.Errorf("%s: reason.txt says %q", name, got)
		}
		if got := b.evidence(rec, "dmesg.log"); !strings.HasPrefix(got, "said by dmesg") {
			t.Errorf("%s: dmesg.log says %q", name, got)
		}
		if got := b.evidence(rec, "l1-console.log"); !strings.Contains(got, "Linux version") {
			t.Errorf("%s: l1-console.log says %q", name, got)
		}
		b.wants(b.answer(soon(t), "O-START", holds), map[bool]matrix.Verdict{true: matrix.Blocked, false: matrix.Pass}[tc.id == "IK-BOOT"], "")
	}
}

func TestEvidenceIsOfTheAttemptAlone(t *testing.T) {
	b := newBench(t)
	// A run that was killed left it, and goes on.
	old := b.folder("O-START", "l2-domain.xml")
	if err := errors.Join(os.MkdirAll(filepath.Dir(old), 0o755), os.WriteFile(old, []byte("another guest's"), 0o644)); err != nil {
		t.Fatal(err)
	}
	rec := b.answer(soon(t), "O-START", func(_ context.Context, t *T) { t.Fail(matrix.LayerL2, "no tick") })
	if got := b.evidence(rec, "reason.txt"); !strings.Contains(got, "no tick") {
		t.Errorf("reason.txt says %q", got)
	}
	if filepath.Dir(old) != filepath.Join(b.run.Dir, rec.Evidence) {
		t.Fatalf("the evidence is in %s; that proves nothing", rec.Evidence)
	}
	if text, err := os.ReadFile(old); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an earlier attempt's file says %q, %v", text, err)
	}
}

func TestOurFaultIsTriedAgainOnAFreshHostAndCounted(t *testing.T) {
	b := newBench(t)
	n := 0
	rec := b.answer(soon(t), "IK-BOOT", func(_ context.Context, t *T) {
		if n++; n == 1 {
			t.must(errors.New("pipe broke"), "copy file")
		}
	})
	b.wants(rec, matrix.Pass, "")
	if rec.Attempts != 2 || len(b.booter.hosts) != 2 || b.booter.hosts[0].closed != 1 || rec.Reason != "" {
		t.Errorf("%d attempts on %d hosts, reason %q", rec.Attempts, len(b.booter.hosts), rec.Reason)
	}
	if !slices.Contains(rec.Notes, "attempt 1 ended in our own fault: cannot copy file: pipe broke") {
		t.Errorf("the retry is not told: %q", rec.Notes)
	}
	if got := b.evidence(rec, "reason.txt"); !strings.Contains(got, "pipe broke") {
		t.Errorf("the evidence of the first attempt says %q", got)
	}
}

func TestOurFaultTwiceIsInfra(t *testing.T) {
	b := newBench(t)
	rec := b.answer(soon(t), "IK-BOOT", func(_ context.Context, t *T) { t.must(errors.New("pipe broke"), "copy file") })
	b.wants(rec, matrix.Infra, matrix.LayerHarness, "cannot copy file: pipe broke")
	if rec.Attempts != 2 || !strings.HasSuffix(rec.Evidence, "IK-BOOT-attempt-2") {
		t.Errorf("%d attempts, evidence %s", rec.Attempts, rec.Evidence)
	}
	if b.vm != nil {
		t.Error("the host is kept")
	}
}

func TestAProductFaultAfterOurOwnIsTheAnswer(t *testing.T) {
	b := newBench(t)
	n := 0
	rec := b.answer(soon(t), "IK-BOOT", func(_ context.Context, t *T) {
		if n++; n == 1 {
			panic("index out of range")
		}
		t.Fail(matrix.LayerKernel, "wrong kernel")
	})
	b.wants(rec, matrix.Fail, matrix.LayerKernel, "wrong kernel")
}

func TestAMistakeOfTheHarnessIsInfraWithItsPlace(t *testing.T) {
	b := newBench(t)
	rec := b.answer(soon(t), "IK-BOOT", func(context.Context, *T) {
		var none map[string]int
		none["x"] = 1
	})
	b.wants(rec, matrix.Infra, matrix.LayerHarness, "the harness panicked: assignment to entry in nil map", "answer_test.go")
}

func TestACheckIsBlockedByTheBootAlone(t *testing.T) {
	b := newBench(t)
	b.answer(soon(t), "IK-BOOT", holds)
	b.answer(soon(t), "O-START", func(_ context.Context, t *T) { t.Fail(matrix.LayerManagement, "no") })
	b.wants(b.answer(soon(t), "O-SAVE", holds), matrix.Pass, "")
	b.Cell = New(b.run, b.Plan, map[string]matrix.Verdict{"IK-BOOT": matrix.Fail, "O-START": matrix.Pass})
	ran := false
	rec := b.answer(soon(t), "O-SAVE", func(context.Context, *T) { ran = true })
	b.wants(rec, matrix.Blocked, "", "needs IK-BOOT, which ended in FAIL")
	if rec.BlockedBy != "IK-BOOT" || rec.Attempts != 0 || ran || rec.Evidence != "" {
		t.Errorf("blocked by %q after %d attempts, ran: %v", rec.BlockedBy, rec.Attempts, ran)
	}
	last := b.events[len(b.events)-1]
	if last.Done != 3 || last.Total != 3 {
		t.Errorf("done %d of %d, want 3 of 3", last.Done, last.Total)
	}
}

func TestAHostThatDoesNotBootFailsTheCheckThatWantedIt(t *testing.T) {
	b := newBench(t)
	b.booter.refuse = func(int) error { return panicked }
	rec := b.answer(soon(t), "IK-BOOT", holds)
	b.wants(rec, matrix.Fail, matrix.LayerKernel, "Kernel panic")
	if rec.Attempts != 1 {
		t.Errorf("%d attempts", rec.Attempts)
	}
	if got := b.evidence(rec, "l1-"+host.ConsoleFile); !strings.Contains(got, "Linux version") {
		t.Errorf("the console of the host that did not boot says %q", got)
	}
	b.wants(b.answer(soon(t), "O-START", holds), matrix.Blocked, "", "needs IK-BOOT, which ended in FAIL")
}

func TestAHostThatWeCannotBootIsTriedAgain(t *testing.T) {
	b := newBench(t)
	b.booter.refuse = func(n int) error {
		if n == 1 {
			return fault.Infraf("prepare host", "disk full")
		}
		return nil
	}
	rec := b.answer(soon(t), "IK-BOOT", holds)
	b.wants(rec, matrix.Pass, "")
	if rec.Attempts != 2 {
		t.Errorf("%d attempts", rec.Attempts)
	}
}

func TestARunThatIsCalledOffIsInfraAndNotTriedAgain(t *testing.T) {
	b := newBench(t)
	ctx, cancel := context.WithCancel(context.Background())
	rec := b.answer(ctx, "IK-BOOT", func(ctx context.Context, t *T) {
		cancel()
		t.must(context.Cause(ctx), "wait")
	})
	b.wants(rec, matrix.Infra, matrix.LayerHarness, "context canceled")
	if rec.Attempts != 1 || len(b.booter.hosts) != 1 {
		t.Errorf("%d attempts on %d hosts", rec.Attempts, len(b.booter.hosts))
	}
	if len(b.booter.hosts[0].ran) != 0 {
		t.Errorf("nobody waits for the answers to %q", b.booter.hosts[0].ran)
	}
	rec = b.answer(ctx, "O-START", holds)
	if rec.Verdict == matrix.Pass {
		t.Error("a run that was called off passes checks")
	}
}

func TestAJournalThatCannotBeWrittenStopsTheRun(t *testing.T) {
	b := newBench(t)
	b.journal.full = errors.New("no space left on device")
	if _, err := b.Answer(soon(t), b.Plan.Checks[0], holds); !errors.Is(err, b.journal.full) {
		t.Errorf("Answer = %v", err)
	}
}

func TestEvidenceOfPassesIsKeptWhenAskedFor(t *testing.T) {
	b := newBench(t)
	b.run.Keep = true
	rec := b.answer(soon(t), "IK-BOOT", holds)
	b.wants(rec, matrix.Pass, "")
	b.evidence(rec, "l1-console.log")
	if _, err := os.Stat(filepath.Join(b.run.Dir, rec.Evidence, "reason.txt")); err == nil {
		t.Error("a pass has a reason")
	}
}

func TestEvidenceEndsWithAHostThatDoesNotAnswer(t *testing.T) {
	b := newBench(t)
	b.run.Accel = "kvm"
	rec := b.answer(soon(t), "IK-BOOT", func(_ context.Context, t *T) {
		b.host().fallsSilent(time.Second, 0)
		t.Fail(matrix.LayerKernel, "x")
	})
	if got := b.evidence(rec, "dmesg.log"); !strings.HasPrefix(got, "cannot be had: ") {
		t.Errorf("dmesg.log says %q", got)
	}
	if n := len(b.booter.hosts[0].ran); n != 2 { // the question whether it lives, and dmesg
		t.Errorf("a host that does not answer was asked %q", b.booter.hosts[0].ran)
	}
}
