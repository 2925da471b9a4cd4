package steps

import (
	"context"
	"strings"
	"testing"

	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/internal/hosttest"
	"github.com/virtmatrix/virtmatrix/internal/layout"
	"github.com/virtmatrix/virtmatrix/matrix"
)

func TestATriedUpdateTellsHowItEnded(t *testing.T) {
	on(t, passes, func(t *T, h *hosttest.Host) {
		moving(h, map[string]agent.Result{"pkill": {Stdout: []byte("in time\n137\nUnpacking\nKilled\n")}})
		if got := t.TryUpdate("/usr/sbin/libvirtd", Killed); got != (Tried{Status: 137, Said: "Unpacking\nKilled\n", InTime: true}) {
			t.Fail(matrix.LayerManagement, "it ended as %+v", got)
		}
	}, towards)
	on(t, passes, func(t *T, h *hosttest.Host) {
		moving(h, map[string]agent.Result{"packages/move": {Code: 100, Stdout: []byte("no space left on device")}})
		if got := t.TryUpdate("", ""); got.Status != 100 || got.Said != "no space left on device" {
			t.Fail(matrix.LayerManagement, "it ended as %+v", got)
		}
	}, towards)
	on(t, infra("it ends with status 2"), func(t *T, h *hosttest.Host) {
		moving(h, map[string]agent.Result{"pkill": {Code: 2, Stdout: []byte("sh: syntax error")}})
		t.TryUpdate("/usr/sbin/libvirtd", Killed)
	}, towards)
}

func TestARepairIsTriedOnceMore(t *testing.T) {
	for failures, want := range map[int]verdict{1: passes, 2: ends(matrix.Fail, matrix.LayerDelivery, "cannot repair what was cut off: status 100")} {
		on(t, want, func(t *T, h *hosttest.Host) {
			h.Places.Daemons = append(h.Places.Daemons, layout.Daemon{Name: "virtlogd"})
			moving(h, nil)
			usual, tries := h.OnExec, 0
			h.OnExec = func(ctx context.Context, command string) (agent.Result, error) {
				if strings.Contains(command, "packages/repair") {
					if tries++; tries <= failures {
						return agent.Result{Code: 100, Stdout: []byte("E: Sub-process dpkg returned an error code")}, nil
					}
				}
				return usual(ctx, command)
			}
			t.TryUpdate("", "")
			t.RepairPackages()
			if note := strings.Join(t.Notes(), "\n"); !strings.Contains(note, "the first repair fails: E: Sub-process") {
				t.Fail(matrix.LayerManagement, "it notes %q", note)
			}
		}, towards)
	}
}

func TestAnUpdateThatIsTakenBack(t *testing.T) {
	before := map[string]agent.Result{"libvirtd --version": {Stdout: []byte("libvirtd (libvirt) 9.0.0")}, "x86_64 --version": {Stdout: []byte("QEMU emulator version 7.2.22")}}
	on(t, passes, func(t *T, h *hosttest.Host) {
		was := t.Cell.ID
		moving(h, nil)
		t.Update()
		moving(h, before)
		t.Undo()
		if t.Cell.ID != was {
			t.Fail(matrix.LayerManagement, "the host is of %s", t.Cell.ID)
		}
	}, towards)
	on(t, ends(matrix.Fail, matrix.LayerDelivery, "is not what it was"), func(t *T, h *hosttest.Host) {
		moving(h, nil)
		t.Update()
		t.Undo()
	}, towards)
}
