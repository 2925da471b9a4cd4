package layout

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/virtmatrix/virtmatrix/matrix"
)

// files are a root's: a link is "-> TARGET".
type files map[string]string

func (f files) tree() Tree {
	t := Tree{Entries: map[string]string{}, Read: func(path string) ([]byte, error) {
		text, ok := f[path]
		if !ok {
			return nil, errors.New("no " + path)
		}
		return []byte(text), nil
	}}
	for path, text := range f {
		target, _ := strings.CutPrefix(text, "-> ")
		if target == text {
			target = ""
		}
		t.Entries[path] = target
	}
	return t
}

func find(t *testing.T, f files) Manifest {
	t.Helper()
	m, err := Find("an-image", f.tree())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

const plainUEFI = `{"interface-types": ["uefi"], "mapping": {"device": "flash",
	"executable": {"filename": "/usr/share/OVMF/CODE.fd", "format": "raw"}, "nvram-template": {"filename": "/usr/share/OVMF/VARS.fd", "format": "raw"}},
	"targets": [{"architecture": "x86_64", "machines": ["pc-q35-*"]}], "features": ["acpi-s3"]}`

// debian is a root with the monolithic daemon, in which no unit starts it.
var debian = files{
	"/lib": "-> usr/lib", "/lib64": "-> usr/lib64", "/usr/lib": "",
	"/usr/lib64/ld-linux-x86-64.so.2":                "-> /lib/x86_64-linux-gnu/ld-linux-x86-64.so.2",
	"/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2": "", "/usr/lib/x86_64-linux-gnu/qemu": "",
	"/etc/os-release":             "-> ../usr/lib/os-release",
	"/usr/lib/os-release":         "NAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\nID=debian\n",
	"/usr/bin/qemu-system-x86_64": "-> qemu-system-amd64", "/usr/bin/qemu-system-amd64": "", "/usr/bin/qemu-img": "", "/usr/bin/virsh": "",
	"/usr/bin/virt-admin": "-> gone",
	"/usr/sbin/libvirtd":  "", "/usr/sbin/virtlogd": "", "/usr/sbin/virtlockd": "",
	"/etc/libvirt/libvirt.conf": "", "/etc/libvirt/libvirtd.conf": "",
	"/etc/passwd": "root:x:0:0::/root:/bin/sh\nlibvirt-qemu:x:64055:105::/var/lib/libvirt:/bin/false\n", "/etc/group": "qemu:x:104:\nlibvirt:x:105:\n",
	"/usr/lib/xen-4.17/bin/xen-init-dom0": "", "/usr/lib/xen-4.17/bin/xenstored": "", "/usr/sbin/xenstored": "", "/usr/sbin/xenconsoled": "",
	"/etc/apparmor.d/usr.sbin.libvirtd": "", "/etc/apparmor.d/usr.lib.libvirt.virt-aa-helper": "", "/etc/apparmor.d/usr.sbin.mysqld": "",
	"/usr/share/qemu/firmware/50-secure.json": strings.Replace(plainUEFI, "acpi-s3", "secure-boot", 1),
	"/usr/share/qemu/firmware/60-plain.json":  plainUEFI,
	"/usr/share/qemu/firmware/70-arm.json":    strings.Replace(plainUEFI, "x86_64", "aarch64", 1),
	"/usr/share/qemu/firmware/80-gone.json":   strings.Replace(plainUEFI, "CODE", "GONE", 1),
	"/usr/share/OVMF/CODE.fd":                 "", "/usr/share/OVMF/VARS.fd": "",
}

func TestWhatIsFoundInARoot(t *testing.T) {
	uefi := func(name, feature string) Firmware {
		return Firmware{"/usr/share/qemu/firmware/" + name, "/usr/share/OVMF/CODE.fd", "/usr/share/OVMF/VARS.fd", "raw", []string{feature}}
	}
	want := Manifest{
		Image: "an-image", Vendor: Vendor{"debian", "12", "Debian GNU/Linux"},
		Programs: map[string]string{
			Emulator: "/usr/bin/qemu-system-x86_64", QEMUImg: "/usr/bin/qemu-img", Virsh: "/usr/bin/virsh",
			XenInitDom0: "/usr/lib/xen-4.17/bin/xen-init-dom0", XenStored: "/usr/lib/xen-4.17/bin/xenstored", XenConsoled: "/usr/sbin/xenconsoled",
		},
		Loader: "/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", QEMUModules: "/usr/lib/x86_64-linux-gnu/qemu",
		KernelModules: "/usr/lib/modules", LibvirtConfig: "/etc/libvirt", Toolstack: "/usr/lib/xen-4.17/bin",
		Daemons: []Daemon{
			{"libvirtd", "/usr/sbin/libvirtd", "/run/libvirt/libvirt-sock", "/run/libvirt/libvirt-sock-ro", "/run/libvirt/libvirt-admin-sock", "/etc/libvirt/libvirtd.conf"},
			{"virtlogd", "/usr/sbin/virtlogd", "/run/libvirt/virtlogd-sock", "", "/run/libvirt/virtlogd-admin-sock", "/etc/libvirt/virtlogd.conf"},
			{"virtlockd", "/usr/sbin/virtlockd", "/run/libvirt/virtlockd-sock", "", "/run/libvirt/virtlockd-admin-sock", "/etc/libvirt/virtlockd.conf"},
		},
		Firmware: []Firmware{uefi("50-secure.json", "secure-boot"), uefi("60-plain.json", "acpi-s3")},
		Profiles: []string{"/etc/apparmor.d/usr.lib.libvirt.virt-aa-helper", "/etc/apparmor.d/usr.sbin.libvirtd"},
		Accounts: Accounts{"libvirt-qemu", "qemu", "libvirt"},
	}
	got := find(t, debian)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if f, err := got.UEFI(); err != nil || f.Descriptor != "/usr/share/qemu/firmware/60-plain.json" {
		t.Errorf("UEFI guests have %+v, %v", f, err)
	}
}

// modular is a root as distributions make them that split libvirt's daemon.
var modular = files{
	"/usr/libexec/qemu-kvm": "", "/usr/sbin/libvirtd": "", "/usr/bin/virtlogd": "", "/usr/sbin/virtqemud": "", "/usr/sbin/virtproxyd": "",
	"/usr/sbin/virtnetworkd": "", "/usr/sbin/virtlockd": "", "/lib64": "-> usr/lib64", "/usr/lib64/ld-linux-x86-64.so.2": "",
	"/usr/lib/systemd/system/virtqemud.socket": "[Socket]\nListenStream=/run/libvirt/a-virtqemud-sock\n",
}

func TestTheDaemonsThatAreStarted(t *testing.T) {
	names := func(f files, kind matrix.Kind) string {
		start, err := find(t, f).Start(kind)
		if err != nil {
			return err.Error()
		}
		var names []string
		for _, d := range start {
			names = append(names, d.Name)
		}
		return strings.Join(names, " ")
	}
	for _, tc := range []struct {
		root files
		kind matrix.Kind
		want string
	}{
		{debian, matrix.KVM, "virtlogd libvirtd"},
		{debian, matrix.Xen, "virtlogd libvirtd"},
		{modular, matrix.KVM, "virtlogd virtnetworkd virtproxyd virtqemud"},
		// There is no virtxend, so the one with all drivers has Xen's.
		{modular, matrix.Xen, "virtlogd libvirtd"},
	} {
		if got := names(tc.root, tc.kind); got != tc.want {
			t.Errorf("%s: %q are started, want %q", tc.kind, got, tc.want)
		}
	}
	m := find(t, modular)
	manager, err := m.Manager(matrix.KVM)
	if err != nil || manager.Socket != "/run/libvirt/a-virtqemud-sock" || manager.ReadOnly != "/run/libvirt/virtqemud-sock-ro" {
		t.Errorf("the manager is %+v, %v", manager, err)
	}
	if d, err := m.Listener(matrix.KVM); err != nil || d.Name != "virtproxyd" || d.Config != "/etc/libvirt/virtproxyd.conf" {
		t.Errorf("other machines connect to %+v, %v", d, err)
	}
	if d, err := m.Listener(matrix.Xen); err != nil || d.Name != "libvirtd" {
		t.Errorf("other machines connect to %+v of Xen, %v", d, err)
	}
	for _, tc := range []struct {
		kind         matrix.Kind
		driver, want string
	}{{matrix.KVM, "network", "virtnetworkd"}, {matrix.KVM, "storage", ""}, {matrix.Xen, "network", "libvirtd"}} {
		if d, err := m.Driver(tc.kind, tc.driver); d.Name != tc.want || (err == nil) != (tc.want != "") {
			t.Errorf("%s: the driver %s is of %q, %v, want %q", tc.kind, tc.driver, d.Name, err, tc.want)
		}
	}
	if at, _ := m.Program(Emulator); at != "/usr/libexec/qemu-kvm" || m.Loader != "/usr/lib64/ld-linux-x86-64.so.2" {
		t.Errorf("the emulator is at %q, its loader at %q", at, m.Loader)
	}
}

func TestWhatAnImageLacksIsNamedWithTheImage(t *testing.T) {
	bare := find(t, files{"/usr/sbin/virtqemud": ""})
	ask := map[string]func() error{
		"program virsh":                     func() error { _, err := bare.Program(Virsh); return err },
		"daemon virtlogd":                   func() error { _, err := bare.Start(matrix.KVM); return err },
		"daemon virtproxyd":                 func() error { _, err := bare.Listener(matrix.KVM); return err },
		"daemon libvirtd or virtxend":       func() error { _, err := bare.Manager(matrix.Xen); return err },
		"UEFI firmware without Secure Boot": func() error { _, err := bare.UEFI(); return err },
		"AppArmor profiles of libvirt":      func() error { _, err := bare.AppArmor(); return err },
		"program qemu-system-x86_64":        func() error { _, err := bare.WithBundle(Manifest{Image: "an-image"}); return err },
	}
	for item, of := range ask {
		var missing *MissingError
		if err := of(); !errors.As(err, &missing) || !strings.HasPrefix(err.Error(), "image an-image has no "+item) {
			t.Errorf("without %s: %v", item, err)
		}
	}
}

func TestABundleHasTheUserlandsPlacesAndItsOwnFirmware(t *testing.T) {
	bundle := find(t, files{
		"/usr/bin/qemu-system-x86_64": "", "/usr/bin/qemu-img": "", "/usr/share/qemu/firmware/60.json": plainUEFI,
		"/usr/share/OVMF/CODE.fd": "", "/usr/share/OVMF/VARS.fd": "",
	})
	user := find(t, debian)
	user.Programs = map[string]string{Emulator: "/usr/libexec/qemu-kvm"}
	user.Firmware[1].Code, user.Firmware[1].Vars = "/usr/share/edk2/CODE.fd", "/usr/share/edk2/VARS.fd"
	m, err := user.WithBundle(bundle)
	if err != nil {
		t.Fatal(err)
	}
	if m.Programs[Emulator] != "/usr/libexec/qemu-kvm" || m.Programs[QEMUImg] != "/usr/bin/qemu-img" || len(user.Programs) != 1 {
		t.Errorf("programs %v, the userland's %v", m.Programs, user.Programs)
	}
	if f, err := m.UEFI(); err != nil || f.Code != "/usr/share/OVMF/CODE.fd" || f.Vars != "/usr/share/OVMF/VARS.fd" {
		t.Errorf("firmware %+v, %v", f, err)
	}
	if got, want := m.FirmwareFolders(), []string{"/usr/share/OVMF", descriptors}; !slices.Equal(got, want) {
		t.Errorf("folders of firmware %q, want %q", got, want)
	}
}

func TestLinksThatGoInCirclesLeadNowhere(t *testing.T) {
	m := find(t, files{"/usr/bin/virsh": "-> ../bin/virsh", "/lib": "-> /lib"})
	if len(m.Programs) != 0 || m.KernelModules != "" {
		t.Errorf("found %+v", m)
	}
}

func TestADescriptorThatCannotBeReadIsAnError(t *testing.T) {
	_, err := Find("an-image", files{"/usr/share/qemu/firmware/1.json": "{"}.tree())
	if err == nil || !strings.Contains(err.Error(), "an-image") || !strings.Contains(err.Error(), "/usr/share/qemu/firmware/1.json") {
		t.Errorf("the error is %v", err)
	}
}
