package host

import (
	"maps"
	"path/filepath"
	"slices"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// Places in L1 that the harness puts things at.
const (
	// GuestKernel and GuestInitrd are what L2 boots.
	GuestKernel = "/virtmatrix/l2/vmlinuz"
	GuestInitrd = "/virtmatrix/l2/initrd"
	// ToolsDir holds the programs of the checks.
	ToolsDir = "/virtmatrix/bin"
	// ScratchDir is on a real file system: guests' disks belong there.
	ScratchDir = "/var/lib/libvirt/images"
	// BundleDir is where a bundled emulator's /usr is mounted, launcher what the
	// initramfs holds to start its programs.
	BundleDir = "/virtmatrix/qemu/usr"
	launcher  = "/launch"
	// LibvirtSocket is libvirtd's socket for management.
	LibvirtSocket = "/run/libvirt/libvirt-sock"
	// LibvirtROSocket is its socket for readers.
	LibvirtROSocket = "/run/libvirt/libvirt-sock-ro"
	// qemuConf is what libvirtd reads of how to run emulators.
	qemuConf = "/etc/libvirt/qemu.conf"
)

// The serials that tell L1's disks apart.
const (
	serialRoot    = "root"
	serialModules = "modules"
	serialQEMU    = "qemu"
	serialScratch = "scratch"
)

// serviceWait is how long one daemon may take until its socket is there.
const serviceWait = 2 * time.Minute

// compose says what the agent does to make the host. quirks are the declared
// adaptations of the product to how it is run here, for the record.
func compose(p Parts, s Settings) (spec agent.Spec, quirks []string, err error) {
	spec = agent.Spec{
		// The agent tells what is missing before it looks hung.
		Patience: s.stall() / 2,
		Root:     serialRoot,
		Images:   []agent.Mount{{Serial: serialModules, Path: "/usr/lib/modules"}},
		Scratch:  agent.Mount{Serial: serialScratch, Path: ScratchDir},
		Files: []agent.File{
			{Path: GuestKernel, From: GuestKernel},
			{Path: GuestInitrd, From: GuestInitrd},
		},
	}
	for _, m := range p.BootModules {
		spec.Modules = append(spec.Modules, bootModule(m))
	}
	for _, name := range slices.Sorted(maps.Keys(p.Tools)) {
		spec.Files = append(spec.Files, agent.File{Path: toolPath(name), From: toolPath(name), Mode: 0o755})
	}
	if p.QEMU != "" {
		quirks = append(quirks, composeBundle(&spec)...)
	}
	if s.Kind == matrix.Xen {
		quirks = append(quirks, composeXen(&spec, s)...)
	} else {
		quirks = append(quirks, composeKVM(&spec, s)...)
	}
	composePeers(&spec, s.Peers)
	if s.emulated() {
		quirks = append(quirks, kicked)
	}
	return spec, quirks, applySettings(&spec, p, s.Axes)
}

func toolPath(name string) string { return ToolsDir + "/" + name }

func bootModule(file string) string { return "/modules/" + filepath.Base(file) }

// heldKVM is the quirk of hosts whose processors are emulated. As its first guest
// comes and its last one goes, KVM patches a branch of the scheduler
// (preempt_notifier_key), which all processors run all the time. QEMU 7.2's TCG may go
// on with the translation of what was there in between, a breakpoint: then L1
// stands still without a word. A loop that made and dropped guests hung within 200 of
// them, and beside a guest that is held not in 700, four times as fast.
const heldKVM = "kvm on tcg: a guest without processors is held, so that KVM does not patch the scheduler as others come and go, which the emulator can miss"

// composeKVM starts what a distribution starts for KVM and libvirt.
func composeKVM(spec *agent.Spec, s Settings) (quirks []string) {
	// Both are asked for: the one that fits the processor stays.
	spec.Modprobe = []string{"kvm_amd", "kvm_intel", "tun", "vhost_net"}
	spec.Services = []agent.Service{
		// What udev's rules do (50-udev-default.rules); no udev runs here.
		ownStep("dev-nodes", "for n in kvm vhost-net; do test ! -e /dev/$n || { chown root:kvm /dev/$n; chmod 660 /dev/$n; }; done; test ! -e /dev/net/tun || chmod 666 /dev/net/tun"),
		daemon("virtlogd", s, "/run/libvirt/virtlogd-sock", "/usr/sbin/virtlogd"),
		daemon("libvirtd", s, LibvirtSocket, "/usr/sbin/libvirtd"),
	}
	if !s.emulated() {
		return nil
	}
	spec.HoldKVM = true
	return []string{heldKVM}
}

func daemon(name string, s Settings, socket string, argv ...string) agent.Service {
	return agent.Service{Name: name, Argv: argv, Wait: socket, Within: s.Limit(serviceWait)}
}

// composeBundle makes an emulator of another release the host's emulator: it
// runs in a mount namespace in which its own /usr is bound over /usr.
func composeBundle(spec *agent.Spec) []string {
	spec.Images = append(spec.Images, agent.Mount{Serial: serialQEMU, Path: BundleDir})
	// Copies, not links: the launcher goes by the name it is called by, and
	// libvirt may follow a link before it calls.
	for _, name := range []string{"qemu-system-x86_64", "qemu-system-i386", "qemu-img", "qemu-io", "qemu-nbd"} {
		spec.Files = append(spec.Files, agent.File{Path: "/usr/bin/" + name, From: launcher, Mode: 0o755})
	}
	spec.Files = append(spec.Files,
		// The launcher needs CAP_SYS_ADMIN and a view of the bundle, which
		// libvirt's confinement of the emulator takes away.
		agent.File{Path: qemuConf, Mode: 0o600, Content: `user = "root"
group = "root"
namespaces = []
clear_emulator_capabilities = 0
security_driver = "none"
`})
	return []string{"bundled qemu: libvirt runs it as root, without mount namespace, capability dropping and security driver"}
}

// composeXen starts the toolstack as the release's init scripts do
// (/etc/init.d/xen): store, dom0's own entry, consoles, then libvirt.
func composeXen(spec *agent.Spec, s Settings) []string {
	spec.Modprobe = []string{"xen-evtchn", "xen-gntdev", "xen-gntalloc", "xenfs", "xen-privcmd", "xen-blkback", "xen-netback", "tun"}
	spec.Services = []agent.Service{
		{Name: "xenfs", Once: true, Argv: []string{"/bin/mount", "-t", "xenfs", "xenfs", "/proc/xen"}},
		ownStep("xen-dirs", "mkdir -p /run/xen /run/xenstored /var/lib/xen /var/log/xen/console"),
		// The toolstack's programs live in a folder named after its version.
		daemonShell("xenstored", s, "/run/xenstored/socket", "exec $(echo /usr/lib/xen-4.*/bin/xenstored | cut -d' ' -f1) --no-fork --pid-file=/run/xen/xenstored.pid"),
		shell("xen-init-dom0", "exec $(echo /usr/lib/xen-4.*/bin/xen-init-dom0 | cut -d' ' -f1)"),
		{Name: "xenconsoled", Argv: []string{"/bin/sh", "-c", "exec $(ls -d /usr/lib/xen-4.*/bin/xenconsoled /usr/sbin/xenconsoled 2>/dev/null | head -n1) -i --log=guest --log-dir=/var/log/xen/console"}},
		daemon("virtlogd", s, "/run/libvirt/virtlogd-sock", "/usr/sbin/virtlogd"),
		daemon("libvirtd", s, LibvirtSocket, "/usr/sbin/libvirtd"),
	}
	if !s.emulated() {
		return nil
	}
	// Under Xen on TCG the processor lacks vme, which every model of libvirt's
	// CPU map has, and the libxl driver refuses to start without a model.
	spec.Services = append([]agent.Service{ownStep("cpu-map-quirk",
		`sed -i "/name='vme'/d" /usr/share/libvirt/cpu_map/x86_486.xml`)}, spec.Services...)
	return []string{"xen on tcg: libvirt's 486 CPU model without vme, which the emulated processor lacks under Xen"}
}

func shell(name, script string) agent.Service {
	return agent.Service{Name: name, Once: true, Argv: []string{"/bin/sh", "-ec", script}}
}

// ownStep is a command of the harness, which prepares what a distribution's boot
// does.
func ownStep(name, script string) agent.Service {
	s := shell(name, script)
	s.Own = true
	return s
}

func daemonShell(name string, s Settings, socket, script string) agent.Service {
	return daemon(name, s, socket, "/bin/sh", "-c", script)
}
