package run

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/virtmatrix/virtmatrix/internal/journal"
	"github.com/virtmatrix/virtmatrix/internal/rundir"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// recalled lists the checks that the cache answers.
func recalled(v *Verdicts) []string {
	var checks []string
	found, _ := v.Recall(nil)
	for _, r := range found {
		checks = append(checks, r.Check)
	}
	return checks
}

func mustKey(t *testing.T, v *Verdicts, check int) string {
	t.Helper()
	key, err := v.key(&v.plan.Cells[0], v.plan.Cells[0].Checks[check])
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestARecalledAnswerIsOneOfTheNewPlan(t *testing.T) {
	dir, began := t.TempDir(), time.Now()
	answerAll(t, newVerdicts(resolved(t, pair, nil), dir))
	v := newVerdicts(resolved(t, pair, nil), dir)
	v.plan.Hash = "another"
	found, problems := v.Recall(nil)
	if len(found) != 4 || len(problems) != 0 {
		t.Fatalf("got %+v, %v", found, problems)
	}
	r := found[1]
	if r.Plan != "another" || r.Harness != "v1" || r.Verdict != matrix.Pass || r.Seconds != 0 || r.Evidence != "" || r.Started.Before(began) {
		t.Errorf("the answer is %+v", r)
	}
	want := &journal.Cached{Run: "20261121-221000-full", Time: time.Date(2026, 11, 21, 22, 10, 0, 0, time.UTC), Seconds: 12, Harness: "v1", Key: mustKey(t, v, 1)}
	if diff := cmp.Diff(want, r.Cached); diff != "" {
		t.Error(diff)
	}
	if !r.Answers(v.plan) {
		t.Error("it is no answer of the plan")
	}
}

func TestAnswersOutOfTheCacheAreJournalledOnce(t *testing.T) {
	v := newVerdicts(resolved(t, pair, nil), t.TempDir())
	answerAll(t, v)
	dir, err := rundir.New(t.TempDir(), "pair")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{4, 0} { // when the run goes on there is nothing to look up
		got, err := v.Answer(dir, func(problem error) { t.Error(problem) })
		if err != nil || len(got) != want {
			t.Errorf("%d answers were looked up, %v; want %d", len(got), err, want)
		}
		if records, damage, err := journal.Read(dir.Path()); err != nil || len(records) != 4 || len(damage) != 0 {
			t.Errorf("the journal has %d answers, %v, %v", len(records), damage, err)
		}
	}
}

func TestADamagedEntryIsAProblemAndTheOthersAnswer(t *testing.T) {
	dir := t.TempDir()
	v := newVerdicts(resolved(t, pair, nil), dir)
	answerAll(t, v)
	key := mustKey(t, v, 1)
	if err := os.Truncate(filepath.Join(dir, key[:2], key+".json"), 100); err != nil {
		t.Fatal(err)
	}
	found, problems := v.Recall(nil)
	if len(found) != 3 || len(problems) != 1 || !strings.HasPrefix(problems[0].Error(), "O-CONN of kvm_linux-6.1_qemu-7.2_libvirt-9.0: the kept verdict ") {
		t.Errorf("%d answers, problems %v", len(found), problems)
	}
	if got, want := recalled(v), []string{"IK-BOOT", "O-START", "O-SAVE"}; !slices.Equal(got, want) {
		t.Errorf("the second time the cache answers %q, want %q", got, want)
	}
}

func TestAFailureIsGivenAgainWhereImagesDecideAndARuleKnowsIt(t *testing.T) {
	images := matrix.Request{Profile: "static", Checks: []string{"S-QMP", "S-VIRSH", "O-RPC-MATRIX"},
		Cells: []string{"kvm_linux-6.1_qemu-7.2_libvirt-9.0_tier-container", "kvm_linux-6.12_qemu-10.0_libvirt-11.3_tier-container"}}
	dir := t.TempDir()
	answerAll(t, newVerdicts(resolved(t, images, nil), dir), "S-VIRSH", "O-RPC-MATRIX")
	v := newVerdicts(resolved(t, images, nil), dir)
	for name, tc := range map[string]struct {
		known func(journal.Record) bool
		want  []string
	}{
		"nobody knows rules":   {nil, []string{"O-CONN", "S-QMP"}},
		"no rule explains it":  {func(journal.Record) bool { return false }, []string{"O-CONN", "S-QMP"}},
		"rules explain it all": {func(r journal.Record) bool { return strings.HasPrefix(r.Reason, "it fails") }, []string{"O-CONN", "S-QMP", "S-VIRSH"}},
	} {
		v.Known = tc.known
		got := slices.Compact(slices.Sorted(slices.Values(recalled(v))))
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s: the cache answers %q, want %q", name, got, tc.want)
		}
	}
}
