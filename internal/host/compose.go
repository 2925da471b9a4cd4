package host

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/internal/agent/bundle"
	"github.com/virtmatrix/virtmatrix/internal/layout"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// Places in L1 that the harness puts things at.
const (
	// GuestKernel and GuestInitrd are what L2 boots.
	GuestKernel = "/virtmatrix/l2/vmlinuz"
	GuestInitrd = "/virtmatrix/l2/initrd"
	// ToolsDir holds the programs of the checks.
	ToolsDir = "/virtmatrix/bin"
	// PackagesDir holds the packages that a host can move to.
	PackagesDir = "/virtmatrix/packages"
	// MachineDir holds the image that guests boot whole.
	MachineDir = "/virtmatrix/machine"
	// ScratchDir is on a real file system: guests' disks belong there.
	ScratchDir = "/var/lib/libvirt/images"
	// BundleDir is where a bundled emulator's /usr is mounted, launcher what the
	// initramfs holds to start its programs.
	BundleDir = bundle.Usr
	launcher  = "/launch"
)

// qemuConf is what libvirt reads of how to run emulators.
func qemuConf(m layout.Manifest) string { return m.LibvirtConfig + "/qemu.conf" }

// The serials that tell L1's disks apart.
const (
	serialRoot     = "root"
	serialModules  = "modules"
	serialQEMU     = "qemu"
	serialScratch  = "scratch"
	serialPackages = "packages"
)

// The kernel of a machine calls crashNoter for each program that a signal ends which dumps
// a core, segmentation faults and failed assertions above all (core(5)), and it adds a
// line to CrashLog. A container has L0's kernel, which is not ours to set.
const (
	CrashLog    = "/var/log/virtmatrix-crashes"
	CrashedBy   = "was ended by signal"
	corePattern = "core-pattern"
	crashNoter  = "/virtmatrix/crashed"
	crashNote   = "#!/bin/sh\necho \"$3 (process $1) " + CrashedBy + " $2\" >>" + CrashLog + "\n"
)

// serviceWait is how long one daemon may take until its socket is there.
const serviceWait = 2 * time.Minute

