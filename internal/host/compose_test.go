package host

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/internal/layout"
	"github.com/virtmatrix/virtmatrix/matrix"
)

var update = flag.Bool("update", false, "write the files in testdata anew")

// golden compares a text with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; look at it, then run the test with -update:\n%s", path, got)
	}
}

// debian is the layout of a root of Debian 12, whatever its kind.
func debian() layout.Manifest {
	return layout.Manifest{
		Image: "userland-bookworm", KernelModules: "/usr/lib/modules", LibvirtConfig: "/etc/libvirt", CPUMap: "/usr/share/libvirt/cpu_map",
		Programs: map[string]string{
			"qemu-system-x86_64": "/usr/bin/qemu-system-x86_64", "qemu-img": "/usr/bin/qemu-img", "apparmor_parser": "/usr/sbin/apparmor_parser",
			"xenstored": "/usr/lib/xen-4.17/bin/xenstored", "xen-init-dom0": "/usr/lib/xen-4.17/bin/xen-init-dom0", "xenconsoled": "/usr/lib/xen-4.17/bin/xenconsoled",
		},
		Daemons: []layout.Daemon{
			{Name: "libvirtd", Path: "/usr/sbin/libvirtd", Socket: "/run/libvirt/libvirt-sock", Config: "/etc/libvirt/libvirtd.conf"},
			{Name: "virtlogd", Path: "/usr/sbin/virtlogd", Socket: "/run/libvirt/virtlogd-sock"},
		},
		Profiles: []string{"/etc/apparmor.d/usr.lib.libvirt.virt-aa-helper", "/etc/apparmor.d/usr.sbin.libvirtd"},
	}
}

// The ways a host is composed.
func compositions() map[string]struct {
	parts    Parts
	settings Settings
} {
	native := Parts{
		Kernel: "/store/kernel/vmlinuz", Modules: "/store/kernel/modules.squashfs", Root: "/store/root/root.squashfs",
		BootModules: []string{"/store/kernel/boot/virtio_blk.ko", "/store/kernel/boot/squashfs.ko"},
		Agent:       "/bin/l1init", Launcher: "/bin/launch", Tools: map[string]string{"l1probe": "/bin/l1probe"},
		Guest:  GuestParts{Kernel: "/store/kernel/vmlinuz", Init: "/bin/l2init"},
		Layout: debian(),
	}
	bundled := native
	bundled.QEMU, bundled.Bundle = "/store/qemu/usr.squashfs", layout.Manifest{
		Image: "qemu-trixie", Loader: "/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", QEMUModules: "/usr/lib/x86_64-linux-gnu/qemu",
		Programs: map[string]string{"qemu-system-x86_64": "/usr/bin/qemu-system-x86_64", "qemu-system-i386": "/usr/bin/qemu-system-i386", "qemu-img": "/usr/bin/qemu-img", "qemu-io": "/usr/bin/qemu-io", "qemu-nbd": "/usr/bin/qemu-nbd"},
	}
	xen := native
	xen.Xen = "/store/xen/xen"
	moving := xen
	moving.Packages = "/cache/supply-1/image"
	kvmOnly := Settings{Name: "cell", Kind: matrix.KVM, Accel: "tcg", Scale: 1, CPUs: 2, MemoryMB: 2048, LogDir: "/run/logs"}
	dom0, confined, peer := kvmOnly, kvmOnly, kvmOnly
	dom0.Kind = matrix.Xen
	confined.Axes = []matrix.Setting{{Axis: "disk", Value: "scsi"}, {Axis: Security, Value: "apparmor"}}
	peer.Peers = Peers{Role: 1, Count: 2}
	return map[string]struct {
		parts    Parts
		settings Settings
	}{"peer": {native, peer}, "native": {native, kvmOnly}, "bundled": {bundled, kvmOnly}, "apparmor": {native, confined}, "xen": {xen, dom0}, "moving": {moving, dom0}}
}

var emulator = Emulator{Program: "/usr/bin/qemu-system-x86_64", Machine: "pc-q35-7.2", CPU: map[matrix.Kind]string{matrix.KVM: "max,cx16=off", matrix.Xen: "max,cx16=off,smap=off"}}

