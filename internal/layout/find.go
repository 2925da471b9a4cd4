package layout

import (
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/virtmatrix/virtmatrix/matrix"
)

// The places that are looked at. Folders of programs are in the order of a PATH.
var (
	programDirs   = []string{"/usr/sbin", "/usr/bin"}
	toolstackDirs = []string{"/usr/lib/xen*/bin", "/usr/libexec/xen*/bin", "/usr/lib64/xen*/bin"}
	// elsewhere are programs whose places are not those of others: RHEL's emulator
	// is not for users to call.
	elsewhere = map[string][]string{Emulator: {"/usr/bin/" + Emulator, "/usr/libexec/qemu-kvm", "/usr/bin/qemu-kvm"}}
	profiles  = []string{"/etc/apparmor.d/usr.lib.libvirt.*", "/etc/apparmor.d/usr.sbin.libvirtd", "/etc/apparmor.d/usr.sbin.virt*"}
)

const (
	// loader is where the ABI of x86-64 has it, whatever it is a link to.
	loader = "/lib64/ld-linux-x86-64.so.2"
	// descriptors is where QEMU's packages describe firmware.
	descriptors = "/usr/share/qemu/firmware"
	units       = "/usr/lib/systemd/system"
	config      = "/etc/libvirt"
)

// Candidates are the paths that a program may have, the likeliest first.
func Candidates(name string) []string {
	if paths := elsewhere[name]; paths != nil {
		return paths
	}
	var paths []string
	for _, dir := range programDirs {
		paths = append(paths, dir+"/"+name)
	}
	return paths
}

// Find looks into a root. What is not there is no error: whoever asks for it says
// so.
func Find(image string, t Tree) (Manifest, error) {
	f := finder{Tree: t}
	m := Manifest{
		Image: image, Vendor: f.vendor(), Programs: f.programs(), Toolstack: f.toolstack(),
		Loader:        f.real(loader),
		LibvirtConfig: f.folderOf(config + "/libvirt.conf"), CPUMap: f.folderOf("/usr/share/libvirt/cpu_map/index.xml"),
		Daemons: f.daemons(), Firmware: f.firmware(), Accounts: f.accounts(),
	}
	for _, pattern := range profiles {
		m.Profiles = append(m.Profiles, f.glob(pattern)...)
	}
	// The folder itself comes with a kernel.
	if lib := f.real("/lib"); lib != "" {
		m.KernelModules = lib + "/modules"
	}
	if m.Loader != "" {
		m.QEMUModules = f.there(path.Dir(m.Loader) + "/qemu")
	}
	if f.err != nil {
		return Manifest{}, fmt.Errorf("cannot find the layout of image %s: %w", image, f.err)
	}
	return m, nil
}

// finder looks into a tree until something cannot be read.
type finder struct {
	Tree
	err error
}

// text is a file's content, empty when there is none.
func (f *finder) text(name string) []byte {
	name = f.real(name)
	if name == "" || f.err != nil {
		return nil
	}
	var b []byte
	b, f.err = f.Read(name)
	return b
}

// folderOf is the folder of a file that is there.
func (f *finder) folderOf(file string) string {
	if f.real(file) == "" {
		return ""
	}
	return path.Dir(file)
}

func (f *finder) first(paths []string) string {
	i := slices.IndexFunc(paths, func(p string) bool { return f.real(p) != "" })
	if i < 0 {
		return ""
	}
	return paths[i]
}

var assignment = regexp.MustCompile(`(?m)^([A-Z_]+)=["']?([^"'\n]*)`)

func (f *finder) vendor() (v Vendor) {
	for _, pair := range assignment.FindAllSubmatch(f.text("/etc/os-release"), -1) {
		switch value := string(pair[2]); string(pair[1]) {
		case "ID":
			v.ID = value
		case "VERSION_ID":
			v.VersionID = value
		case "NAME":
			v.Name = value
		}
	}
	return v
}

