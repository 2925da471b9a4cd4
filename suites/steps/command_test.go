package steps

import (
	"context"
	"testing"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/internal/hosttest"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// answers has the host answer each command with a result.
func answers(h *hosttest.Host, res agent.Result) {
	h.OnExec = func(context.Context, string) (agent.Result, error) { return res, nil }
}

func TestACommandThatHangsIsTheProducts(t *testing.T) {
	for name, command := range map[string]func(*T){
		"virsh -c qemu:///system list": func(t *T) { t.Virsh("list") },
		"virsh -c qemu:///system uri":  func(t *T) { t.VirshSays("uri") },
		"rmmod kvm":                    func(t *T) { t.Run("rmmod kvm") },
		"qemu-img check x":             func(t *T) { t.Sh("qemu-img check x") },
	} {
		hung := func(ran, waited time.Duration) func(*T, *hosttest.Host) {
			return func(t *T, h *hosttest.Host) {
				h.OnExec = func(ctx context.Context, what string) (agent.Result, error) {
					if what != name {
						return agent.Result{}, nil
					}
					h.Schedule(ran, waited)
					<-ctx.Done() // then the agent kills it
					return agent.Result{}, context.Cause(ctx)
				}
				command(t)
			}
		}
		on(t, ends(matrix.Fail, matrix.LayerManagement, "run "+name+": the command did not answer within 3m0s"), hung(commandLimit, 0))
		on(t, infra("starved machine", "run "+name), hung(time.Second, commandLimit))
	}
}

func TestACommandThatFailsIsTheProductsOnlyWhenItMustSucceed(t *testing.T) {
	on(t, passes, func(t *T, h *hosttest.Host) {
		answers(h, agent.Result{Code: 3})
		if res := t.Run("false"); res.Code != 3 || t.Exists("/x") || t.HasProcess("l2-x") {
			t.Fail(matrix.LayerManagement, "Run = %+v", res)
		}
	})
	on(t, ends(matrix.Fail, matrix.LayerManagement, `"false" ended with status 137 (signal KILL)`, "no such thing"), func(t *T, h *hosttest.Host) {
		answers(h, agent.Result{Code: 137, Signal: "KILL", Stderr: []byte("no such thing\n")})
		t.Sh("false")
	})
	on(t, passes, func(t *T, h *hosttest.Host) {
		answers(h, agent.Result{Stdout: []byte(" said\n")})
		if got := t.Sh("echo"); got != "said" {
			t.Fail(matrix.LayerManagement, "Sh = %q", got)
		}
	})
}

func TestOutputThatIsNotWholeIsNotJudged(t *testing.T) {
	on(t, infra("read what a command printed", "12 bytes more than are kept"), func(t *T, h *hosttest.Host) {
		answers(h, agent.Result{Stdout: []byte("half of i"), Dropped: 12})
		t.Fail(matrix.LayerManagement, "it says %q", t.Sh("dmesg"))
	})
}

func TestAScriptOfOursPrintsAsManyLinesAsItShould(t *testing.T) {
	on(t, passes, func(t *T, h *hosttest.Host) {
		answers(h, agent.Result{Stdout: []byte("0\t1\tsaid\n0\t0\t\n")})
		if lines := t.Lines(2, time.Second, "x"); lines[1] != "0\t0\t" {
			t.Fail(matrix.LayerHarness, "the lines are %q", lines)
		}
	})
	on(t, infra("it has 1 lines and not 2"), func(t *T, h *hosttest.Host) {
		answers(h, agent.Result{Stdout: []byte("cut off")})
		t.Lines(2, time.Second, "x")
	})
}
