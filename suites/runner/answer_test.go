package runner

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/internal/hosttest"
	"github.com/virtmatrix/virtmatrix/internal/journal"
	"github.com/virtmatrix/virtmatrix/internal/progress"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

func TestAPassCarriesEverythingAVerdictIsAbout(t *testing.T) {
	b := emulated(t)
	rec := b.answer(soon(t), "IK-BOOT", func(t *steps.T) { t.Note("kernel %s", t.KernelRelease()) })
	want := journal.Record{
		Plan: "plan-hash", Cell: b.Cell.ID, Check: "IK-BOOT", Verdict: matrix.Pass, Attempts: 1,
		Notes: []string{"kernel 6.1.0-fake"}, Repeat: "bin/virtmatrix repro " + b.Cell.ID + " IK-BOOT",
		Harness: "v0", Epoch: journal.Epoch, Accelerators: map[string]string{"L1": "tcg", "L2": "kvm"}, Emulator: "qemu 7.2",
		Quirks: []string{"a quirk"}, PackageSets: map[string]string{"userland-kvm": "set-1"},
	}
	if rec.Client == "" {
		t.Error("the client library is not told")
	}
	if diff := cmp.Diff(want, rec, cmpopts.IgnoreFields(journal.Record{}, "Started", "Seconds", "GuestSeconds", "Client")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]journal.Record{rec}, b.journal.records); diff != "" {
		t.Error(diff)
	}
	if rec.GuestSeconds > rec.Seconds || rec.Started.IsZero() {
		t.Errorf("started %s, took %f s, %f of them in guests", rec.Started, rec.Seconds, rec.GuestSeconds)
	}
	last := b.events[len(b.events)-1]
	if last.Phase != progress.Finished || last.Verdict != matrix.Pass || last.Done != 1 || last.Family != b.Name {
		t.Errorf("the last event is %+v", last)
	}
}

func TestAnAnswerSaysWhatRanTheGuests(t *testing.T) {
	for value, want := range map[string]string{"": "kvm", "kvm": "kvm", "tcg": "tcg"} {
		b := newBench(t)
		if value != "" {
			b.Cell.Settings = []matrix.Setting{{Axis: "accel", Value: value}}
		}
		if rec := b.answer(soon(t), "IK-BOOT", holds); rec.Accelerators["L2"] != want {
			t.Errorf("accel %q: L2 ran by %q, want %q", value, rec.Accelerators["L2"], want)
		}
	}
}

func TestARecordOfAContainerNamesWhatIsThere(t *testing.T) {
	b := emulated(t)
	b.Cell.Tier, b.run.Engine = matrix.Container, "Docker 20.10 on Linux 6.18"
	rec := b.answer(soon(t), "IK-BOOT", holds)
	if diff := cmp.Diff(map[string]string{"L2": "tcg"}, rec.Accelerators); diff != "" || rec.Emulator != "" {
		t.Errorf("emulator %q, accelerators %s", rec.Emulator, diff)
	}
	if !slices.Contains(rec.Notes, "in a container of Docker 20.10 on Linux 6.18") {
		t.Errorf("notes %q", rec.Notes)
	}
}

