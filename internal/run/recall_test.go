package run

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/virtmatrix/virtmatrix/internal/journal"
	"github.com/virtmatrix/virtmatrix/internal/rundir"
	"github.com/virtmatrix/virtmatrix/internal/verdict"
	"github.com/virtmatrix/virtmatrix/matrix"
)

func TestARecalledAnswerIsOneOfTheNewPlan(t *testing.T) {
	dir, began := t.TempDir(), time.Now()
	answerAll(t, newVerdicts(resolved(t, pair, nil), dir))
	v := newVerdicts(resolved(t, pair, nil), dir)
	v.plan.Hash = "another"
	got := v.Recall("", "v2", nil)
	if len(got.Records) != 4 || len(got.Problems) != 0 {
		t.Fatalf("got %+v", got)
	}
	r := got.Records[1]
	if r.Plan != "another" || r.Harness != "v1" || r.Verdict != matrix.Pass || r.Seconds != 0 || r.Started.Before(began) {
		t.Errorf("the answer is %+v", r)
	}
	key, err := mustQuestion(t, v, 1).Key()
	if err != nil {
		t.Fatal(err)
	}
	want := &journal.Cached{Run: "20261121-221000-full", Time: time.Date(2026, 11, 21, 22, 10, 0, 0, time.UTC), Seconds: 12, Harness: "v1", Key: key}
	if diff := cmp.Diff(want, r.Cached); diff != "" {
		t.Error(diff)
	}
	if !r.Answers(v.plan) {
		t.Error("it is no answer of the plan")
	}
}

func mustQuestion(t *testing.T, v *Verdicts, check int) verdict.Question {
	t.Helper()
	q, err := v.question(&v.plan.Cells[0], v.plan.Cells[0].Checks[check])
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func TestAKeptFailureComesWithItsEvidence(t *testing.T) {
	dir, run := t.TempDir(), t.TempDir()
	v := newVerdicts(resolved(t, pair, nil), dir)
	answerAll(t, v, "O-START")
	var got []string
	for _, r := range v.Recall(run, "v2", nil).Records {
		got = append(got, fmt.Sprintf("%s %s %v %s", r.Check, r.Verdict, r.Answers(v.plan), r.Harness))
		if r.Cached == nil || r.Cached.Run != "20261121-221000-full" {
			t.Errorf("%s comes from %+v", r.Check, r.Cached)
		}
	}
	want := []string{"IK-BOOT PASS true v1", "O-CONN PASS true v1", "O-START FAIL true v1", "O-SAVE PASS true v1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	text, err := os.ReadFile(filepath.Join(run, "cells", v.plan.Cells[0].ID, "O-START", "reason.txt"))
	if err != nil || string(text) != "it fails\n" {
		t.Errorf("the evidence is %q, %v", text, err)
	}
}

func TestWhatTheRunHasAnsweredIsNotLookedUp(t *testing.T) {
	v := newVerdicts(resolved(t, pair, nil), t.TempDir())
	answerAll(t, v)
	earlier := journal.Answers{v.plan.Cells[0].ID: {"IK-BOOT": matrix.Pass, "O-START": matrix.Fail}}
	var got []string
	for _, r := range v.Recall("", "v2", earlier).Records {
		got = append(got, r.Check)
	}
	if want := []string{"O-CONN", "O-SAVE"}; !slices.Equal(got, want) {
		t.Errorf("looked up %q, want %q", got, want)
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
		got, err := v.Answer(t.Context(), dir, func(problem error) { t.Error(problem) })
		if err != nil || len(got) != want {
			t.Errorf("%d answers were looked up, %v; want %d", len(got), err, want)
		}
		if records, _, err := journal.Read(dir.Path()); err != nil || len(records) != 4 {
			t.Errorf("the journal has %d answers, %v", len(records), err)
		}
	}
}

func TestADamagedEntryIsAProblemAndTheOthersAnswer(t *testing.T) {
	dir := t.TempDir()
	v := newVerdicts(resolved(t, pair, nil), dir)
	answerAll(t, v)
	key, err := mustQuestion(t, v, 1).Key()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(dir, key[:2], key+".json"), 100); err != nil {
		t.Fatal(err)
	}
	got := v.Recall("", "v2", nil)
	if len(got.Records) != 3 || len(got.Problems) != 1 || !strings.HasPrefix(got.Problems[0].Error(), "O-CONN of kvm_linux-6.1_qemu-7.2_libvirt-9.0: the kept verdict ") {
		t.Errorf("%d answers, problems %v", len(got.Records), got.Problems)
	}
	if again := v.Recall("", "v2", nil); len(again.Problems) != 0 || len(again.Records) != 3 {
		t.Errorf("the second time: %d answers, problems %v", len(again.Records), again.Problems)
	}
}
