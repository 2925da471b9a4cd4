package host

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// places are where a running host has its things: the folders of its sockets, and
// of its disk and initramfs, the file that is its memory, and the folder of the
// sockets of its peer, if there is one.
type places struct{ sockets, files, memory, peer string }

// The files of a running host, in its places.
const (
	fileInitramfs = "initramfs"
	fileScratch   = "scratch.img"
	sockAgent     = "agent.sock"
	sockQMP       = "qmp.sock"
	sockNet       = "net.sock"
)

// kernelArgs of every L1 and dom0. A panic ends the emulator (-no-reboot)
// instead of leaving a dead guest to be waited for.
const kernelArgs = "panic=-1 loglevel=6 printk.time=1 random.trust_cpu=on"

// dom0MemoryMB is left to dom0; the rest of L1's memory is for its guests.
const dom0MemoryMB = 1024

// commandLine is the L0 emulator's command line for a host, which is booted or
// restored.
func commandLine(p Parts, s Settings, em Emulator, at places, restored bool) ([]string, error) {
	cpu, ok := em.CPU[s.Kind]
	if !ok || s.Accel == "kvm" {
		cpu = "max"
	}
	argv := []string{
		em.Program, "-nodefaults", "-no-user-config", "-name", "virtmatrix-" + s.Name,
		"-machine", em.Machine + ",accel=" + s.Accel + ",memory-backend=ram", "-cpu", cpu,
		"-smp", fmt.Sprint(s.CPUs), "-m", fmt.Sprint(s.MemoryMB),
		// A file, so that a snapshot's can be mapped instead of loaded; a host that
		// is restored keeps to itself what it writes there.
		"-object", fmt.Sprintf("memory-backend-file,id=ram,size=%dM,mem-path=%s,share=%s", s.MemoryMB, value(at.memory), onOff(!restored)),
		"-display", "none", "-no-reboot",
		// It goes on after what a snapshot's console said.
		"-chardev", "file,id=console,append=on,path=" + value(filepath.Join(s.LogDir, ConsoleFile)),
		"-serial", "chardev:console",
		"-qmp", "unix:" + value(filepath.Join(at.sockets, sockQMP)) + ",server=on,wait=off",
		"-device", "virtio-rng-pci",
		"-device", "virtio-serial-pci",
		"-chardev", "socket,id=agent,server=on,wait=off,path=" + value(filepath.Join(at.sockets, sockAgent)),
		"-device", "virtserialport,chardev=agent,name=" + agent.PortName,
	}
	medium, err := mediumArgs(p, s, em)
	if err != nil {
		return nil, err
	}
	argv = append(argv, medium...)
	for _, d := range disks(p, at.files) {
		argv = append(argv,
			"-drive", fmt.Sprintf("if=none,id=%s,format=raw,file=%s,readonly=%s,cache=unsafe", d.serial, value(d.file), onOff(d.readOnly)),
			"-device", fmt.Sprintf("virtio-blk-pci,drive=%s,serial=%s", d.serial, d.serial))
	}
	network, err := peerArgs(s.Peers, at)
	if err != nil {
		return nil, err
	}
	boot, err := bootArgs(p, s, at.files)
	if err != nil {
		return nil, err
	}
	argv = append(append(argv, network...), boot...)
	if restored {
		// Its processors stand still until all of its state has been verified.
		argv = append(argv, "-S", "-incoming", "defer")
	}
	return argv, nil
}

// value writes a path as a value among an option's key=value pairs, which a
// comma separates (qemu's util/qemu-option.c, get_opt_value).
func value(path string) string { return strings.ReplaceAll(path, ",", ",,") }

type diskImage struct {
	serial, file string
	readOnly     bool
}

func disks(p Parts, dir string) []diskImage {
	ds := []diskImage{{serialRoot, p.Root, true}, {serialModules, p.Modules, true}}
	if p.Medium != "" {
		ds = []diskImage{{agent.PartsDisk, filepath.Join(dir, fileInitramfs), true}}
	}
	if p.Client != "" {
		ds = append(ds, diskImage{serialClient, p.Client, true})
	}
	if p.QEMU != "" {
		ds = append(ds, diskImage{serialQEMU, p.QEMU, true})
	}
	if p.Packages != "" {
		ds = append(ds, diskImage{serialPackages, p.Packages, true})
	}
	return append(ds, diskImage{serialScratch, filepath.Join(dir, fileScratch), false})
}

func onOff(b bool) string {
	if b {
		return "on"
	}
	return "off"
}

