package main

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/journal"
	"github.com/virtmatrix/virtmatrix/internal/progress"
	"github.com/virtmatrix/virtmatrix/internal/rundir"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// runnerOf makes a call of a test runner that a shell script stands for. The
// script finds the run's folder in $RUN.
func runnerOf(t *testing.T, script string) (s *suites, said *[]string) {
	t.Helper()
	d, err := rundir.New(t.TempDir(), "smoke")
	if err != nil {
		t.Fatal(err)
	}
	said = new([]string)
	return &suites{
		dir: d, source: t.TempDir(), scratch: t.TempDir(), argv: []string{"sh", "-c", script}, env: append(os.Environ(), "RUN="+d.Path()),
		events: func(progress.Event) {}, say: func(text string) { *said = append(*said, text) },
	}, said
}

// answering writes an answer into the journal, with a time that has yet to come so
// that it counts as this call's.
func answering(t *testing.T) string { return answeringAt(t, time.Now().Add(time.Hour)) }

func answeringAt(t *testing.T, at time.Time) string {
	rec := journal.Record{Plan: "p", Cell: "c", Check: "A", Tier: matrix.Nested, Verdict: matrix.Fail, Reason: "r", Started: at.UTC(), Attempts: 1}
	return "echo '" + strings.TrimSpace(string(lines(t, []journal.Record{rec}))) + `' >>"$RUN/journal-1.ndjson"`
}

// telling writes an event.
const telling = `echo '{"time":"2999-01-01T00:00:00Z","phase":"checking","cell":"c","check":"A"}' >>"$RUN/progress-1.ndjson"`

func TestSuitesThatAnswerMayFail(t *testing.T) {
	s, _ := runnerOf(t, answering(t)+"; exit 1")
	cut, err := s.runUntil(nil)
	if err != nil {
		t.Errorf("got %v, want no error: a check failed, and that is judged", err)
	}
	// Whether checks are missing is the judge's to know; this is what to say then.
	if !strings.HasPrefix(cut, "the suites left checks out; the end of ") {
		t.Errorf("the reason for checks that may be missing is %q", cut)
	}
}

