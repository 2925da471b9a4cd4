package steps

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/internal/hosttest"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// towards has the host's packages move to those of a newer cell.
func towards(b *bench) {
	b.Cell.Stack = append(b.Cell.Stack, matrix.Choice{Component: matrix.Libvirt, Version: "9.0", Package: "9.0.0-4"})
	b.Env.Goal = &matrix.Cell{ID: "newer", Kind: matrix.KVM, Stack: []matrix.Choice{
		{Component: matrix.Linux, Version: "6.12"},
		{Component: matrix.QEMU, Version: "10.0", Package: "1:10.0.2+ds-2"}, {Component: matrix.Libvirt, Version: "11.3", Package: "11.3.0-3"},
	}}
}

// moving answers what an update asks of the host, with these answers instead where a
// command holds their keys.
func moving(h *hosttest.Host, instead map[string]agent.Result) {
	h.OnExec = func(_ context.Context, command string) (agent.Result, error) {
		for part, res := range instead {
			if strings.Contains(command, part) {
				return res, nil
			}
		}
		for part, text := range map[string]string{"pidof": "17", "libvirtd --version": "libvirtd (libvirt) 11.3.0", "x86_64 --version": "QEMU emulator version 10.0.2"} {
			if strings.Contains(command, part) {
				return agent.Result{Stdout: []byte(text + "\n")}, nil
			}
		}
		return agent.Result{}, nil
	}
}

func TestAHostIsItsGoalsOncePackagesMoved(t *testing.T) {
	on(t, passes, func(t *T, h *hosttest.Host) {
		moving(h, nil)
		t.Update()
		if t.Version(matrix.Libvirt) != "11.3" || t.On(0).Cell.ID != "newer" {
			t.Fail(matrix.LayerManagement, "the host is of %s", t.On(0).Cell.ID)
		}
		if note := strings.Join(t.Notes(), "\n"); !strings.Contains(note, "qemu 7.2 to 10.0, libvirt 9.0 to 11.3") {
			t.Fail(matrix.LayerManagement, "it notes %q", note)
		}
	}, towards)
}

func TestPackagesThatDoNotMove(t *testing.T) {
	const said = "E: Unable to correct problems"
	for part, want := range map[string]verdict{
		"packages/move":      ends(matrix.Fail, matrix.LayerDelivery, "packages cannot be installed: status 100:\n"+said), // a known issue has these words
		"packages/manager":   infra("bring the package manager", said),
		"libvirtd --version": ends(matrix.Fail, matrix.LayerManagement, said),
	} {
		on(t, want, func(t *T, h *hosttest.Host) {
			moving(h, map[string]agent.Result{part: {Code: 100, Stdout: []byte(said)}})
			t.Update()
		}, towards)
	}
	on(t, infra("qemu is not of 10.0 afterwards"), func(t *T, h *hosttest.Host) {
		moving(h, map[string]agent.Result{"x86_64 --version": {Stdout: []byte("QEMU emulator version 7.2.0")}})
		t.Update()
	}, towards)
	on(t, infra("the check has no such host"), func(t *T, _ *hosttest.Host) { t.Update() })
}

func TestAnOldVirshIsReadUpToItsAnswersEnd(t *testing.T) {
	on(t, passes, func(t *T, h *hosttest.Host) {
		printed := ""
		h.OnExec = func(_ context.Context, command string) (agent.Result, error) {
			switch {
			case strings.HasPrefix(command, "printf"):
				if strings.Contains(command, "over-1") {
					printed = "virsh # list --name\nl2-x\n\nvirsh # echo over-1.\nover-1.virsh # "
				} else {
					printed += "domstate l2-x\nrunning\n\nvirsh # echo over-2.\nover-2.virsh # "
				}
			case strings.HasPrefix(command, "cat"):
				return agent.Result{Stdout: []byte(printed)}, nil
			}
			return agent.Result{}, nil
		}
		v := t.OldVirsh()
		if first, second := v.Say("list --name"), v.Say("domstate l2-x"); !strings.Contains(first, "\nl2-x\n") || strings.Contains(second, "list") || !strings.Contains(second, "\nrunning\n") {
			t.Fail(matrix.LayerManagement, "it says %q and %q", first, second)
		}
	})
}

func TestAGuestsClockTellsHowLongItStoodStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		felt := time.Now()
		time.Sleep(10 * time.Second)
		if stood := stoodStill(felt, l2.Tick{UptimeMS: 1000}, l2.Tick{UptimeMS: 1900}); stood != 9100*time.Millisecond {
			t.Errorf("a guest that ran for 0.9 s of 10 stood still for %s", stood)
		}
	})
}

func TestAHostWhoseEmulatorMovedAloneIsOfBoth(t *testing.T) {
	on(t, passes, func(t *T, h *hosttest.Host) {
		moving(h, map[string]agent.Result{"libvirtd --version": {Stdout: []byte("libvirtd (libvirt) 9.0.0")}})
		t.Update(matrix.QEMU)
		if t.Version(matrix.Libvirt) != "9.0" || t.Version(matrix.QEMU) != "10.0" || t.Env.Cell.Stack[1].Version != "7.2" {
			t.Fail(matrix.LayerManagement, "the host is of %v", t.Cell.Stack)
		}
	}, towards)
}

func TestWhatThePackageManagerTakesAlongMovedToo(t *testing.T) {
	on(t, passes, func(t *T, h *hosttest.Host) {
		moving(h, nil)
		t.Update(matrix.QEMU)
		if note := strings.Join(t.Notes(), "\n"); t.On(0).Cell.ID != "newer" || !strings.Contains(note, "took libvirt along") {
			t.Fail(matrix.LayerManagement, "the host is of %s, and it notes %q", t.On(0).Cell.ID, note)
		}
	}, towards)
}

func TestAToolstackMovesWithLibvirtAndItsPackagesTellItsVersion(t *testing.T) {
	dom0 := func(b *bench) {
		emulated(b)
		b.Cell.Kind, b.Cell.Stack = matrix.Xen, []matrix.Choice{{Component: matrix.XenHyp, Version: "4.14", Package: "4.14.6-1"}, {Component: matrix.Libvirt, Version: "7.0", Package: "7.0.0-3"}}
		b.Env.Goal = &matrix.Cell{ID: "newer", Kind: matrix.Xen, Stack: []matrix.Choice{{Component: matrix.XenHyp, Version: "4.17", Package: "4.17.5-1"}, {Component: matrix.Libvirt, Version: "9.0", Package: "9.0.0-4"}}}
	}
	for listed, want := range map[string]verdict{
		"xen-utils-common 4.17.5-1": passes,
		"xen-utils-common 4.14.6-1": infra("xen is not of 4.17 afterwards"),
	} {
		on(t, want, func(t *T, h *hosttest.Host) {
			var asked []string
			h.OnExec = func(_ context.Context, command string) (agent.Result, error) {
				asked = append(asked, command)
				for part, text := range map[string]string{"packages/list": listed, "libvirtd --version": "libvirtd (libvirt) 9.0.0", "pidof": "17"} {
					if strings.Contains(command, part) {
						return agent.Result{Stdout: []byte(text + "\n")}, nil
					}
				}
				return agent.Result{}, nil
			}
			t.Update()
			if all := strings.Join(asked, "\n"); !strings.Contains(all, "packages/move libvirt xen") || !strings.Contains(all, "x86_486.xml") {
				t.Fail(matrix.LayerManagement, "the host was told\n%s", all)
			}
		}, dom0)
	}
}
