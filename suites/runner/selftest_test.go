package runner

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/internal/hosttest"
	"github.com/virtmatrix/virtmatrix/internal/journal"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// selftest has a bench apply controls.
func selftest(t *testing.T) *bench {
	b := newBench(t)
	b.run.Selftest = true
	return b
}

// sabotaged is a check with a control of one command, which a host obeys but for "false".
func sabotaged(command string, layer matrix.Layer, body func(*steps.T)) *check.Check {
	control := sabotage.Command("a product that "+command, command)
	control.Layer = layer
	return &check.Check{Body: body, Control: control}
}

func TestACheckMustFailUnderItsControl(t *testing.T) {
	fails := func(layer matrix.Layer) func(*steps.T) {
		return func(t *steps.T) { t.Fail(layer, "it misbehaves") }
	}
	for name, tc := range map[string]struct {
		check   *check.Check
		verdict matrix.Verdict
		words   string
	}{
		"it fails":                         {sabotaged("breaks", "", fails(matrix.LayerManagement)), matrix.Pass, ""},
		"it fails in the control's layer":  {sabotaged("breaks", matrix.LayerL2, fails(matrix.LayerL2)), matrix.Pass, ""},
		"it passes":                        {sabotaged("breaks", "", holds), matrix.Fail, "it passes with a product that breaks"},
		"it fails in another layer":        {sabotaged("breaks", matrix.LayerL2, fails(matrix.LayerManagement)), matrix.Fail, "with a product that breaks it fails in L1 management, and must in L2"},
		"it fails elsewhere than it is of": {sabotaged("breaks", "", fails(matrix.LayerL2)), matrix.Fail, "must in L1 management"},
		"our own fault":                    {sabotaged("breaks", "", ours), matrix.Infra, "pipe broke"},
		"a control that had no effect":     {&check.Check{Body: fails(matrix.LayerManagement), Control: sabotage.Swallow("virDomainReset")}, matrix.Infra, "no call came by that it applies to; the check came to: cannot hold O-START"},
		"a control that cannot be applied": {sabotaged("false", "", fails(matrix.LayerManagement)), matrix.Infra, `cannot apply control a product that false`},
	} {
		t.Run(name, func(t *testing.T) {
			b := selftest(t)
			b.booter.prepare = func(h *hosttest.Host) {
				h.OnExec = func(_ context.Context, command string) (agent.Result, error) {
					if command == "false" {
						return agent.Result{Code: 1}, nil
					}
					return agent.Result{}, nil
				}
			}
			rec := b.answerWith(soon(t), "O-START", tc.check)
			layer := matrix.Layer("")
			if tc.verdict != matrix.Pass {
				layer = matrix.LayerHarness // what is wrong is ours
			}
			b.wants(rec, tc.verdict, layer, tc.words)
			if tc.verdict == matrix.Pass && !strings.Contains(strings.Join(rec.Notes, "\n"), "with a product that breaks it fails: ") {
				t.Errorf("what the check saw is not told: %q", rec.Notes)
			}
			if rec.Evidence == "" && name != "it passes" {
				t.Error("no evidence is kept")
			}
			if b.sessions != nil || b.host().Closed() != 1 {
				t.Error("a host that was sabotaged is kept")
			}
		})
	}
}

func TestAControlIsAppliedToAFreshHost(t *testing.T) {
	b := selftest(t)
	for i := range 2 {
		b.answerWith(soon(t), "O-START", sabotaged("breaks", "", func(t *steps.T) {
			if ran := b.host().Ran(); len(ran) != 1 || ran[0] != "breaks" {
				t.Note("before the check ran %q", ran)
			}
			t.Fail(matrix.LayerManagement, "no")
		}))
		if b.booter.boots != i+1 {
			t.Errorf("%d hosts for %d checks", b.booter.boots, i+1)
		}
	}
	for _, rec := range b.journal.records {
		if strings.Contains(strings.Join(rec.Notes, "\n"), "before the check") {
			t.Errorf("notes %q", rec.Notes)
		}
	}
}

func TestACheckWithoutAControlIsListedWithItsReason(t *testing.T) {
	b := selftest(t)
	rec := b.answerWith(soon(t), "IK-BOOT", &check.Check{Check: matrix.Check{Without: "nothing boots then"}, Body: holds})
	b.wants(rec, matrix.Unsupported, "", "it has no control: nothing boots then")
	if b.booter.boots != 0 || rec.Attempts != 0 {
		t.Errorf("%d hosts were booted for it", b.booter.boots)
	}
	if len(b.journal.records) != 1 {
		t.Error("it is not in the journal")
	}
}

// TestARunAppliesNoControl: only a selftest does.
func TestARunAppliesNoControl(t *testing.T) {
	b := newBench(t)
	rec := b.answerWith(soon(t), "O-START", sabotaged("breaks", "", holds))
	b.wants(rec, matrix.Pass, "")
	if ran := b.host().Ran(); slices.Contains(ran, "breaks") {
		t.Errorf("the host was told %q", ran)
	}
}

func TestABlockedCheckProvesNothingOfItsControl(t *testing.T) {
	rec := journal.Record{Verdict: matrix.Blocked, BlockedBy: "O-START", Layer: matrix.LayerL2, Reason: "requires a running guest"}
	judgeControl(sabotaged("breaks", "", nil), &rec)
	if rec.Verdict != matrix.Blocked || rec.Reason != "requires a running guest" {
		t.Errorf("it came to %s: %s", rec.Verdict, rec.Reason)
	}
}

func TestAStallUnderAControlIsNotTheEmulators(t *testing.T) {
	rec := journal.Record{Verdict: matrix.Pass, Attempts: 2, Stalls: 1}
	judgeControl(sabotaged("reboots", "", nil), &rec)
	if rec.Stalls != 0 {
		t.Errorf("%d stalls are counted", rec.Stalls)
	}
}