func TestSuitesThatDoNotBuildSayWhy(t *testing.T) {
	s, _ := runnerOf(t, `printf 'Failed to compile suites:\n\033[1mx.go:3: undefined: y\033[0m\n'; exit 1`)
	_, err := s.runUntil(nil)
	if err == nil {
		t.Fatal("got no error, want the one of the compiler")
	}
	for _, want := range []string{"before any check was answered", "ended with status 1", "ginkgo.log", "  | [1mx.go:3: undefined: y[0m"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
	if strings.Contains(err.Error(), "\x1b") {
		t.Errorf("the error can move the cursor: %q", err)
	}
}

func TestAnswersOfAnEarlierCallDoNotCount(t *testing.T) {
	s, _ := runnerOf(t, answeringAt(t, time.Now().Add(-time.Hour))+"; exit 1")
	if _, err := s.runUntil(nil); err == nil {
		t.Error("got no error, though nothing was answered")
	}
}

func TestSuitesRunInTheSource(t *testing.T) {
	s, _ := runnerOf(t, answering(t)+`; pwd >"$RUN/pwd"`)
	if cut, err := s.runUntil(nil); err != nil || cut != "" {
		t.Fatalf("got %q, %v; want nothing, for all went well", cut, err)
	}
	got, err := os.ReadFile(s.dir.Path("pwd"))
	if err != nil || strings.TrimSpace(string(got)) != s.source {
		t.Errorf("it ran in %q (%v), want %q", got, err, s.source)
	}
}

func TestTheFirstInterruptLetsSuitesFinish(t *testing.T) {
	s, said := runnerOf(t, `trap '`+strings.ReplaceAll(answering(t), "'", `'\''`)+`; exit 1' INT; `+telling+`; while :; do sleep 0.05; done`)
	signals := make(chan os.Signal, 2)
	s.events = func(progress.Event) { signals <- syscall.SIGINT }
	cut, err := s.runUntil(signals)
	if err != nil || cut != "the suites were stopped" {
		t.Fatalf("got %q, %v", cut, err)
	}
	if ok, err := s.answered(time.Now()); !ok || err != nil {
		t.Errorf("the answer was not written (%v)", err)
	}
	if len(*said) != 1 || !strings.HasPrefix((*said)[0], "stopping") {
		t.Errorf("people were told %q", *said)
	}
}

func TestTheSecondInterruptKills(t *testing.T) {
	s, said := runnerOf(t, `trap '' INT; `+telling+`; while :; do sleep 0.05; done`)
	signals := make(chan os.Signal, 2)
	s.events = func(progress.Event) { signals <- syscall.SIGINT; signals <- syscall.SIGINT }
	cut, err := s.runUntil(signals)
	if err != nil || cut != "the suites were stopped" {
		t.Fatalf("got %q, %v", cut, err)
	}
	if len(*said) != 2 || !strings.HasPrefix((*said)[1], "killing") {
		t.Errorf("people were told %q", *said)
	}
}

func TestTheRunnerGetsThePlansSeedAndTimeForIt(t *testing.T) {
	r := &runner{app: &app{}, plan: samplePlan(t), parallel: 1}
	argv := strings.Join(r.ginkgo(), " ")
	// 15 minutes, and as many for each of 2 cells, and 6 for each of 4 checks.
	for _, want := range []string{"--timeout=25h9m0s", "--procs=1", "--fail-on-empty", "-tags libvirt_dlopen", " ./suites"} {
		if !strings.Contains(argv, want) {
			t.Errorf("%q is not in %q", want, argv)
		}
	}
}

func TestNarrowKeepsTheSelectionAndItsBootCheck(t *testing.T) {
	frozen := samplePlan(t)
	frozen.Cells[0].Checks[2].AskedIn = "another cell" // whatever answers it, it is repeated here
	got, err := narrow(frozen, selection{Cells: []string{"kvm"}, Checks: []string{"O-SAVE"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := got.Verify(); err != nil {
		t.Error(err)
	}
	if len(got.Cells) != 1 || len(got.PackageSets) != 2 {
		t.Fatalf("got %d cells, %d package sets", len(got.Cells), len(got.PackageSets))
	}
	var checks []string
	for _, c := range got.Cells[0].Checks {
		checks = append(checks, c.ID+c.AskedIn)
	}
	if want := "IK-BOOT O-SAVE"; strings.Join(checks, " ") != want {
		t.Errorf("got checks %q, want %q", checks, want)
	}
	if frozen.Cells[0].Checks[2].Asked() {
		t.Error("the frozen plan was changed")
	}
	if _, err := narrow(frozen, selection{Cells: []string{"kvm"}, Checks: []string{"O-SAVED"}}); err == nil || !strings.Contains(err.Error(), `did you mean "O-SAVE"`) {
		t.Errorf("a misspelt check gives %v", err)
	}
}

func TestRowsCountWhatIsLeft(t *testing.T) {
	d, err := rundir.New(t.TempDir(), "smoke")
	if err != nil {
		t.Fatal(err)
	}
	p := samplePlan(t)
	records := sampleRecords(p)[:2]
	records[1].Verdict, records[1].Reason, records[1].Layer = matrix.Infra, "disk full", matrix.LayerHarness
	if err := os.WriteFile(d.Path("journal-1.ndjson"), lines(t, records), 0o644); err != nil {
		t.Fatal(err)
	}
	rows, left, err := (&runner{app: &app{}, plan: p, dir: d}).rows()
	if err != nil {
		t.Fatal(err)
	}
	if left != 3 || len(rows) != 2 || rows[0].Done != 1 || rows[0].Checks != 3 || rows[1].Checks != 1 {
		t.Errorf("got %d left in %+v, want 3: what failed through our own fault is run again", left, rows)
	}
}

func TestLongFlagsMayHaveOneDash(t *testing.T) {
	for in, want := range map[string]string{
		"plan -profile smoke -o x": "plan --profile smoke -o x",
		"plan -budget=5 --cells a": "plan --budget=5 --cells a",
		"gc -h":                    "gc -h",
		"run -budget -5":           "run --budget -5",
		"why -- -odd":              "why -- -odd",
		"plan -o=x":                "plan -o=x",
	} {
		if got := strings.Join(dashes(strings.Fields(in)), " "); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}