func TestWhatTheAgentIsToldToDo(t *testing.T) {
	for name, c := range compositions() {
		spec, quirks, err := compose(c.parts, c.settings)
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.MarshalIndent(spec, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		text := string(b)
		for _, q := range quirks {
			text += "\nquirk: " + q
		}
		golden(t, name+".spec", text+"\n")
	}
}

func TestTheEmulatorsCommandLine(t *testing.T) {
	for name, c := range compositions() {
		argv, err := commandLine(c.parts, c.settings, emulator, places{sockets: "/run/virtmatrix/vm-1", files: "/cache/vm-1", memory: "/memory", peer: "/run/virtmatrix/vm-2"}, false)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name+".args", strings.Join(argv, "\n")+"\n")
	}
}

func TestKVMNeedsNoTamedProcessor(t *testing.T) {
	c := compositions()["native"]
	c.settings.Accel = "kvm"
	argv, err := commandLine(c.parts, c.settings, emulator, places{sockets: "/d", files: "/d", memory: "/memory"}, false)
	if err != nil {
		t.Fatal(err)
	}
	if line := strings.Join(argv, " "); !strings.Contains(line, "-machine pc-q35-7.2,accel=kvm,memory-backend=ram -cpu max -smp") {
		t.Errorf("command line: %s", line)
	}
}

func TestXenOnRealHardwareHasNoQuirk(t *testing.T) {
	c := compositions()["xen"]
	c.settings.Accel = "kvm"
	spec, quirks, err := compose(c.parts, c.settings)
	if err != nil {
		t.Fatal(err)
	}
	if len(quirks) != 0 || strings.Contains(spec.Services[0].Name, "quirk") {
		t.Errorf("quirks %q, first service %q", quirks, spec.Services[0].Name)
	}
}

func TestTimeLimitsInTheSpecFollowTheMachine(t *testing.T) {
	c := compositions()["native"]
	c.settings.Scale = 3
	spec, _, err := compose(c.parts, c.settings)
	if err != nil {
		t.Fatal(err)
	}
	if spec.Patience != 3*bootStall/2 {
		t.Errorf("patience %s, want %s", spec.Patience, 3*bootStall/2)
	}
	for _, s := range spec.Services {
		if s.Wait != "" && s.Within != 3*serviceWait {
			t.Errorf("%s may take %s, want %s", s.Name, s.Within, 3*serviceWait)
		}
	}
}

func TestOnlyStepsOfTheHarnessAreItsOwn(t *testing.T) {
	own := map[string]bool{"bundled-firmware": true, "core-pattern": true, "dev-nodes": true, "network": true, "securityfs": true, "xen-dirs": true, "cpu-map-quirk": true}
	for name, c := range compositions() {
		spec, _, err := compose(c.parts, c.settings)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range spec.Services {
			if s.Own != own[s.Name] {
				t.Errorf("%s: Own of %s is %v", name, s.Name, s.Own)
			}
		}
	}
}

func TestPathsWithSpacesAndCommas(t *testing.T) {
	const odd = "/home/a b, c"
	c := compositions()["native"]
	c.parts.Kernel, c.parts.Root, c.settings.LogDir = odd+"/vmlinuz", odd+"/root.squashfs", odd+"/logs"
	argv, err := commandLine(c.parts, c.settings, emulator, places{sockets: odd + "/vm", files: odd + "/vm", memory: "/memory"}, false)
	if err != nil {
		t.Fatal(err)
	}
	line := "\n" + strings.Join(argv, "\n") + "\n"
	// Doubled where qemu reads key=value pairs, and nowhere else.
	for _, want := range []string{
		"\n-kernel\n/home/a b, c/vmlinuz\n", "\n-initrd\n/home/a b, c/vm/initramfs\n",
		"file=/home/a b,, c/root.squashfs,readonly=on", "file=/home/a b,, c/vm/scratch.img,readonly=off",
		"\nunix:/home/a b,, c/vm/qmp.sock,server=on", ",path=/home/a b,, c/vm/agent.sock\n",
		",path=/home/a b,, c/logs/console.log\n",
	} {
		if !strings.Contains(line, want) {
			t.Errorf("the command line lacks %q:%s", want, line)
		}
	}
	for what, c := range map[string]struct{ kernel, dir string }{
		"kernel": {odd + "/vmlinuz", "/vm"}, "folder": {"/vmlinuz", "/a,b"},
	} {
		x := compositions()["xen"]
		x.parts.Kernel = c.kernel
		if _, err := commandLine(x.parts, x.settings, emulator, places{sockets: "/vm", files: c.dir, memory: "/memory"}, false); err == nil || !strings.Contains(err.Error(), "VIRTMATRIX_HOME") {
			t.Errorf("%s: commandLine = %v, want a refusal with its cure", what, err)
		}
	}
}

