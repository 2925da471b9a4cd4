package capture

import (
	"slices"
	"strings"

	"github.com/virtmatrix/virtmatrix/matrix"
)

// Kind is a kind of facts about a component.
type Kind struct {
	// Name is how sets are called, Title what is in them.
	Name, Title string
	Component   matrix.Component
	// Means says whom a finding hits.
	Means string
	// nouns are what the names on a path are, by depth; the last stands for all deeper.
	nouns []string
	// breaks are the changes that are findings.
	breaks []ChangeOf
	// byOwner gathers what changed by what it belongs to, and not by its name.
	byOwner bool
	// broken says of such a change that it breaks something; nil says so of each.
	broken func(c *comparison, change ChangeOf, path string, was, is Fact) bool
}

// gone is what breaks users of most kinds: what they name is not there.
var gone = []ChangeOf{Removed}

// kinds is the table of all kinds. It is never changed.
var kinds = []Kind{
	{Name: "qmp", Title: "QMP commands, their arguments and results, and events", Component: matrix.QEMU,
		Means: "libvirt and other QMP clients that send the command or argument are refused, or wait for an event or member that never comes", nouns: []string{"command or event"}, breaks: []ChangeOf{Removed, Required}},
	{Name: "options", Title: "command line options and their parameters", Component: matrix.QEMU,
		Means: "command lines and -readconfig files that have the option no longer start, and what probes for it believes that the feature is gone", nouns: []string{"option", "parameter"}, breaks: gone},
	{Name: "machines", Title: "machine types, their aliases and what they pin", Component: matrix.QEMU,
		Means: "guests defined with the machine type do not start and cannot be migrated to the new version, or see other hardware than before", nouns: []string{"machine type", "pinned property"}, breaks: []ChangeOf{Removed, Changed}, broken: pinned},
	{Name: "devices", Title: "devices and their properties", Component: matrix.QEMU,
		Means: "guests with the device, or libvirt when it sets the property, are refused", nouns: []string{"device", "property", "default"}, breaks: gone},
	{Name: "objects", Title: "objects (-object) and machine properties (-machine)", Component: matrix.QEMU,
		Means: "command lines that make the object or set the property are refused", nouns: []string{"object", "property"}, breaks: gone},
	{Name: "cpus", Title: "CPU models and what they expand to", Component: matrix.QEMU,
		Means: "guests with the model do not start, or get another processor than the one they were started with", nouns: []string{"model", "feature"}, breaks: []ChangeOf{Removed, Changed}, broken: pinned},
	{Name: "vmstate", Title: "the state that is migrated, by device", Component: matrix.QEMU,
		Means: "a guest that is saved or migrated by the old version is refused by the new one", nouns: []string{"device", "part"}, breaks: []ChangeOf{Removed, Changed}, broken: staleState},
	{Name: "formats", Title: "formats and protocols of qemu-img, and its commands", Component: matrix.QEMU,
		Means: "images of the format, or scripts that use the command, cannot be used", nouns: []string{"list", "entry"}, breaks: gone},

	{Name: "virsh", Title: "commands and options of virsh, virt-admin and other tools", Component: matrix.Libvirt,
		Means: "scripts that use the command or option fail", nouns: []string{"tool", "command", "option"}, breaks: []ChangeOf{Removed, Required}},
	{Name: "symbols", Title: "exported symbols of the libraries", Component: matrix.Libvirt,
		Means: "programs linked to the library do not start", nouns: []string{"library", "symbol"}, breaks: gone},
	{Name: "capabilities", Title: "capabilities of the driver, but for the host's", Component: matrix.Libvirt,
		Means: "management that chooses by capabilities finds less", nouns: []string{"capability"}, breaks: gone, broken: offered},
	{Name: "domcaps", Title: "domain capabilities", Component: matrix.Libvirt,
		Means: "management that chooses by domain capabilities no longer offers the feature", nouns: []string{"machine type", "capability"}, breaks: gone, broken: offered},
	{Name: "schemas", Title: "elements, attributes and values of the XML schemas", Component: matrix.Libvirt,
		Means: "XML that was valid is refused, or what it says is dropped in silence", nouns: []string{"schema", "element"}, breaks: gone},
	{Name: "config", Title: "keys of the default configuration and their defaults", Component: matrix.Libvirt,
		Means: "a configured daemon refuses its file", nouns: []string{"file", "key"}, breaks: gone},
	{Name: "units", Title: "units and sockets of systemd", Component: matrix.Libvirt,
		Means: "an upgrade leaves a daemon stopped, masked or with other dependencies", nouns: []string{"unit", "setting"}, breaks: gone, broken: outermost},
	{Name: "polkit", Title: "polkit actions and their defaults", Component: matrix.Libvirt,
		Means: "rules of administrators no longer apply, or access changes", nouns: []string{"action", "default"}, breaks: []ChangeOf{Removed, Changed}},
	{Name: "nwfilters", Title: "shipped network filters", Component: matrix.Libvirt,
		Means: "guests whose interface names the filter do not start, or other packets pass", nouns: []string{"filter", "rule"}, breaks: gone},
	{Name: "cpumap", Title: "CPU models of libvirt and their features", Component: matrix.Libvirt,
		Means: "guests with the model do not start, or are refused by migration", nouns: []string{"model", "feature"}, breaks: gone},
	{Name: "hooks", Title: "hooks of administrators and the operations they are called for", Component: matrix.Libvirt,
		Means: "scripts in /etc/libvirt/hooks are not called any more for the operation", nouns: []string{"hook", "operation"}, breaks: gone},
	{Name: "files", Title: "installed files with modes, owners and capabilities", Component: matrix.Libvirt,
		Means: "what calls or reads the file fails; a mode or owner is a matter of access", nouns: []string{"file"}, byOwner: true, breaks: []ChangeOf{Removed, Changed}, broken: reached},

	{Name: "kconfig", Title: "kernel configuration", Component: matrix.Linux,
		Means: "a feature of the host or of guests is not compiled in, or is a module that nothing loads", nouns: []string{"symbol"}, breaks: []ChangeOf{Changed}, broken: lessBuilt},
	{Name: "modules", Title: "modules for virtualization and their parameters", Component: matrix.Linux,
		Means: "modprobe fails, or configuration in /etc/modprobe.d is ignored", nouns: []string{"module", "parameter"}, breaks: gone},
	{Name: "payload", Title: "how the kernel is loaded and packed, and the notes within that Xen and direct boot go by", Component: matrix.Linux,
		Means: "loaders that unpack the kernel themselves (Xen's for PV guests, kexec), or enter it in another way than through its own code, cannot start it", nouns: []string{"fact", "entry"}, breaks: []ChangeOf{Removed, Changed}, broken: unloadable},

	{Name: "xl", Title: "commands and options of xl and the toolstack", Component: matrix.XenHyp,
		Means: "scripts that use the command or option fail", nouns: []string{"tool", "command", "option"}, breaks: gone},
	{Name: "xenlibs", Title: "libraries of Xen: names and symbols", Component: matrix.XenHyp,
		Means: "libvirt's driver and other programs linked to the library do not start", nouns: []string{"library", "symbol"}, breaks: gone},
	{Name: "xenfiles", Title: "shipped configuration and programs", Component: matrix.XenHyp,
		Means: "what calls or reads the file fails", nouns: []string{"file"}, byOwner: true, breaks: []ChangeOf{Removed, Changed}, broken: reached},
	{Name: Hypervisor, Title: "the hypervisor's configuration, command line and the numbers of its interfaces", Component: matrix.XenHyp,
		Means: "a kind of guest or a feature is not compiled in; a parameter of the boot loader's entry is ignored; or tools of the other version, which an update brings before the reboot, are refused by the hypervisor", nouns: []string{"list", "entry"}, breaks: []ChangeOf{Removed, Changed}, broken: lessOffered},
}

