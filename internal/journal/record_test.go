package journal

import (
	"testing"

	"github.com/virtmatrix/virtmatrix/matrix"
)

func TestAResumedRunSeeksAgainWhatIsNoAnswer(t *testing.T) {
	plan := &matrix.Plan{Hash: "ours"}
	for verdict, want := range map[matrix.Verdict]bool{
		matrix.Pass: true, matrix.Fail: true, matrix.Infra: false, matrix.Blocked: false,
	} {
		if got := (&Record{Plan: "ours", Verdict: verdict}).Answers(plan); got != want {
			t.Errorf("%s is an answer: %v, want %v", verdict, got, want)
		}
	}
	if (&Record{Plan: "another", Verdict: matrix.Pass}).Answers(plan) {
		t.Error("a pass of another plan is taken for an answer of ours")
	}
}