func TestQuote(t *testing.T) {
	for in, want := range map[string]string{
		"": "''", "a b": "'a b'", "$x;`y`": "'$x;`y`'", "it's": `'it'\''s'`, "'": `''\'''`, "a\nb": "'a\nb'",
	} {
		if got := Quote(in); got != want {
			t.Errorf("Quote(%q) = %s, want %s", in, got, want)
		}
	}
}

func TestServicesOfTheProductAreWaitedFor(t *testing.T) {
	for name, c := range compositions() {
		spec, _, err := compose(c.parts, c.settings)
		if err != nil {
			t.Fatal(err)
		}
		var last agent.Service
		for _, s := range spec.Services {
			last = s
		}
		if last.Name != "libvirtd" || last.Wait != "/run/libvirt/libvirt-sock" {
			t.Errorf("%s: the last service is %+v", name, last)
		}
	}
}

func TestSettingsOfHosts(t *testing.T) {
	c := compositions()
	plain, _, err := compose(c["native"].parts, c["native"].settings)
	if err != nil {
		t.Fatal(err)
	}
	none := c["native"]
	none.settings.Axes = []matrix.Setting{{Axis: Security, Value: "none", Default: true}}
	if same, _, err := compose(none.parts, none.settings); err != nil || !reflect.DeepEqual(same, plain) {
		t.Errorf("security none makes another host: %+v, %v", same, err)
	}
	for want, s := range map[string]struct {
		name  string
		value string
	}{
		`unknown value of security "aparmor"; did you mean "apparmor"?`: {"native", "aparmor"},
		"refuse an emulator that the release did not install":           {"bundled", "apparmor"},
	} {
		host := c[s.name]
		host.settings.Axes = []matrix.Setting{{Axis: Security, Value: s.value}}
		if _, _, err := compose(host.parts, host.settings); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s host with %s: %v, want %q", s.name, s.value, err, want)
		}
	}
}

func TestAnImageThatLacksWhatAHostNeedsIsNamed(t *testing.T) {
	for item, c := range map[string]struct {
		composition string
		spoil       func(*Parts)
	}{
		"folder for modules (/lib)":     {"native", func(p *Parts) { p.Layout.KernelModules = "" }},
		"daemon virtlogd":               {"native", func(p *Parts) { p.Layout.Daemons = p.Layout.Daemons[:1] }},
		"daemon libvirtd or virtxend":   {"xen", func(p *Parts) { p.Layout.Daemons = p.Layout.Daemons[1:] }},
		"program xenstored":             {"xen", func(p *Parts) { delete(p.Layout.Programs, "xenstored") }},
		"CPU map of libvirt":            {"xen", func(p *Parts) { p.Layout.CPUMap = "" }},
		"AppArmor profiles of libvirt":  {"apparmor", func(p *Parts) { p.Layout.Profiles = nil }},
		"program qemu-system-x86_64":    {"bundled", func(p *Parts) { delete(p.Bundle.Programs, "qemu-system-x86_64") }},
		"folder of libvirt's configura": {"bundled", func(p *Parts) { p.Layout.LibvirtConfig = "" }},
	} {
		host := compositions()[c.composition]
		c.spoil(&host.parts)
		image := "userland-bookworm"
		if strings.Contains(item, "qemu-system") {
			image = "qemu-trixie"
		}
		_, _, err := compose(host.parts, host.settings)
		var missing *layout.MissingError
		if !errors.As(err, &missing) || !strings.Contains(err.Error(), "image "+image+" has no "+item) {
			t.Errorf("without %s: %v", item, err)
		}
	}
}

func TestEachOfSeveralDaemonsIsStartedOnceThoseBeforeAreThere(t *testing.T) {
	c := compositions()["native"]
	for _, name := range []string{"virtqemud", "virtnetworkd", "virtproxyd"} {
		c.parts.Layout.Daemons = append(c.parts.Layout.Daemons, layout.Daemon{Name: name, Path: "/usr/sbin/" + name, Socket: "/run/libvirt/" + name + "-sock"})
	}
	spec, _, err := compose(c.parts, c.settings)
	if err != nil {
		t.Fatal(err)
	}
	var started []string
	for _, s := range spec.Services[2:] {
		started = append(started, s.Name)
		if s.Wait == "" || s.Argv[0] != "/usr/sbin/"+s.Name {
			t.Errorf("%s is %+v", s.Name, s)
		}
	}
	if got := strings.Join(started, " "); got != "virtlogd virtnetworkd virtproxyd virtqemud" {
		t.Errorf("started %s", got)
	}
}
