package steps

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/internal/hosttest"
	"github.com/virtmatrix/virtmatrix/matrix"
)

func TestASnapshotIsDescribedByItsParts(t *testing.T) {
	on(t, passes, func(t *T, _ *hosttest.Host) {
		xml := strings.Join(strings.Fields(t.DescribeSnapshot("s", MemoryIn("/m"), External("vda", "/over"), Internal("vdb"), Without("vdc"))), " ")
		for _, want := range []string{
			"<name>s</name>", `<memory snapshot="external" file="/m"></memory>`, `<disk type="file" name="vda" snapshot="external"> <source file="/over"></source> </disk>`,
			`name="vdb" snapshot="internal"`, `name="vdc" snapshot="no"`,
		} {
			if !strings.Contains(xml, want) {
				t.Fail(matrix.LayerManagement, "no %s in %s", want, xml)
			}
		}
	})
}

func TestBackupsAreDescribedByTheirMode(t *testing.T) {
	on(t, passes, func(t *T, _ *hosttest.Host) {
		push, pull := t.Marshal(Push("vda", "/full", "c1")), t.Marshal(Pull("vda", "/s/nbd", "/scratch"))
		for want, in := range map[string]string{
			`mode="push"`: push, "<incremental>c1</incremental>": push, `<target file="/full">`: push,
			`mode="pull"`: pull, `<server transport="unix" socket="/s/nbd">`: pull, `<scratch file="/scratch">`: pull,
		} {
			if !strings.Contains(in, want) {
				t.Fail(matrix.LayerManagement, "no %s in %s", want, in)
			}
		}
	})
}

func TestAChainIsReadFromTheTop(t *testing.T) {
	on(t, passes, func(t *T, h *hosttest.Host) {
		h.OnExec = func(context.Context, string) (agent.Result, error) {
			return agent.Result{Stdout: []byte(`[{"filename": "/top"}, {"filename": "/base"}]`)}, nil
		}
		if got := t.Chain("/top"); !slices.Equal(got, []string{"/top", "/base"}) {
			t.Fail(matrix.LayerManagement, "the chain is %q", got)
		}
	})
	on(t, infra("read a backing chain"), func(t *T, h *hosttest.Host) { t.Chain("/top") })
}

// asks answers a question at once, or late.
func asks(late time.Duration) []Question {
	return []Question{{"XML", func() error { time.Sleep(late); return nil }}}
}

func TestAnswersAreWantedInTimeWhileAJobRuns(t *testing.T) {
	job := func(t *T, takes time.Duration) *Job {
		return t.Begin("the job", func() error { time.Sleep(takes); return nil })
	}
	watched := func(takes, late time.Duration) func(*T, *hosttest.Host) {
		return func(t *T, h *hosttest.Host) {
			defer time.Sleep(time.Hour) // what is left behind ends
			h.Schedule(time.Hour, 0)
			j := job(t, takes)
			(&Domain{t: t, Name: "l2-x"}).AnswersUntil(func() bool { time.Sleep(time.Second); return j.Over() }, asks(late))
			t.Do("the job", func() error { return j.Try(AnswerLimit) })
		}
	}
	on(t, passes, watched(4*AnswerLimit, AnswerLimit/2))
	on(t, ends(matrix.Fail, matrix.LayerManagement, "ask for the XML while a job runs", "did not answer"), func(t *T, h *hosttest.Host) {
		time.AfterFunc(time.Second, func() { h.Schedule(AnswerLimit, 0) })
		watched(4*AnswerLimit, 2*AnswerLimit)(t, h)
	})
	on(t, infra("keep a job running", "tells nothing"), watched(AnswerLimit/2, 0))
}
