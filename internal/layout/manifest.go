// Package layout knows where a root file system has what hosts are made of: it looks
// into the root once, and what it found is the image's manifest. What distributions
// differ in is in there, and nobody else knows where one of them puts things.
package layout

import (
	"fmt"
	"maps"
	"path"
	"slices"

	"github.com/virtmatrix/virtmatrix/matrix"
)

// Version is that of a manifest's format and of what is looked for. Raise it when
// either changes: manifests are found anew then, and no image is built again.
const Version = 2

// The programs that a manifest may have, by the names that their projects call them.
const (
	Emulator       = "qemu-system-x86_64"
	QEMUImg        = "qemu-img"
	Virsh          = "virsh"
	VirtAdmin      = "virt-admin"
	XL             = "xl"
	XenStored      = "xenstored"
	XenInitDom0    = "xen-init-dom0"
	XenConsoled    = "xenconsoled"
	AppArmorParser = "apparmor_parser"
)

// QEMUPrograms are those that a bundle of QEMU has in place of the userland's own.
var QEMUPrograms = []string{Emulator, "qemu-system-i386", QEMUImg, "qemu-io", "qemu-nbd"}

// Manifest says where the root of an image has its things. Paths are those that a
// process in that root opens; what is not there is empty.
type Manifest struct {
	// Image is the image's name in the store.
	Image  string `json:"image"`
	Vendor Vendor `json:"vendor"`
	// Programs are paths by name.
	Programs map[string]string `json:"programs,omitempty"`
	// Loader is the dynamic loader of programs, in the folder of the libraries that it
	// loads. QEMUModules is where those of the emulator are.
	Loader      string `json:"loader,omitempty"`
	QEMUModules string `json:"qemu_modules,omitempty"`
	// KernelModules is where modprobe looks for the folder of a kernel.
	KernelModules string `json:"kernel_modules,omitempty"`
	// LibvirtConfig is the folder of libvirt's configuration, CPUMap that of its CPU
	// models.
	LibvirtConfig string   `json:"libvirt_config,omitempty"`
	CPUMap        string   `json:"cpu_map,omitempty"`
	Daemons       []Daemon `json:"daemons,omitempty"`
	// Toolstack is the folder of the programs that Xen's own daemons call.
	Toolstack string `json:"toolstack,omitempty"`
	// Firmware is in the order of preference of its descriptors.
	Firmware []Firmware `json:"firmware,omitempty"`
	// Profiles are the files of libvirt's AppArmor profiles.
	Profiles []string `json:"profiles,omitempty"`
	// Accounts are what libvirt runs emulators as, and who may use its socket.
	Accounts Accounts `json:"accounts"`
}

// Vendor is whose root it is, as os-release(5) says.
type Vendor struct {
	ID        string `json:"id,omitempty"`
	VersionID string `json:"version_id,omitempty"`
	Name      string `json:"name,omitempty"`
}

// Daemon is a daemon of libvirt.
type Daemon struct {
	Name string `json:"name"`
	Path string `json:"path"`
	// Socket is the one to manage by, ReadOnly the one to look by, Admin that of
	// virt-admin. Not every daemon has the second.
	Socket   string `json:"socket"`
	ReadOnly string `json:"read_only,omitempty"`
	Admin    string `json:"admin,omitempty"`
	// Config is where it reads its configuration, which need not be there.
	Config string `json:"config"`
}

// Firmware is UEFI firmware for x86-64 in flash memory, as one of QEMU's firmware
// descriptors says (docs/interop/firmware.json).
type Firmware struct {
	Descriptor string `json:"descriptor"`
	// Code is what guests run, Vars the template of their variables.
	Code   string `json:"code"`
	Vars   string `json:"vars"`
	Format string `json:"format"`
	// Features are what the descriptor says of it.
	Features []string `json:"features,omitempty"`
}

// Accounts are names of users and groups.
type Accounts struct {
	EmulatorUser  string `json:"emulator_user,omitempty"`
	EmulatorGroup string `json:"emulator_group,omitempty"`
	SocketGroup   string `json:"socket_group,omitempty"`
}

// MissingError says what an image lacks.
type MissingError struct{ Image, Item string }

// Error names the item, the image and where to mend it.
func (e *MissingError) Error() string {
	return fmt.Sprintf("image %s has no %s; add its package to the recipe of the image (fixtures/recipes.yaml), or the place where its release has it to internal/layout", e.Image, e.Item)
}

func (m Manifest) missing(item string) error { return &MissingError{m.Image, item} }

// Program returns where a program is.
func (m Manifest) Program(name string) (string, error) {
	if path := m.Programs[name]; path != "" {
		return path, nil
	}
	return "", m.missing("program " + name)
}

// Daemon returns a daemon of libvirt by its name.
func (m Manifest) Daemon(name string) (Daemon, error) {
	for _, d := range m.Daemons {
		if d.Name == name {
			return d, nil
		}
	}
	return Daemon{}, m.missing("daemon " + name)
}

// monolithic is the daemon that has all of libvirt's drivers.
const monolithic = "libvirtd"