func TestAFailureIsTheProductsAndTakesItsHost(t *testing.T) {
	for name, tc := range map[string]struct {
		id    string
		body  func(*steps.T)
		layer matrix.Layer
		words string
	}{
		"assertion":         {"O-START", func(t *steps.T) { t.Expect("shut off").To(gomega.Equal("running")) }, matrix.LayerManagement, "running"},
		"kernel assertion":  {"IK-BOOT", func(t *steps.T) { t.Expect(1).To(gomega.Equal(2), "the count") }, matrix.LayerKernel, "the count"},
		"word of the check": {"O-START", func(t *steps.T) { t.Fail(matrix.LayerL2, "no tick after %d s", 5) }, matrix.LayerL2, "no tick after 5 s"},
		"command":           {"O-START", func(t *steps.T) { t.Sh("false") }, matrix.LayerManagement, `"false" ended with status 3`},
	} {
		b := newBench(t)
		b.booter.prepare = func(h *hosttest.Host) {
			h.OnExec = func(_ context.Context, command string) (agent.Result, error) {
				if command == "false" {
					return agent.Result{Code: 3}, nil
				}
				return agent.Result{Stdout: []byte("said by " + command)}, nil
			}
		}
		cleaned := false
		rec := b.answer(soon(t), tc.id, func(t *steps.T) {
			t.Cleanup(func() { cleaned = true })
			tc.body(t)
		})
		b.wants(rec, matrix.Fail, tc.layer, tc.words)
		if rec.Attempts != 1 || rec.Stalls != 0 || b.booter.boots != 1 || b.host().Closed() != 1 || b.sessions != nil {
			t.Errorf("%s: %d attempts, %d hosts, the first closed %d times", name, rec.Attempts, b.booter.boots, b.host().Closed())
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
		// A failure of one check is none of another, be it of the boot.
		b.wants(b.answer(soon(t), "O-START", holds), matrix.Pass, "")
	}
}

func TestAFailureThatACheckFindsInTheEndLeavesTheHostToTheNext(t *testing.T) {
	judges := func(t *steps.T) {
		t.Cleanup(func() { t.Sh("undone") })
		t.Judge(matrix.LayerL2, "3 of 5 files are refused")
	}
	for name, tc := range map[string]struct {
		body   func(*steps.T)
		words  string
		closed int
	}{
		"as it was":            {judges, "3 of 5 files are refused", 0},
		"with something left":  {func(t *steps.T) { judges(t); t.Sh("leaves") }, "3 of 5 files are refused", 1},
		"after another fault":  {func(t *steps.T) { judges(t); t.Fail(matrix.LayerL2, "no tick") }, "no tick", 1},
		"without a way back":   {func(t *steps.T) { judges(t); t.Cleanup(func() { t.Fail(matrix.LayerL2, "stuck") }) }, "3 of 5 files are refused", 1},
		"and a host that died": {func(t *steps.T) { judges(t); t.Sh("dies") }, "died", 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t)
			things := holding(b, "process /usr/sbin/libvirtd")
			held, undone := b.booter.prepare, false
			b.booter.prepare = func(h *hosttest.Host) {
				held(h)
				exec := h.OnExec
				h.OnExec = func(ctx context.Context, command string) (agent.Result, error) {
					switch command {
					case "undone":
						undone = true
					case "leaves":
						*things = append(*things, "network device vmnat0")
					case "dies":
						h.Die(errors.New("it died"))
					default:
						return exec(ctx, command)
					}
					return agent.Result{}, nil
				}
			}
			rec := b.answer(t.Context(), "O-START", tc.body)
			if !strings.Contains(rec.Reason, tc.words) || rec.Verdict == matrix.Pass {
				t.Errorf("%s: %s, %q", name, rec.Verdict, rec.Reason)
			}
			if got := b.host().Closed(); got != tc.closed {
				t.Errorf("%s: the host was closed %d times, want %d", name, got, tc.closed)
			}
			if tc.closed == 0 && !undone {
				t.Errorf("%s: what the check did is not undone", name)
			}
		})
	}
}