func (f *finder) programs() map[string]string {
	found := map[string]string{}
	for _, name := range slices.Concat(QEMUPrograms, []string{Virsh, VirtAdmin, XL, AppArmorParser}) {
		found[name] = f.first(Candidates(name))
	}
	// A wrapper in PATH may be of whichever toolstack is chosen at run time.
	for _, name := range []string{XenStored, XenInitDom0, XenConsoled} {
		found[name] = f.first(append([]string{f.toolstack() + "/" + name}, Candidates(name)...))
	}
	for name, path := range found {
		if path == "" {
			delete(found, name)
		}
	}
	return found
}

func (f *finder) toolstack() string {
	for _, dir := range toolstackDirs {
		if found := f.glob(dir + "/" + XenInitDom0); len(found) > 0 {
			return path.Dir(found[0])
		}
	}
	return ""
}

func (f *finder) daemons() (found []Daemon) {
	for _, name := range slices.Concat([]string{monolithic, drivers[matrix.KVM], drivers[matrix.Xen]}, helpers, secondary) {
		at := f.first(Candidates(name))
		if at == "" {
			continue
		}
		d := Daemon{Name: name, Path: at, Config: config + "/" + name + ".conf"}
		d.Socket = f.listens(name+".socket", socketName(name)+"-sock")
		d.Admin = f.listens(name+"-admin.socket", socketName(name)+"-admin-sock")
		if !slices.Contains(helpers, name) {
			d.ReadOnly = f.listens(name+"-ro.socket", socketName(name)+"-sock-ro")
		}
		found = append(found, d)
	}
	return found
}

// socketName begins the names of a daemon's sockets. The two daemons that all clients
// may call have those of old (src/remote/remote_sockets.h).
func socketName(daemon string) string {
	if daemon == monolithic || daemon == proxy {
		return "libvirt"
	}
	return daemon
}

var listenStream = regexp.MustCompile(`(?m)^ListenStream=(/\S+)`)

// listens is the socket that a unit has systemd listen on. A daemon that no unit
// starts makes its own by that rule in the folder that all have.
func (f *finder) listens(unit, name string) string {
	if at := listenStream.FindSubmatch(f.text(units + "/" + unit)); at != nil {
		return string(at[1])
	}
	return "/run/libvirt/" + name
}

// descriptor is what counts here of a firmware descriptor.
type descriptor struct {
	Interfaces []string `json:"interface-types"`
	Mapping    struct {
		Device     string
		Executable struct{ Filename, Format string }
		Template   struct{ Filename string } `json:"nvram-template"`
	}
	Targets  []struct{ Architecture string }
	Features []string
}

func (f *finder) firmware() (found []Firmware) {
	for _, file := range f.glob(descriptors + "/*.json") {
		var d descriptor
		if err := json.Unmarshal(f.text(file), &d); err != nil && f.err == nil {
			f.err = fmt.Errorf("%s: %w", file, err)
		}
		if d.Mapping.Device != "flash" || !slices.Contains(d.Interfaces, "uefi") {
			continue
		}
		code, vars := f.there(d.Mapping.Executable.Filename), f.there(d.Mapping.Template.Filename)
		for _, target := range d.Targets {
			if target.Architecture == "x86_64" && code != "" && vars != "" {
				found = append(found, Firmware{file, code, vars, d.Mapping.Executable.Format, d.Features})
			}
		}
	}
	return found
}

// emulatorAccounts are what distributions call the user and the group that libvirt
// runs emulators as. Its own configuration does not always say: the comments of 7.0
// name root.
var emulatorAccounts = []string{"libvirt-qemu", "qemu"}

func (f *finder) accounts() Accounts {
	return Accounts{
		EmulatorUser:  f.account("/etc/passwd", emulatorAccounts...),
		EmulatorGroup: f.account("/etc/group", emulatorAccounts...),
		SocketGroup:   f.account("/etc/group", "libvirt"),
	}
}

// account is the first of the names that a file of accounts has.
func (f *finder) account(file string, names ...string) string {
	text := "\n" + string(f.text(file))
	i := slices.IndexFunc(names, func(name string) bool { return strings.Contains(text, "\n"+name+":") })
	if i < 0 {
		return ""
	}
	return names[i]
}
