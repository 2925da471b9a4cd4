package cell

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/matrix"
)

func TestAnAnswerSaysWhatRanTheGuests(t *testing.T) {
	for value, want := range map[string]string{"": "kvm", "kvm": "kvm", "tcg": "tcg"} {
		b := newBench(t)
		if value != "" {
			b.Plan.Settings = []matrix.Setting{{Axis: "accel", Value: value}}
		}
		if rec := b.answer(soon(t), "IK-BOOT", holds); rec.Accelerators["L2"] != want {
			t.Errorf("accel %q: L2 ran by %q, want %q", value, rec.Accelerators["L2"], want)
		}
	}
}

func TestGuestsAreDescribedWithTheCellsSettings(t *testing.T) {
	b := newBench(t)
	b.Plan.Settings = []matrix.Setting{
		{Axis: "machine", Value: "pc-i440fx-5.2"}, {Axis: "firmware", Value: "uefi"}, {Axis: "accel", Value: "tcg"}, {Axis: "security", Value: "apparmor"},
	}
	rec := b.answer(soon(t), "IK-BOOT", func(_ context.Context, t *T) {
		xml := t.Marshal(t.Describe(t.NewGuest()))
		for _, want := range []string{`<domain type="qemu">`, `machine="pc-i440fx-5.2"`, "OVMF_CODE_4M.fd"} {
			if !strings.Contains(xml, want) {
				t.Fail(matrix.LayerManagement, "no %s in\n%s", want, xml)
			}
		}
		if t.GuestMemoryKB() != 256<<10 || t.Security() != "apparmor" || t.Machine() != "pc-i440fx-5.2" {
			t.Fail(matrix.LayerManagement, "memory %d KiB, security %s, machine %s", t.GuestMemoryKB(), t.Security(), t.Machine())
		}
	})
	b.wants(rec, matrix.Pass, "")
}

func TestASettingThatIsNotKnownIsOurFault(t *testing.T) {
	b := newBench(t)
	b.Plan.Settings = []matrix.Setting{{Axis: "firmware", Value: "uefy"}}
	rec := b.answer(soon(t), "IK-BOOT", func(_ context.Context, t *T) { t.Describe(t.NewGuest()) })
	b.wants(rec, matrix.Infra, matrix.LayerHarness, `did you mean "uefi"?`)
}

func TestTheProfileOfAnEmulator(t *testing.T) {
	const docker, selinux = "docker-default (enforce)\n", "system_u:system_r:container_t:s0:c1,c2\x00"
	for _, tc := range []struct {
		tier             matrix.Tier
		init, said, want string
	}{
		{matrix.Nested, "unconfined\n", "libvirt-1234 (enforce)\n", "libvirt-1234 (enforce)"},
		{matrix.Nested, "unconfined\n", "libvirt-1234 (complain)\x00", "libvirt-1234 (complain)"},
		{matrix.Nested, "unconfined\n", "unconfined\n", ""},
		{matrix.Nested, "", "", ""},
		// A machine has no Docker around it: what its init runs under, it chose.
		{matrix.Nested, docker, docker, "docker-default (enforce)"},
		{matrix.Container, docker, docker, ""},
		{matrix.Container, selinux, selinux, ""},
		{matrix.Container, docker, "libvirt-1234 (enforce)\n", "libvirt-1234 (enforce)"},
		{matrix.Container, docker, "unconfined\n", ""},
		{matrix.Container, "", "", ""},
	} {
		on(t, ends(matrix.Pass, ""), func(ctx context.Context, t *T, h *fakeHost) {
			t.cell.Plan.Tier = tc.tier
			h.exec = func(_ context.Context, command string) (agent.Result, error) {
				switch {
				case strings.Contains(command, "/proc/1/attr/current"):
					return agent.Result{Stdout: []byte(tc.init)}, nil
				case strings.Contains(command, "uest=l2-x,") && strings.Contains(command, "/attr/current"):
					return agent.Result{Stdout: []byte(tc.said)}, nil
				}
				return agent.Result{}, nil
			}
			if got := t.Confinement(ctx, "l2-x"); got != tc.want {
				t.Fail(matrix.LayerManagement, "%s, init %q: %q means %q, want %q", tc.tier, tc.init, tc.said, got, tc.want)
			}
		})
	}
}

func TestARecordOfAContainerNamesWhatIsThere(t *testing.T) {
	b := newBench(t)
	b.Plan.Tier, b.run.Engine = matrix.Container, "Docker 20.10 on Linux 6.18"
	rec := b.answer(soon(t), "IK-BOOT", holds)
	if diff := cmp.Diff(map[string]string{"L2": "tcg"}, rec.Accelerators); diff != "" || rec.Emulator != "" {
		t.Errorf("emulator %q, accelerators %s", rec.Emulator, diff)
	}
	if !slices.Contains(rec.Notes, "in a container of Docker 20.10 on Linux 6.18") {
		t.Errorf("notes %q", rec.Notes)
	}
	rec = b.answer(soon(t), "O-START", func(_ context.Context, t *T) { t.late(t.sched, "nothing came") })
	b.wants(rec, matrix.Fail, matrix.LayerManagement, "nothing came (L1's container ran")
}