func TestEvidenceIsOfTheAttemptAlone(t *testing.T) {
	b := newBench(t)
	// A run that was killed left it, and goes on.
	old := b.folder("O-START", "l2-domain.xml")
	if err := errors.Join(os.MkdirAll(filepath.Dir(old), 0o755), os.WriteFile(old, []byte("another guest's"), 0o644)); err != nil {
		t.Fatal(err)
	}
	rec := b.answer(soon(t), "O-START", func(t *steps.T) { t.Fail(matrix.LayerL2, "no tick") })
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

func TestOurFaultIsTriedAgainOnAFreshHostAndCounted(t *testing.T) {
	b := newBench(t)
	n := 0
	rec := b.answer(soon(t), "IK-BOOT", func(t *steps.T) {
		if n++; b.booter.forgotten != n-1 {
			panic("a host was restored")
		}
		if n == 1 {
			ours(t)
		}
	})
	b.wants(rec, matrix.Pass, "")
	if rec.Attempts != 2 || rec.Stalls != 0 || b.booter.boots != 2 || b.booter.hosts[0].Closed() != 1 || rec.Reason != "" {
		t.Errorf("%d attempts on %d hosts, %d stalls, reason %q", rec.Attempts, b.booter.boots, rec.Stalls, rec.Reason)
	}
	if b.booter.forgotten != 1 {
		t.Errorf("the state of earlier hosts was given up %d times, want once", b.booter.forgotten)
	}
	if !slices.Contains(rec.Notes, "attempt 1 ended in our own fault: cannot run check: the harness panicked: pipe broke") {
		t.Errorf("the retry is not told: %q", rec.Notes)
	}
}

func TestOurFaultTwiceIsInfra(t *testing.T) {
	b := newBench(t)
	rec := b.answer(soon(t), "IK-BOOT", ours)
	b.wants(rec, matrix.Infra, matrix.LayerHarness, "the harness panicked: pipe broke")
	if rec.Attempts != 2 || !strings.HasSuffix(rec.Evidence, "IK-BOOT-attempt-2") {
		t.Errorf("%d attempts, evidence %s", rec.Attempts, rec.Evidence)
	}
	if b.sessions != nil {
		t.Error("the host is kept")
	}
}

func TestAProductFaultAfterOurOwnIsTheAnswer(t *testing.T) {
	b := newBench(t)
	n := 0
	rec := b.answer(soon(t), "IK-BOOT", func(t *steps.T) {
		if n++; n == 1 {
			ours(t)
		}
		t.Fail(matrix.LayerKernel, "wrong kernel")
	})
	b.wants(rec, matrix.Fail, matrix.LayerKernel, "wrong kernel")
	if rec.Attempts != 2 {
		t.Errorf("%d attempts", rec.Attempts)
	}
}

// A kernel does not stumble over its own breakpoint by itself, however often it does.
func TestAnOopsOfInt3IsTheEmulatorsEachTime(t *testing.T) {
	stumbles := func(b *bench) func(*steps.T) {
		return func(t *steps.T) {
			b.host().Print("Oops: int3: 0000 [#1] PREEMPT SMP\n")
			t.Fail(matrix.LayerL2, "the guest is silent")
		}
	}
	b := emulated(t)
	rec := b.answer(soon(t), "O-START", stumbles(b))
	b.wants(rec, matrix.Infra, matrix.LayerHarness, "its emulator")
	if rec.Attempts != 2 {
		t.Errorf("%d attempts", rec.Attempts)
	}
	b = newBench(t)
	b.wants(b.answer(soon(t), "O-START", stumbles(b)), matrix.Fail, matrix.LayerL2, "the guest is silent")
}

const lockup = "watchdog: BUG: soft lockup - CPU#0 stuck for 26s!\n"

func TestWhatMayBeTheEmulatorsIsTheProductsTheSecondTime(t *testing.T) {
	for name, tc := range map[string]struct {
		happens func(*steps.T, *hosttest.Host)
		layer   matrix.Layer
		words   string
	}{
		"a stall": {func(_ *steps.T, h *hosttest.Host) { h.Print(lockup) }, matrix.LayerKernel, "soft lockup"},
		"a panic": {func(_ *steps.T, h *hosttest.Host) { h.Die(hosttest.Panicked) }, matrix.LayerKernel, "Kernel panic"},
		"a host that is mute": {func(t *steps.T, h *hosttest.Host) {
			h.FallSilent(20*time.Second, 0)
			t.Fail(matrix.LayerL2, "the guest is silent")
		}, matrix.LayerL2, "the guest is silent"},
		"a failure with a stall": {func(t *steps.T, h *hosttest.Host) { h.Print(lockup); t.Fail(matrix.LayerManagement, "no lock") }, matrix.LayerManagement, "no lock"},
	} {
		t.Run(name, func(t *testing.T) {
			b := emulated(t)
			rec := b.answer(soon(t), "O-START", func(t *steps.T) { tc.happens(t, b.host()) })
			b.wants(rec, matrix.Fail, tc.layer, tc.words)
			if rec.Attempts != 2 || rec.Stalls != 1 {
				t.Errorf("%d attempts, %d stalls", rec.Attempts, rec.Stalls)
			}
			b = emulated(t)
			rec = b.answer(soon(t), "O-START", func(t *steps.T) {
				if b.booter.boots == 1 {
					tc.happens(t, b.host())
				}
			})
			b.wants(rec, matrix.Pass, "")
			if rec.Attempts != 2 || rec.Stalls != 1 || len(rec.Notes) == 0 || !strings.Contains(rec.Notes[0], "attempt 1 ended in our own fault") {
				t.Errorf("%d attempts, %d stalls, notes %q", rec.Attempts, rec.Stalls, rec.Notes)
			}
			if text := b.evidence(rec, "reason.txt"); !strings.Contains(text, tc.words) || !strings.Contains(text, steps.ErrEmulator.Error()) {
				t.Errorf("the first attempt's reason is %q", text)
			}
			// A processor that nobody emulates has no such excuse.
			b = newBench(t)
			rec = b.answer(soon(t), "O-START", func(t *steps.T) { tc.happens(t, b.host()) })
			b.wants(rec, matrix.Fail, tc.layer, tc.words)
			if rec.Attempts != 1 || rec.Stalls != 0 {
				t.Errorf("%d attempts, %d stalls without emulation", rec.Attempts, rec.Stalls)
			}
		})
	}
}

func TestAStallAfterAnotherFaultOfOursIsTheFirst(t *testing.T) {
	b := emulated(t)
	rec := b.answer(soon(t), "IK-BOOT", func(t *steps.T) {
		if b.booter.boots == 1 {
			ours(t)
		}
		b.host().Print(lockup)
	})
	b.wants(rec, matrix.Infra, matrix.LayerHarness, "soft lockup")
	if rec.Stalls != 1 {
		t.Errorf("%d stalls are counted", rec.Stalls)
	}
}

func TestAHostThatHangsIsNotWaitedForTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := emulated(t)
		began := time.Now()
		rec := b.answer(t.Context(), "IK-BOOT", func(t *steps.T) {
			t.Until(checkLimit, "the sun rises", func() bool {
				b.host().Print("watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [l1probe:185]\n")
				time.Sleep(28 * time.Second)
				return false
			})
		})
		b.wants(rec, matrix.Fail, matrix.LayerKernel, "soft lockup - CPU#0")
		if took := time.Since(began); rec.Attempts != 2 || took > checkLimit/2 {
			t.Errorf("%d attempts in %s, want two that were cut short", rec.Attempts, took)
		}
	})
}

func TestACheckHasALimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		rec := b.answer(t.Context(), "O-START", func(t *steps.T) { t.Until(2*checkLimit, "the sun rises", func() bool { return false }) })
		b.wants(rec, matrix.Infra, matrix.LayerHarness, "cannot finish check: it was not done within 30m0s")
	})
}

func TestARunThatIsCalledOffIsInfraAndNotTriedAgain(t *testing.T) {
	b := newBench(t)
	ctx, cancel := context.WithCancel(t.Context())
	rec := b.answer(ctx, "IK-BOOT", func(t *steps.T) {
		cancel()
		t.Fail(matrix.LayerKernel, "what came of that")
	})
	b.wants(rec, matrix.Infra, matrix.LayerHarness, "context canceled")
	if rec.Attempts != 1 || b.booter.boots != 1 {
		t.Errorf("%d attempts on %d hosts", rec.Attempts, b.booter.boots)
	}
	if ran := b.host().Ran(); len(ran) != 2 { // what it held before, once libvirt answered
		t.Errorf("nobody waits for the answers to %q", ran)
	}
	if rec = b.answer(ctx, "O-START", holds); rec.Verdict == matrix.Pass {
		t.Error("a run that was called off passes checks")
	}
}

func TestAJournalThatCannotBeWrittenStopsTheRun(t *testing.T) {
	b := newBench(t)
	b.journal.full = errors.New("no space left on device")
	if _, err := b.Answer(soon(t), b.Cell.Checks[1], checkOf(holds)); !errors.Is(err, b.journal.full) {
		t.Errorf("Answer = %v", err)
	}
}

func TestTheWayBackIsPartOfTheCheck(t *testing.T) {
	b := newBench(t)
	rec := b.answer(soon(t), "O-START", func(t *steps.T) {
		t.Cleanup(func() { t.Fail(matrix.LayerManagement, "domain l2-x is still there") })
	})
	b.wants(rec, matrix.Fail, matrix.LayerManagement, "still there")
	if got := b.evidence(rec, "reason.txt"); !strings.Contains(got, "still there") {
		t.Errorf("reason.txt says %q", got)
	}
	if rec.Attempts != 1 || b.sessions != nil || b.host().Closed() != 1 {
		t.Errorf("%d attempts; the host that could not be cleaned up is kept", rec.Attempts)
	}
	rec = b.answer(soon(t), "O-START", func(t *steps.T) {
		t.Cleanup(func() { b.host().Die(hosttest.Panicked) })
	})
	b.wants(rec, matrix.Fail, matrix.LayerKernel, "Kernel panic")
}