// proxy is the daemon that speaks for those of drivers to clients which know of none.
const proxy = "virtproxyd"

// drivers are the daemons that each have the driver of one hypervisor.
var drivers = map[matrix.Kind]string{matrix.KVM: "virtqemud", matrix.Xen: "virtxend"}

// Manager returns the daemon that manages guests of the kind. Where a driver has a
// daemon of its own it is that: the monolithic one may be there for old clients.
func (m Manifest) Manager(kind matrix.Kind) (Daemon, error) {
	if d, err := m.Daemon(drivers[kind]); err == nil {
		return d, nil
	}
	d, err := m.Daemon(monolithic)
	if err != nil {
		return d, m.missing("daemon " + monolithic + " or " + drivers[kind])
	}
	return d, nil
}

// ListenOptions are the options with which the daemon takes connections from other machines
// as its configuration says. The proxy has none, and ends with a usage where it is given
// one (daemonSetupNetworking, src/remote/remote_daemon.c of libvirt).
func (d Daemon) ListenOptions() []string {
	if d.Name == monolithic {
		return []string{"--listen"}
	}
	return nil
}

// Listener returns the daemon that takes connections from other machines. Where
// drivers have daemons of their own, one speaks for all of them: no other has listen_tcp
// in its configuration (libvirt's docs/manpages/virtproxyd.rst).
func (m Manifest) Listener(kind matrix.Kind) (Daemon, error) {
	if d, err := m.Manager(kind); err != nil || d.Name == monolithic {
		return d, err
	}
	return m.Daemon(proxy)
}

// helpers are the daemons that others call and no client does.
var helpers = []string{"virtlogd", "virtlockd"}

// secondary are the daemons that the one of a hypervisor calls, and the proxy
// (libvirt's docs/daemons.rst).
var secondary = []string{
	"virtnetworkd", "virtnodedevd", "virtnwfilterd", "virtsecretd", "virtstoraged", "virtinterfaced", proxy,
}

// Drivers lists the daemons that have libvirt's drivers, and the proxy, in the order to
// start them. The manager is the last, and the only one where it has all drivers.
func (m Manifest) Drivers(kind matrix.Kind) (all []Daemon, err error) {
	manager, err := m.Manager(kind)
	if err != nil {
		return nil, err
	}
	if manager.Name != monolithic {
		for _, name := range secondary {
			if d, err := m.Daemon(name); err == nil {
				all = append(all, d)
			}
		}
	}
	return append(all, manager), nil
}

// Driver returns the daemon that has a driver of the name: "network" is virtnetworkd's
// where drivers have daemons of their own.
func (m Manifest) Driver(kind matrix.Kind, name string) (Daemon, error) {
	if d, err := m.Manager(kind); err != nil || d.Name == monolithic {
		return d, err
	}
	return m.Daemon("virt" + name + "d")
}

// Start lists the daemons that make the kind's guests manageable, in the order to
// start them, without an init system that starts one when it is called.
func (m Manifest) Start(kind matrix.Kind) ([]Daemon, error) {
	drivers, err := m.Drivers(kind)
	if err != nil {
		return nil, err
	}
	log, err := m.Daemon("virtlogd")
	if err != nil {
		return nil, err
	}
	return append([]Daemon{log}, drivers...), nil
}

// UEFI returns the firmware of guests that have UEFI: the first that needs no SMM and
// enforces no Secure Boot, which would refuse the guests' kernel.
func (m Manifest) UEFI() (Firmware, error) {
	for _, f := range m.Firmware {
		if f.Format == "raw" && !slices.Contains(f.Features, "secure-boot") && !slices.Contains(f.Features, "requires-smm") {
			return f, nil
		}
	}
	return Firmware{}, m.missing("UEFI firmware without Secure Boot among the descriptors in " + descriptors)
}

// AppArmor returns the files of libvirt's profiles: that of its daemon, and that of
// the helper which writes one for each guest.
func (m Manifest) AppArmor() ([]string, error) {
	if len(m.Profiles) < 2 {
		return nil, m.missing("AppArmor profiles of libvirt")
	}
	return m.Profiles, nil
}

// WithBundle returns the manifest of a host whose QEMU is that of a bundle. Its
// programs are called where the userland has them, or else where the bundle does; its
// firmware is the host's.
func (m Manifest) WithBundle(bundle Manifest) (Manifest, error) {
	if _, err := bundle.Program(Emulator); err != nil {
		return m, err
	}
	own := m.Programs
	m.Programs, m.QEMUModules, m.Firmware = maps.Clone(bundle.Programs), bundle.QEMUModules, bundle.Firmware
	maps.Copy(m.Programs, own)
	return m, nil
}

// FirmwareFolders are those of the firmware of guests and of its descriptors.
func (m Manifest) FirmwareFolders() []string {
	folders := []string{descriptors}
	for _, f := range m.Firmware {
		folders = append(folders, path.Dir(f.Code), path.Dir(f.Vars))
	}
	slices.Sort(folders)
	return slices.Compact(folders)
}