// compose says what the agent does to make the host. quirks are the declared
// adaptations of the product to how it is run here, for the record.
func compose(p Parts, s Settings) (spec agent.Spec, quirks []string, err error) {
	if err := p.complete(); err != nil {
		return spec, nil, err
	}
	spec = agent.Spec{
		// The agent tells what is missing before it looks hung.
		Patience: s.stall() / 2,
		Root:     serialRoot,
		Images:   []agent.Mount{{Serial: serialModules, Path: p.Layout.KernelModules}},
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
	spec.Files = append(spec.Files, agent.File{Path: crashNoter, Mode: 0o755, Content: crashNote})
	composeKind := composeKVM
	if s.Kind == matrix.Xen {
		composeKind = composeXen
	}
	more, err := composeKind(&spec, p.Layout, s)
	if err != nil {
		return spec, nil, err
	}
	if p.QEMU != "" {
		quirk, err := composeBundle(&spec, p)
		if err != nil {
			return spec, nil, err
		}
		quirks = append(quirks, quirk)
	}
	if p.Packages != "" {
		spec.Images = append(spec.Images, agent.Mount{Serial: serialPackages, Path: PackagesDir})
	}
	if err := composePeers(&spec, p.Layout, s); err != nil {
		return spec, nil, err
	}
	spec.Services = append([]agent.Service{ownStep(corePattern, "echo '|"+crashNoter+" %p %s %e' >/proc/sys/kernel/core_pattern")}, spec.Services...)
	if quirks = append(quirks, more...); s.emulated() {
		quirks = append(quirks, kicked)
	}
	return spec, quirks, applySettings(&spec, p, s.Axes)
}

// complete says what the root lacks that any host needs.
func (p Parts) complete() error {
	switch m := p.Layout; {
	case m.KernelModules == "":
		return &layout.MissingError{Image: m.Image, Item: "folder for modules (/lib)"}
	case m.LibvirtConfig == "":
		return &layout.MissingError{Image: m.Image, Item: "folder of libvirt's configuration"}
	}
	return nil
}

func toolPath(name string) string { return ToolsDir + "/" + name }

func bootModule(file string) string { return "/modules/" + filepath.Base(file) }

// heldKVM is the quirk of hosts whose processors are emulated. As its first guest
// comes and its last one goes, KVM patches a branch of the scheduler
// (preempt_notifier_key), which all processors run all the time. QEMU 7.2's TCG may go
// on with the translation of what was there in between, a breakpoint: then L1
// stands still without a word. A loop that made and dropped guests hung within 200 of
// them, and beside a guest that is held not in 700, four times as fast. The same is true
// of a branch that each processor of a guest takes before it runs (apic_sw_disabled), which
// KVM patches as the first local APIC is made and as the last one is enabled: two guests that
// came up at once ended in an oops of int3 in apic_has_pending_timer. The guest that is held
// has a processor whose APIC stays disabled.
const heldKVM = "kvm on tcg: a guest whose processor never runs is held, so that KVM does not patch its code and the scheduler's as others come and go, which the emulator can miss"

// composeKVM starts what a distribution starts for KVM and libvirt.
func composeKVM(spec *agent.Spec, m layout.Manifest, s Settings) (quirks []string, err error) {
	libvirt, err := daemons(m, s)
	if err != nil {
		return nil, err
	}
	// Both are asked for: the one that fits the processor stays.
	spec.Modprobe = []string{"kvm_amd", "kvm_intel", "tun", "vhost_net"}
	spec.Services = append([]agent.Service{
		// What udev's rules do (50-udev-default.rules); no udev runs here. And what tells libvirt up to
		// 7.x of mounts, which systemd makes (tmpfiles.d/debian.conf).
		ownStep("dev-nodes", "test -e /etc/mtab || ln -s ../proc/self/mounts /etc/mtab; for n in kvm vhost-net; do test ! -e /dev/$n || { chown root:kvm /dev/$n; chmod 660 /dev/$n; }; done; test ! -e /dev/net/tun || chmod 666 /dev/net/tun"),
	}, libvirt...)
	if !s.emulated() {
		return nil, nil
	}
	spec.HoldKVM = true
	return []string{heldKVM}, nil
}

// daemons starts those of libvirt, each once the sockets of those before are there.
func daemons(m layout.Manifest, s Settings) (services []agent.Service, err error) {
	start, err := m.Start(s.Kind)
	for _, d := range start {
		services = append(services, daemon(d.Name, s, d.Socket, d.Path))
	}
	return services, err
}

func daemon(name string, s Settings, socket string, argv ...string) agent.Service {
	return agent.Service{Name: name, Argv: argv, Wait: socket, Within: s.Limit(serviceWait)}
}

// composeBundle makes an emulator of another release the host's emulator: it
// runs in a mount namespace in which its own /usr is bound over /usr.
func composeBundle(spec *agent.Spec, p Parts) (quirk string, err error) {
	found, err := p.Found()
	if err != nil {
		return "", err
	}
	told := bundle.Bundle{Programs: map[string]string{}, Loader: p.Bundle.Loader, Modules: p.Bundle.QEMUModules}
	spec.Images = append(spec.Images, agent.Mount{Serial: serialQEMU, Path: BundleDir})
	// Copies, not links: the launcher goes by the name it is called by, and
	// libvirt may follow a link before it calls.
	for _, name := range layout.QEMUPrograms {
		if theirs, err := p.Bundle.Program(name); err == nil {
			told.Programs[path.Base(found.Programs[name])] = theirs
			spec.Files = append(spec.Files, agent.File{Path: found.Programs[name], From: launcher, Mode: 0o755})
		}
	}
	text, err := json.Marshal(told)
	if err != nil {
		return "", err
	}
	spec.Files = append(spec.Files, agent.File{Path: bundle.Path, Content: string(text)},
		// The launcher needs CAP_SYS_ADMIN and a view of the bundle, which
		// libvirt's confinement of the emulator takes away.
		agent.File{Path: qemuConf(p.Layout), Mode: 0o600, Content: `user = "root"
group = "root"
namespaces = []
clear_emulator_capabilities = 0
security_driver = "none"
`})
	spec.Services = append([]agent.Service{bundledFirmware(p.Bundle)}, spec.Services...)
	return "bundled qemu: libvirt runs it as root, without mount namespace, capability dropping and security driver", nil
}

// bundledFirmware shows libvirt the firmware of the bundle, and its descriptors, in
// place of the root's: libvirt reads these, copies a guest's variables from there, and
// names the rest to an emulator that sees the bundle's alone.
func bundledFirmware(m layout.Manifest) agent.Service {
	var script strings.Builder
	for _, folder := range m.FirmwareFolders() {
		theirs := bundle.Inside(folder)
		fmt.Fprintf(&script, "test ! -d %s || { mkdir -p %s; mount --bind %[1]s %[2]s; }\n", theirs, folder)
	}
	return ownStep("bundled-firmware", script.String())
}

// composeXen starts the toolstack as the release's init scripts do
// (/etc/init.d/xen): store, dom0's own entry, consoles, then libvirt.
func composeXen(spec *agent.Spec, m layout.Manifest, s Settings) (quirks []string, err error) {
	libvirt, err := daemons(m, s)
	if err != nil {
		return nil, err
	}
	program := map[string]string{}
	for _, name := range []string{layout.XenStored, layout.XenInitDom0, layout.XenConsoled} {
		if program[name], err = m.Program(name); err != nil {
			return nil, err
		}
	}
	spec.Modprobe = []string{"xen-evtchn", "xen-gntdev", "xen-gntalloc", "xenfs", "xen-privcmd", "xen-blkback", "xen-netback", "tun"}
	spec.Services = append([]agent.Service{
		{Name: "xenfs", Once: true, Argv: []string{"/bin/mount", "-t", "xenfs", "xenfs", "/proc/xen"}},
		ownStep("xen-dirs", "mkdir -p /run/xen /run/xenstored /var/lib/xen /var/log/xen/console"),
		daemon("xenstored", s, "/run/xenstored/socket", program[layout.XenStored], "--no-fork", "--pid-file=/run/xen/xenstored.pid"),
		{Name: "xen-init-dom0", Once: true, Argv: []string{program[layout.XenInitDom0]}},
		{Name: "xenconsoled", Argv: []string{program[layout.XenConsoled], "-i", "--log=guest", "--log-dir=/var/log/xen/console"}},
	}, libvirt...)
	if !s.emulated() {
		return nil, nil
	}
	if m.CPUMap == "" {
		return nil, &layout.MissingError{Image: m.Image, Item: "CPU map of libvirt"}
	}
	spec.Services = append([]agent.Service{ownStep("cpu-map-quirk", ReduceCPUMap(m))}, spec.Services...)
	return []string{"xen on tcg: libvirt's 486 CPU model without vme, which the emulated processor lacks under Xen"}, nil
}

// ReduceCPUMap is the command that fits libvirt's CPU map to a processor that Xen on TCG has:
// it lacks vme, which every model there has, and the libxl driver refuses to start without a
// model. Packages that come later bring the map anew.
func ReduceCPUMap(m layout.Manifest) string {
	return `sed -i "/name='vme'/d" ` + m.CPUMap + `/x86_486.xml`
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