func TestWhatACheckRequiresAndCannotHaveBlocksIt(t *testing.T) {
	b := newBench(t)
	b.booter.prepare = func(h *hosttest.Host) {
		h.OnForward = func(string) (string, error) { return filepath.Join(t.TempDir(), "no-socket"), nil }
		h.OnExec = func(_ context.Context, command string) (agent.Result, error) {
			if strings.HasPrefix(command, "pidof libvirtd") {
				return agent.Result{Stdout: []byte("libvirtd: ended: exit status 1\n")}, nil
			}
			return agent.Result{}, nil
		}
	}
	rec := b.answer(soon(t), "O-SAVE", func(t *steps.T) { t.Guest() })
	b.wants(rec, matrix.Blocked, matrix.LayerManagement, "requires a connection to libvirt", "libvirtd is not running")
	if rec.BlockedBy != "O-CONN" || rec.Attempts != 1 {
		t.Errorf("blocked by %q after %d attempts", rec.BlockedBy, rec.Attempts)
	}
	if got := b.evidence(rec, "reason.txt"); !strings.Contains(got, "libvirtd is not running") {
		t.Errorf("reason.txt says %q", got)
	}
	rec = b.answer(soon(t), "O-CONN", func(t *steps.T) { t.NewConnection() })
	b.wants(rec, matrix.Fail, matrix.LayerManagement, "libvirtd is not running")
	if rec.BlockedBy != "" {
		t.Errorf("the check that answers for it is blocked by %q", rec.BlockedBy)
	}
}

func TestAHostThatDoesNotBootFailsTheChecksOfTheBoot(t *testing.T) {
	contained := func(t *testing.T) *bench {
		b := emulated(t)
		b.Cell.Tier = matrix.Container
		return b
	}
	for _, boot := range []func(*testing.T) *bench{newBench, emulated, contained} {
		b := boot(t)
		b.booter.refuse = func(int) error { return hosttest.Panicked }
		attempts := 1
		if b.run.Accel == "tcg" && b.Cell.Tier == matrix.Nested {
			attempts = 2 // the first may be the emulator's
		}
		rec := b.answer(soon(t), "IK-BOOT", holds)
		b.wants(rec, matrix.Fail, matrix.LayerKernel, "Kernel panic")
		if rec.Attempts != attempts || rec.Stalls != attempts-1 {
			t.Errorf("%d attempts, %d stalls on %s", rec.Attempts, rec.Stalls, b.run.Accel)
		}
		if got := b.evidence(rec, "l1-"+host.ConsoleFile); !strings.Contains(got, "Linux version") {
			t.Errorf("the console of the host that did not boot says %q", got)
		}
		rec = b.answer(soon(t), "O-START", holds)
		b.wants(rec, matrix.Blocked, matrix.LayerKernel, "requires a host that boots", "Kernel panic")
		if rec.BlockedBy != "IK-BOOT" || rec.Attempts != attempts {
			t.Errorf("blocked by %q after %d attempts", rec.BlockedBy, rec.Attempts)
		}
	}
}

// On a real processor the same panic is the product's.
func TestAHostThatStumblesOverItsKernelsBreakpointIsItsEmulators(t *testing.T) {
	for _, boot := range []func(*testing.T) *bench{emulated, newBench} {
		b := boot(t)
		b.booter.banner = "[    6.0] Oops: int3: 0000 [#1] PREEMPT SMP NOPTI\n"
		b.booter.refuse = func(int) error { return hosttest.Panicked }
		if rec := b.answer(soon(t), "IK-BOOT", holds); b.run.Accel == "tcg" {
			b.wants(rec, matrix.Infra, matrix.LayerHarness, "tell a host that does not boot from its emulator", "Kernel panic")
			if rec.Stalls != 2 {
				t.Errorf("%d stalls", rec.Stalls)
			}
		} else {
			b.wants(rec, matrix.Fail, matrix.LayerKernel, "Kernel panic")
		}
	}
}

func TestAHostThatBootsTheSecondTimeIsCountedAsAStall(t *testing.T) {
	b := emulated(t)
	b.booter.refuse = func(n int) error {
		if n == 1 {
			return hosttest.Panicked
		}
		return nil
	}
	rec := b.answer(soon(t), "O-START", holds)
	b.wants(rec, matrix.Pass, "")
	if rec.Attempts != 2 || rec.Stalls != 1 || !strings.Contains(strings.Join(rec.Notes, "\n"), "a host that does not boot") {
		t.Errorf("%d attempts, %d stalls, notes %q", rec.Attempts, rec.Stalls, rec.Notes)
	}
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
	if rec.Attempts != 2 || rec.Stalls != 0 {
		t.Errorf("%d attempts, %d stalls", rec.Attempts, rec.Stalls)
	}
}
