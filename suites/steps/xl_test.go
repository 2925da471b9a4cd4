package steps

import (
	"context"
	"strings"
	"testing"

	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/internal/hosttest"
	"github.com/virtmatrix/virtmatrix/matrix"
)

func TestADevicesScriptThatIsKilledOnAnEmulatedHostIsOurs(t *testing.T) {
	attaches := func(said string) func(*T, *hosttest.Host) {
		return func(t *T, h *hosttest.Host) {
			answers(h, agent.Result{Code: 1, Stderr: []byte(said)})
			t.Xl("block-attach l2-x phy:/dev/loop0,xvdb,w")
		}
	}
	const killed = "libxl: error: libxl_aoutils.c:526:async_exec_timeout: killing execution of /etc/xen/scripts/block add because of timeout\n"
	on(t, infra("xl block-attach", "killing execution of /etc/xen/scripts/block add"), attaches(killed), emulated)
	fails := ends(matrix.Fail, matrix.LayerManagement, "xl block-attach l2-x phy:/dev/loop0,xvdb,w ended with status 1")
	on(t, fails, attaches(killed))
	on(t, fails, attaches("no such device\n"), emulated)
}

func TestWhatXlRefusesIsAskedVerbosely(t *testing.T) {
	on(t, ends(matrix.Fail, matrix.LayerManagement, "status 3", "refused for a reason"), func(t *T, h *hosttest.Host) {
		h.OnExec = func(_ context.Context, command string) (agent.Result, error) {
			if strings.HasPrefix(command, "xl -vvv create ") {
				return agent.Result{Code: 3, Stderr: []byte("refused for a reason")}, nil
			}
			return agent.Result{Code: 3}, nil
		}
		t.XlGuest(nil)
	})
}

func TestAPanicThatWasAskedForIsNotHeldAgainstTheGuest(t *testing.T) {
	panics := func(asked bool) func(*T, *hosttest.Host) {
		return func(t *T, h *hosttest.Host) {
			talks(h, says("token"))
			guestsPrint(h, "[ 9.0] Kernel panic - not syncing: sysrq triggered crash\n")
			g := fakeGuest(t, "token")
			g.WaitReady()
			if asked {
				g.Panic()
			}
		}
	}
	on(t, passes, panics(true))
	on(t, ends(matrix.Fail, matrix.LayerL2, "Kernel panic"), panics(false))
	on(t, passes, func(t *T, h *hosttest.Host) {
		told := make(chan string, 1)
		talks(h, func(req l2.Request) *l2.Message {
			if req.Do == l2.DoPanic {
				told <- req.Do
				return nil
			}
			return says("token")(req)
		})
		g := fakeGuest(t, "token")
		g.WaitReady()
		g.Panic()
		if got := <-told; got != l2.DoPanic {
			t.Fail(matrix.LayerL2, "the guest is told %q", got)
		}
	})
}
