// Package agent is the harness's hand inside L1: a static program that is PID 1
// of the host, composes its root from read-only images, starts its daemons, and
// then serves SSH on a virtio-serial port, so that no network is needed.
//
// The package holds both ends of the connection; the program is l1init below.
package agent

import "time"

// PortName is the name of the virtio-serial port that the agent serves.
const PortName = "org.virtmatrix.agent.0"

// SpecPath is where the initramfs holds the host's Spec.
const SpecPath = "/virtmatrix.json"

// A host that comes up from a medium, as users' hosts do, has an initramfs that was made
// with the medium, before anybody knew the cell's other settings. All that the
// harness adds to a host, its Spec too, is on a disk of its own then: the archive
// that is the initramfs of other hosts.
const (
	// PartsDisk is the serial of that disk.
	PartsDisk = "parts"
	// EarlyModules is the file of a medium's initramfs that names the modules to insert
	// before anything can be read, in load order.
	EarlyModules = "/modules/load"
	// MediumDir is where a host sees the medium that it came from.
	MediumDir = Dir + "/medium"
)

// Dir is where a host has what is the harness's and no package's.
const Dir = "/virtmatrix"

// ReadyLine is printed on the console when the agent begins to serve. It marks
// the end of the boot for a reader of the console log.
const ReadyLine = "virtmatrix-agent: serving"

// FaultLine starts the console line on which the agent says why it cannot go on.
const FaultLine = "virtmatrix-agent: cannot "

// Start follows FaultLine when a service of the product did not start. Its name,
// a colon and the reason follow.
const Start = "start "

// Late stands between what a service is known by and how long that was waited for.
const Late = " was not there within "

// A host that is a container has what L0 gives it in one place, where no
// userland has anything.
const (
	// InitInContainer is this program, and SpecInContainer the host's Spec.
	InitInContainer = "/virtmatrix/l0/init"
	SpecInContainer = "/virtmatrix/l0/spec.json"
	// ConsoleInContainer is a file for what a machine would print on its console.
	ConsoleInContainer = "/virtmatrix/l0/console"
	// CallInContainer is the folder of the socket that the agent calls.
	CallInContainer = "/virtmatrix/l0/harness"
	// PartsInContainer holds what an initramfs would hold: File.From is below it.
	PartsInContainer = "/virtmatrix/l0/parts"
	// Contain is the argument that makes this program the init of a container.
	Contain = "contain"
)

// Spec tells the agent how to compose the host.
type Spec struct {
	Hostname string `json:"hostname"`
	// Call is the Unix socket on which the harness waits for the agent of a
	// container. The host ends with that connection. Without it the agent serves
	// the machine's port.
	Call string `json:"call,omitempty"`
	// Patience is how long a disk, or the agent's port, may take to appear once
	// its driver is in. The harness scales it to the machine.
	Patience time.Duration `json:"patience"`
	// Modules are the files in the initramfs to insert first, in load order.
	Modules []string `json:"modules,omitempty"`
	// Root is the serial of the disk with the root file system (squashfs).
	Root string `json:"root"`
	// Medium is what the host came from, when no Root was loaded for it.
	Medium *Medium `json:"medium,omitempty"`
	// Images are further read-only disks and where they are mounted.
	Images []Mount `json:"images,omitempty"`
	// Scratch is the serial of a writable ext4 disk, and where it is mounted.
	// tmpfs has no O_DIRECT before Linux 6.6, so guests' disks belong on it.
	Scratch Mount `json:"scratch"`
	// Files are written over the root before any daemon starts.
	Files []File `json:"files,omitempty"`
	// Modprobe names modules to load from the mounted module tree.
	Modprobe []string `json:"modprobe,omitempty"`
	// HoldKVM keeps a KVM guest whose processor never runs for as long as the host runs.
	HoldKVM bool `json:"hold_kvm,omitempty"`
	// Services are started in order.
	Services []Service `json:"services,omitempty"`
}

// Mount is a disk, named by its virtio serial, and its place in the host.
type Mount struct {
	Serial string `json:"serial"`
	Path   string `json:"path"`
	// File is a file of the medium that is mounted in place of a disk.
	File string `json:"file,omitempty"`
}

// Medium is what a host came from.
type Medium struct {
	// Label is the name of an ISO 9660 volume.
	Label string `json:"label,omitempty"`
	// Root is its file with the root file system (squashfs).
	Root string `json:"root,omitempty"`
	// Sysroot is the serial of a disk of which the first partition (ext4) holds OSTree
	// deployments: the kernel's arguments say which one is the root.
	Sysroot string `json:"sysroot,omitempty"`
}

// File is a file of the host's root. One of Content and From is used: the text
// itself, or a file of the initramfs.
type File struct {
	Path    string `json:"path"`
	Content string `json:"content,omitempty"`
	From    string `json:"from,omitempty"`
	// Mode is the permission bits; 0 means 0644.
	Mode uint32 `json:"mode,omitempty"`
	// Append adds to what is there; a file is replaced otherwise.
	Append bool `json:"append,omitempty"`
}

// Service is a program that the agent starts at boot.
type Service struct {
	Name string   `json:"name"`
	Argv []string `json:"argv"`
	// Wait is a path that must exist before the next service is started, and
	// Within how long it may take. The harness scales it to the machine.
	Wait   string        `json:"wait,omitempty"`
	Within time.Duration `json:"within,omitempty"`
	// Once marks a command that ends by itself and must succeed.
	Once bool `json:"once,omitempty"`
	// Own marks a step of the harness: its failure is no fault of the product.
	Own bool `json:"own,omitempty"`
}

// ServiceLog returns the path in L1 of a service's output.
func ServiceLog(name string) string { return "/var/log/virtmatrix/" + name + ".log" }