// bootArgs loads the kernel directly, or Xen through qemu's multiboot loader
// with dom0's kernel and initramfs as its modules (docs: -initrd "file args,file").
func bootArgs(p Parts, s Settings, dir string) ([]string, error) {
	if p.Medium != "" {
		return nil, nil
	}
	initrd := filepath.Join(dir, fileInitramfs)
	if s.Kind != matrix.Xen {
		return []string{"-kernel", p.Kernel, "-initrd", initrd, "-append", "console=ttyS0 " + kernelArgs}, nil
	}
	for _, f := range []string{p.Kernel, initrd} {
		if strings.ContainsAny(f, ", ") {
			return nil, fmt.Errorf("cannot boot Xen: its loader splits %q at the comma or space; name a folder without them in VIRTMATRIX_HOME", f)
		}
	}
	return []string{
		"-kernel", p.Xen,
		"-initrd", p.Kernel + " console=hvc0 " + kernelArgs + "," + initrd,
		"-append", fmt.Sprintf("console=com1 com1=115200,8n1 dom0_mem=%dM,max:%dM loglvl=warning guest_loglvl=warning", dom0MemoryMB, dom0MemoryMB),
	}, nil
}

// writeInitramfs writes what L1 starts with to a file.
func writeInitramfs(path string, p Parts, spec []byte) error {
	return writeTo(path, func(w io.Writer) error { return packInitramfs(w, p, spec) })
}

// packInitramfs packs the agent, its spec, and what L2 boots.
func packInitramfs(w io.Writer, p Parts, spec []byte) error {
	var guest bytes.Buffer
	if err := packGuestInitramfs(&guest, p.Guest); err != nil {
		return err
	}
	a := newInitramfs(w)
	a.add(agent.SpecPath, 0o644, spec)
	a.add(GuestInitrd, 0o644, guest.Bytes())
	for _, f := range early(p) {
		a.addFile(f.name, f.mode, f.source)
	}
	return a.close()
}

// earlyFile is a file of an initramfs, which is copied from L0.
type earlyFile struct {
	name   string
	mode   os.FileMode
	source string
}

// early lists the files that L1's initramfs is made of.
func early(p Parts) []earlyFile {
	files := []earlyFile{{"/init", 0o755, p.Agent}, {GuestKernel, 0o644, p.Guest.Kernel}}
	for _, m := range p.BootModules {
		files = append(files, earlyFile{bootModule(m), 0o644, m})
	}
	for _, name := range slices.Sorted(maps.Keys(p.Tools)) {
		files = append(files, earlyFile{toolPath(name), 0o755, p.Tools[name]})
	}
	if p.QEMU != "" {
		files = append(files, earlyFile{launcher, 0o755, p.Launcher})
	}
	return files
}

// guestEarly lists the files that L2's initramfs is made of.
func guestEarly(g GuestParts) []earlyFile {
	files := []earlyFile{{"/init", 0o755, g.Init}}
	for _, m := range slices.Concat(g.Modules, g.SCSI, g.Later) {
		if f := (earlyFile{bootModule(m), 0o644, m}); !slices.Contains(files, f) {
			files = append(files, f)
		}
	}
	return files
}

// WriteGuestInitramfs writes what L2 starts with to a file.
func WriteGuestInitramfs(path string, g GuestParts) error {
	return writeTo(path, func(w io.Writer) error { return packGuestInitramfs(w, g) })
}

func packGuestInitramfs(w io.Writer, g GuestParts) error {
	a := newInitramfs(w)
	for _, f := range guestEarly(g) {
		a.addFile(f.name, f.mode, f.source)
	}
	// Xen asks a guest to shut down by way of this path.
	a.link("/sbin/poweroff", "/init")
	a.link("/sbin/reboot", "/init")
	a.link("/bin/sh", "/init") // what the guest's agent is asked to run
	a.add("/modules/load", 0o644, moduleList(g.Modules))
	a.add("/modules/scsi", 0o644, moduleList(g.SCSI))
	a.add("/modules/later", 0o644, moduleList(g.Later))
	return a.close()
}

func moduleList(modules []string) (list []byte) {
	for _, m := range modules {
		list = fmt.Appendln(list, filepath.Base(m))
	}
	return list
}

func writeTo(path string, pack func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("cannot write initramfs: %w", err)
	}
	defer f.Close()
	if err := pack(f); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("cannot write initramfs: %w", err)
	}
	return nil
}
