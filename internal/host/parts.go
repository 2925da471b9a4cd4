// Package host boots L1, the virtualization host under test, as a virtual
// machine of L0: it composes it from read-only images, watches its console and
// its emulator, and hands out the agent's connection to it.
package host

import (
	"cmp"
	"context"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/layout"
	"github.com/virtmatrix/virtmatrix/internal/snapshot"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// Parts are the files on L0 that a host is composed from.
type Parts struct {
	// Kernel of L1, and its modules: a squashfs of what /usr/lib/modules holds.
	Kernel, Modules string
	// BootModules are the module files that the root needs, in load order.
	BootModules []string
	// Root is the userland's root file system, a squashfs.
	Root string
	// QEMU is a squashfs of a bundled emulator's /usr; empty when the
	// userland's own emulator is used.
	QEMU string
	// Xen is the hypervisor; empty in kvm cells.
	Xen string
	// Medium is what the host boots from in place of kernel and root: the file of an
	// ISO image, or of a disk. It is empty where the emulator loads these.
	Medium string
	// Client is a squashfs with the ostree program; empty where the medium has no
	// deployments.
	Client string
	// Packages is a squashfs of those that the root can move to; empty for none.
	Packages string
	// Agent is the static program that becomes PID 1 of L1.
	Agent string
	// Launcher is the static program that gives a bundled emulator its /usr.
	Launcher string
	// Tools are static programs for the checks, by their name in ToolsDir.
	Tools map[string]string
	// Guest is what L2 boots.
	Guest GuestParts
	// Layout is where Root has its things, and Bundle where QEMU does.
	Layout, Bundle layout.Manifest
	// Sums are SHA-256 of all these files, and of the emulator's, by path, as far as
	// they are known: one without is read to tell its snapshots from others.
	Sums map[string]string
}

// Found is where a host of these parts has its things, as its processes see them.
func (p Parts) Found() (layout.Manifest, error) {
	if p.QEMU == "" {
		return p.Layout, nil
	}
	return p.Layout.WithBundle(p.Bundle)
}

// GuestParts are the files on L0 that L2 boots.
type GuestParts struct {
	Kernel string
	// Init is L2's static PID 1, Modules what it inserts, in load order.
	Init    string
	Modules []string
	// SCSI are what it inserts on top when it has a SCSI controller.
	SCSI []string
	// Later are what it inserts once it is asked for what needs them.
	Later []string
}

// Emulator is the L0 emulator.
type Emulator struct {
	// Usr is the squashfs of its /usr; empty for the machine's own.
	Usr string
	// Program is the emulator itself, in that /usr.
	Program string
	// Version is the full version of its package, for the record.
	Version string
	// Firmware is its UEFI, in that /usr.
	Firmware layout.Firmware
	// Machine is the versioned machine type of L1. An alias would be another
	// machine with each emulator.
	Machine string
	// CPU is the model of L1's processors by hypervisor kind, with what the
	// emulator cannot do turned off.
	CPU map[matrix.Kind]string
}

// Settings say how a host is run.
type Settings struct {
	// Name is the cell's identity, for folders and messages.
	Name string
	Kind matrix.Kind
	// Axes are the cell's settings; those of hosts are applied.
	Axes []matrix.Setting
	// Accel is L0's accelerator: "kvm" or "tcg".
	Accel string
	// Machine is what of L0 the state of a ready host depends on, by name
	// (machine.HostTraits). It tells which snapshots fit.
	Machine map[string]string
	// Scale multiplies every time limit: 1 on the machine of reference.
	Scale float64
	// CPUs and MemoryMB are L1's size.
	CPUs, MemoryMB int
	// Peers are the hosts that this one reaches.
	Peers Peers
	// Network lets a container make networks of its own; a machine always may.
	Network bool
	// Mounts lets a container mount file systems; a machine always may.
	Mounts bool
	// Sandboxes lets programs of a container make namespaces; those of a machine always may.
	Sandboxes bool
	// ScratchDir is the folder for the host's disk and initramfs; empty means
	// the run-time folder, which is often in memory.
	ScratchDir string
	// LogDir receives the host's console and the emulator's messages.
	LogDir string
	// Snapshots keeps states of ready hosts; nil boots each host.
	Snapshots *snapshot.Store
	// Turn waits until this process may boot, and returns what ends its turn; nil
	// waits for nobody. A host that is restored needs no turn.
	Turn func(context.Context) (release func(), err error)
	// Silence is how long a booting L1's console may be silent, and Longest how
	// long the whole boot may take, at scale 1; 0 means bootStall and bootLimit.
	Silence, Longest time.Duration
}

// emulated says whether L1's processors are emulated, and not L0's.
func (s Settings) emulated() bool { return s.Accel == "tcg" }

func (s Settings) stall() time.Duration { return s.Limit(cmp.Or(s.Silence, bootStall)) }

func (s Settings) longest() time.Duration { return s.Limit(cmp.Or(s.Longest, bootLimit)) }

// turn waits for the turn to boot.
func (s Settings) turn(ctx context.Context) (release func(), err error) {
	if s.Turn == nil {
		return func() {}, nil
	}
	return s.Turn(ctx)
}

// Limit is a duration scaled to the machine.
func (s Settings) Limit(d time.Duration) time.Duration {
	return time.Duration(float64(d) * max(s.Scale, 1))
}
