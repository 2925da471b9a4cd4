package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/virtmatrix/virtmatrix/internal/journal"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/reports"
	"github.com/virtmatrix/virtmatrix/reports/blame"
)

// pairsRun stores a run of pairs of qemu and libvirt in containers, of which those that are
// named fail.
func pairsRun(t *testing.T, runs string, fails ...string) (a *app, run string) {
	t.Helper()
	cat, err := matrix.Default()
	if err != nil {
		t.Fatal(err)
	}
	plan, err := matrix.New(cat, matrix.Request{Profile: "containers", Checks: []string{"O-SAVE"}})
	if err != nil {
		t.Fatal(err)
	}
	plan.PackageSets = map[string]matrix.PackageSet{}
	var answers []journal.Record
	for i := range plan.Cells {
		c := &plan.Cells[i]
		resolve(plan, c)
	}
	if err := plan.Seal(); err != nil {
		t.Fatal(err)
	}
	for i := range plan.Cells {
		c := &plan.Cells[i]
		for _, p := range c.Checks {
			r := pass(plan, c, p, judgedAt)
			for _, stack := range fails {
				if p.ID == "O-SAVE" && strings.Contains(c.ID, stack+"_") {
					r.End(badRestore)
				}
			}
			if p.Asked() {
				answers = append(answers, r)
			}
		}
	}
	d, err := (&site{plan: plan}).write(runs, plan, answers)
	if err != nil {
		t.Fatal(err)
	}
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { null.Close() })
	return &app{ctx: t.Context(), cat: cat, stdout: null, stderr: null, globals: globals{Runs: runs}}, d.Path()
}

func prepared(t *testing.T, a *app, from string, words ...string) (*blaming, error) {
	t.Helper()
	v := &blameVerb{names: names{Words: words}, From: from, Times: 3}
	return v.prepare(a)
}

func TestBlameFindsBothSidesAndWhatIsBetween(t *testing.T) {
	runs := t.TempDir()
	a, run := pairsRun(t, runs, "qemu-11.1_libvirt-11.3")
	_, before := pairsRun(t, runs)
	for name, c := range map[string]struct {
		from, parts string
		cell        string
	}{
		"the nearest cell that passes": {"", "libvirt 9.0..11.3", ""},
		"a cell that is named":         {"qemu-7.2_libvirt-9.0", "qemu 7.2..10.0..11.1, libvirt 9.0..11.3", ""},
		"a newer part that passes":     {"qemu-10.0_libvirt-12.8", "qemu 10.0..11.1, libvirt 12.8..11.3", ""},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := prepared(t, a, c.from, run, "O-SAVE")
			if err != nil {
				t.Fatal(err)
			}
			var parts []string
			for _, p := range b.parts {
				parts = append(parts, p.Name+" "+strings.Join(p.Values, ".."))
			}
			if got := strings.Join(parts, ", "); got != c.parts && c.from != "" || !strings.Contains(b.is.ID, "qemu-11.1_libvirt-11.3") || len(b.parts) == 0 {
				t.Errorf("%s on %s, want %s", got, b.is.ID, c.parts)
			}
			stack := make(blame.Stack, len(b.parts))
			was, err := b.compose(stack)
			if err != nil || was.ID != b.was.ID {
				t.Errorf("with all reverted it is %s, %v; want %s", was.ID, err, b.was.ID)
			}
		})
	}
	if _, err := prepared(t, a, before, run, "O-SAVE"); err == nil || !strings.Contains(err.Error(), "have the same packages") {
		t.Errorf("two runs of the same packages: %v", err)
	}
	for from, want := range map[string]string{"qemu-11.1_libvirt-11.3": "passes on no cell", "qemu-99": "no run or baseline has that name"} {
		if _, err := prepared(t, a, from, run, "O-SAVE"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("from %s: %v, want %q", from, err, want)
		}
	}
	if _, err := prepared(t, a, "", before, "O-SAVE"); err == nil || !strings.Contains(err.Error(), "nothing to blame") {
		t.Errorf("a run without a failure: %v", err)
	}
}

func TestBlameTellsWhatIsToBeReported(t *testing.T) {
	a, run := pairsRun(t, t.TempDir(), "qemu-11.1_libvirt-11.3")
	b, err := prepared(t, a, "qemu-10.0_libvirt-12.8", run, "O-SAVE")
	if err != nil {
		t.Fatal(err)
	}
	r := blame.Result{
		Outcome: blame.Interaction, Blamed: []blame.Blamed{{Part: 0, Was: 0, Now: 1}, {Part: 1, Was: 0, Now: 1}},
		Asked: []blame.Asked{{Stack: blame.Stack{1, 1}, Answers: []blame.Answer{blame.Red, blame.Red}}, {Stack: blame.Stack{0, 1}, Answers: []blame.Answer{blame.Green, blame.Green}}},
	}
	var text bytes.Buffer
	if err := b.report(&text, r, true); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"## O-SAVE: qemu 10.0 -> 11.1 and libvirt 12.8 -> 11.3\n", "break it together", "    qemu 11.1, libvirt 11.3: fails so in 2 of 2\n",
		"migration stream has unknown section", "    virtmatrix blame ", " -from kvm_linux-6.1_qemu-10.0_libvirt-12.8_tier-container",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("it says not %q:\n%s", want, text.String())
		}
	}
}

func TestAFailureInOtherWordsIsAnotherAnswer(t *testing.T) {
	a, run := pairsRun(t, t.TempDir(), "qemu-11.1_libvirt-11.3")
	b, err := prepared(t, a, "qemu-10.0_libvirt-12.8", run, "O-SAVE")
	if err != nil {
		t.Fatal(err)
	}
	for want, end := range map[blame.Answer]error{blame.Green: nil, blame.Red: badRestore, blame.Other: badLook, blame.None: fullDisk} {
		rec := *b.red.Record
		rec.End(end)
		if got := b.answer(&reports.Result{Cell: rec.Cell, Verdict: rec.Verdict, Reason: rec.Reason, Record: &rec}); got != want {
			t.Errorf("%v is taken for %q, want %q", end, got, want)
		}
	}
	if got := b.answer(nil); got != blame.None {
		t.Errorf("no result is taken for %q", got)
	}
}
