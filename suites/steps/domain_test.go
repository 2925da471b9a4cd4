package steps

import (
	"context"
	"strings"
	"testing"

	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/internal/hosttest"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// set gives the cell settings, as axis and value.
func set(pairs ...string) func(*bench) {
	return func(b *bench) {
		for i := 0; i < len(pairs); i += 2 {
			b.Cell.Settings = append(b.Cell.Settings, matrix.Setting{Axis: pairs[i], Value: pairs[i+1]})
		}
	}
}

func TestGuestsAreDescribedWithTheCellsSettings(t *testing.T) {
	on(t, passes, func(t *T, _ *hosttest.Host) {
		xml := t.Marshal(t.Describe(t.NewGuest()))
		for _, want := range []string{`<domain type="qemu">`, `machine="pc-i440fx-5.2"`, "OVMF_CODE_4M.fd"} {
			if !strings.Contains(xml, want) {
				t.Fail(matrix.LayerManagement, "no %s in\n%s", want, xml)
			}
		}
		if t.GuestMemoryKB() != 256<<10 || t.Security() != "apparmor" || t.Machine() != "pc-i440fx-5.2" {
			t.Fail(matrix.LayerManagement, "memory %d KiB, security %s, machine %s", t.GuestMemoryKB(), t.Security(), t.Machine())
		}
	}, set("machine", "pc-i440fx-5.2", "firmware", "uefi", "accel", "tcg", "security", "apparmor"))
}

func TestASettingThatIsNotKnownIsOurFault(t *testing.T) {
	on(t, infra(`did you mean "uefi"?`), func(t *T, _ *hosttest.Host) { t.Describe(t.NewGuest()) }, set("firmware", "uefy"))
}

func TestWhatACellLacksIsOurFaultToAskFor(t *testing.T) {
	on(t, passes, func(t *T, _ *hosttest.Host) {
		if t.Version(matrix.QEMU) != "7.2" || t.Package(matrix.QEMU) != "1:7.2+dfsg-7" || !t.AtLeast(matrix.QEMU, "5.2") || t.AtLeast(matrix.QEMU, "10.0") {
			t.Fail(matrix.LayerManagement, "qemu is %s of %s", t.Version(matrix.QEMU), t.Package(matrix.QEMU))
		}
	})
	on(t, infra("ask for xen", "has none"), func(t *T, _ *hosttest.Host) { t.Version(matrix.XenHyp) })
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
		on(t, passes, func(t *T, h *hosttest.Host) {
			h.OnExec = func(_ context.Context, command string) (agent.Result, error) {
				switch {
				case strings.Contains(command, "/proc/1/attr/current"):
					return agent.Result{Stdout: []byte(tc.init)}, nil
				case strings.Contains(command, "uest=l2-x,") && strings.Contains(command, "/attr/current"):
					return agent.Result{Stdout: []byte(tc.said)}, nil
				}
				return agent.Result{}, nil
			}
			if got := (&Domain{t: t, Name: "l2-x"}).Confinement(); got != tc.want {
				t.Fail(matrix.LayerManagement, "%s, init %q: %q means %q, want %q", tc.tier, tc.init, tc.said, got, tc.want)
			}
		}, func(b *bench) { b.Cell.Tier = tc.tier })
	}
}
