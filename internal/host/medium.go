package host

import (
	"errors"
	"fmt"
	"io"

	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// The values of matrix.MediaAxis: what the emulator loads by itself, a disc that the
// firmware boots, and a disk with an OSTree deployment.
const (
	Direct  = "direct"
	ISOBIOS = "iso-bios"
	ISOUEFI = "iso-uefi"
	OSTree  = "ostree"
)

// What is on an OSTree disk: the name of its system, the branches of its commits, of which
// the first one is deployed, and two files in which each commit has its branch, one of them
// in /etc.
const (
	OSName       = "virtmatrix"
	FirstCommit  = OSName + "/first"
	SecondCommit = OSName + "/second"
	CommitMark   = "/usr/lib/virtmatrix-commit"
	CommitConfig = "/etc/virtmatrix-commit"
)

// ClientDir is where a host from an OSTree disk sees the ostree program, which its commits
// lack, and Client what runs it.
const (
	ClientDir = "/virtmatrix/ostree"
	Client    = ClientDir + "/run"
)

// The serials of an OSTree disk and of its client's image.
const (
	serialSysroot = "sysroot"
	serialClient  = "ostree"
)

// The files of an ISO image, and its volume's name. Its loader is told of kernel and
// initramfs; what the kernel mounts then is found by the agent.
const (
	ISOLabel   = "VIRTMATRIX"
	ISOKernel  = "boot/vmlinuz"
	ISOInitrd  = "boot/initrd"
	ISORoot    = "live/root.squashfs"
	ISOModules = "live/modules.squashfs"
)

// MediumArgs are the kernel's arguments on a medium.
const MediumArgs = "console=ttyS0 " + kernelArgs

// MediaOf is what the machine of a cell with these settings boots from.
func MediaOf(settings []matrix.Setting) string {
	for _, s := range settings {
		if s.Axis == matrix.MediaAxis {
			return s.Value
		}
	}
	return Direct
}

// fromISO has the agent take root and modules from the disc that it came from.
func fromISO(spec *agent.Spec, p Parts) error {
	if p.Medium == "" {
		return errors.New("the host has no medium")
	}
	spec.Root, spec.Medium = "", &agent.Medium{Label: ISOLabel, Root: ISORoot}
	for i, img := range spec.Images {
		if img.Serial == serialModules {
			spec.Images[i] = agent.Mount{Path: img.Path, File: ISOModules}
		}
	}
	return nil
}

// fromOSTree has the agent make a deployment the root, which has the modules too.
func fromOSTree(spec *agent.Spec, p Parts) error {
	if p.Medium == "" || p.QEMU != "" {
		return errors.New("an OSTree host has a disk with a deployment, and its emulator in it")
	}
	spec.Root, spec.Medium = "", &agent.Medium{Sysroot: serialSysroot}
	spec.Images = []agent.Mount{{Serial: serialClient, Path: ClientDir}}
	return nil
}

// mediumArgs put the disc into a SCSI drive, of which kernels for virtual machines and
// firmware have drivers, and choose the firmware.
func mediumArgs(p Parts, s Settings, em Emulator) ([]string, error) {
	media := MediaOf(s.Axes)
	switch media {
	case Direct:
		return nil, nil
	case OSTree:
		// What it writes ends with the host.
		return []string{
			"-drive", "if=none,id=medium,format=raw,snapshot=on,cache=unsafe,file=" + value(p.Medium),
			"-device", "virtio-blk-pci,drive=medium,bootindex=0,serial=" + serialSysroot,
		}, nil
	}
	argv := []string{
		"-device", "virtio-scsi-pci,id=scsi",
		"-drive", "if=none,id=medium,format=raw,media=cdrom,readonly=on,file=" + value(p.Medium),
		"-device", "scsi-cd,drive=medium,bootindex=0",
	}
	if media != ISOUEFI {
		return argv, nil
	}
	if em.Firmware.Code == "" {
		return nil, fmt.Errorf("cannot boot %s: the emulator has no UEFI firmware", media)
	}
	// What it writes to its variables ends with the host.
	return append(argv,
		"-drive", "if=pflash,unit=0,format=raw,readonly=on,file="+value(em.Firmware.Code),
		"-drive", "if=pflash,unit=1,format=raw,snapshot=on,file="+value(em.Firmware.Vars)), nil
}

// WriteMediumInitramfs writes what a medium's kernel starts with: the agent, the modules
// that it inserts before it can read anything, in their order, and programs of L0 where
// they are there.
func WriteMediumInitramfs(path, agentProgram string, modules, programs []string) error {
	return writeTo(path, func(w io.Writer) error {
		a := newInitramfs(w)
		a.addFile("/init", 0o755, agentProgram)
		a.add(agent.EarlyModules, 0o644, moduleList(modules))
		for _, m := range modules {
			a.addFile(bootModule(m), 0o644, m)
		}
		for _, p := range programs {
			a.addFile(p, 0o755, p)
		}
		return a.close()
	})
}