// Hypervisor is the kind that is taken of the hypervisor's own image, and not of the
// toolstack's.
const Hypervisor = "hypervisor"

// Kinds lists all kinds.
func Kinds() []Kind { return slices.Clone(kinds) }

// KindsOf lists the kinds of a component.
func KindsOf(c matrix.Component) []Kind {
	return slices.DeleteFunc(Kinds(), func(k Kind) bool { return k.Component != c })
}

// KindNamed finds a kind. An unknown one is an error that gives the nearest.
func KindNamed(name string) (Kind, error) {
	var names []string
	for _, k := range kinds {
		if k.Name == name {
			return k, nil
		}
		names = append(names, k.Name)
	}
	return Kind{}, matrix.Unknown("kind of capture", name, names)
}

// noun says what the fact of a path is.
func (k Kind) noun(path string) string {
	owner, name := split(path)
	switch {
	case strings.HasPrefix(name, "="):
		return "value"
	case strings.HasPrefix(name, "<"):
		return "element"
	case strings.HasPrefix(name, "@"):
		return "attribute"
	case below(owner, "arguments"):
		return "argument"
	case below(owner, "returns"):
		return "result"
	case below(owner, "data"):
		return "data of an event"
	case len(k.nouns) == 0:
		return "fact"
	}
	return k.nouns[min(len(owners(path)), len(k.nouns)-1)]
}

// given says that a path is of what the component gives, and not of what it takes.
func given(path string) bool { return below(path, "returns") || below(path, "data") }

// below says whether the second name on a path of QMP is the word.
func below(path, word string) bool {
	parts := strings.SplitN(path, "/", 3)
	return len(parts) > 1 && parts[1] == word
}
