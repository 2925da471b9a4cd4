package host

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/virtmatrix/virtmatrix/internal/agent"
)

func TestWhatAContainerIsToldAndShown(t *testing.T) {
	for name, want := range map[string]struct {
		conf   string
		quirks int
		shown  map[string]string
	}{
		"native": {"cgroup_controllers = []\nremember_owner = 0\n", 2, map[string]string{
			GuestKernel: "/store/kernel/vmlinuz", GuestInitrd: "/run/initrd", "/virtmatrix/bin/l1probe": "/bin/l1probe",
		}},
		// It has the privilege to remember owners, which its emulator's launcher needs.
		"bundled": {"security_driver = \"none\"\ncgroup_controllers = []\n", 2, map[string]string{
			GuestKernel: "/store/kernel/vmlinuz", GuestInitrd: "/run/initrd", "/virtmatrix/bin/l1probe": "/bin/l1probe", "/launch": "/bin/launch",
		}},
	} {
		c := compositions()[name]
		spec, shown, quirks, err := Contain(c.parts, c.settings, "/run/initrd")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want.shown, shown); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if spec.HoldKVM {
			t.Errorf("%s: its processors are L0's, and need no guest of KVM held", name)
		}
		if len(quirks) != want.quirks {
			t.Errorf("%s: quirks %q", name, quirks)
		}
		for _, f := range spec.Files {
			if f.From != "" && shown[f.From] == "" && f.From != launcher {
				t.Errorf("%s: %s comes from %s, which it is not shown", name, f.Path, f.From)
			}
			if f.Path == "/etc/hosts" || f.Path == "/etc/hostname" {
				t.Errorf("%s: it cannot write %s, which is Docker's", name, f.Path)
			}
		}
		for _, s := range spec.Services {
			if strings.Contains(strings.Join(s.Argv, " "), "/proc/sys/") {
				t.Errorf("%s: %s writes a setting of L0's kernel: %q", name, s.Name, s.Argv)
			}
		}
		at := slices.IndexFunc(spec.Files, func(f agent.File) bool { return f.Path == "/etc/libvirt/qemu.conf" })
		if at < 0 || !strings.HasSuffix(spec.Files[at].Content, want.conf) {
			t.Errorf("%s: libvirt is told %+v", name, spec.Files)
		}
		if spec.Root != "" || spec.Modprobe != nil || spec.Images != nil || spec.Scratch != (agent.Mount{}) {
			t.Errorf("%s: a container has no disks or modules of its own: %+v", name, spec)
		}
	}
}
