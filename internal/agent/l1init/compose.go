package main

import (
	"cmp"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/agent"
	"golang.org/x/sys/unix"
)

func mountKernelFS() error {
	for _, m := range []struct{ typ, dst string }{{"proc", "/proc"}, {"sysfs", "/sys"}, {"devtmpfs", "/dev"}} {
		if err := mount(m.typ, m.dst, m.typ, 0, ""); err != nil {
			return err
		}
	}
	return nil
}

func mount(src, dst, typ string, flags uintptr, data string) error {
	if err := os.MkdirAll(dst, 0o755); err != nil {
		return fmt.Errorf("make %s: %w", dst, err)
	}
	if err := unix.Mount(src, dst, typ, flags, data); err != nil {
		return fmt.Errorf("mount %s on %s: %w", src, dst, err)
	}
	return nil
}

// insertModules loads files of the initramfs in the given order. A module of a
// device that this machine lacks refuses with ENODEV, which is not a fault.
func insertModules(files []string) error {
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			return fmt.Errorf("open module: %w", err)
		}
		err = unix.FinitModule(int(f.Fd()), "", 0)
		f.Close()
		if err != nil && err != unix.EEXIST && err != unix.ENODEV {
			return fmt.Errorf("insert module %s: %w", filepath.Base(name), err)
		}
	}
	return nil
}

// appears waits until find finds something. A driver probes in the background.
func appears(patience time.Duration, find func() (string, bool)) (string, bool) {
	for start := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		if found, ok := find(); ok || time.Since(start) > patience {
			return found, ok
		}
	}
}

// disk finds a virtio disk by its serial.
func disk(serial string, patience time.Duration) (string, error) {
	dev, ok := appears(patience, func() (string, bool) {
		files, _ := filepath.Glob("/sys/block/vd*/serial")
		for _, f := range files {
			b, _ := os.ReadFile(f)
			if strings.TrimSpace(string(b)) == serial {
				return "/dev/" + filepath.Base(filepath.Dir(f)), true
			}
		}
		return "", false
	})
	if !ok {
		return "", fmt.Errorf("find disk %q: no virtio disk has this serial after %s", serial, patience)
	}
	return dev, nil
}

const lower, upper, newroot = "/lower", "/upper", "/newroot"

// compose builds the host's root and moves into it.
func compose(spec *agent.Spec) error {
	root := overlayRoot
	if m := spec.Medium; m != nil && m.Sysroot != "" {
		root = deploymentRoot
	}
	at, err := root(spec)
	if err != nil {
		return err
	}
	for _, img := range spec.Images {
		dev, err := device(img, spec.Patience)
		if err != nil {
			return err
		}
		if err := mount(dev, at+img.Path, "squashfs", unix.MS_RDONLY, ""); err != nil {
			return err
		}
	}
	if err := showMedium(spec, at); err != nil {
		return err
	}
	if err := writeFiles(spec.Files, "", at); err != nil {
		return err
	}
	if err := enterRoot(at); err != nil {
		return err
	}
	return finishRoot(spec)
}

// overlayRoot makes the root of an image that is only read.
func overlayRoot(spec *agent.Spec) (at string, err error) {
	dev, err := rootDevice(spec)
	if err != nil {
		return "", err
	}
	if err := mount(dev, lower, "squashfs", unix.MS_RDONLY, ""); err != nil {
		return "", err
	}
	if err := mount("tmpfs", upper, "tmpfs", 0, "mode=0755"); err != nil {
		return "", err
	}
	for _, d := range []string{upper + "/up", upper + "/work"} {
		if err := os.Mkdir(d, 0o755); err != nil {
			return "", fmt.Errorf("make overlay: %w", err)
		}
	}
	opts := "lowerdir=" + lower + ",upperdir=" + upper + "/up,workdir=" + upper + "/work"
	return newroot, mount("overlay", newroot, "overlay", 0, opts)
}

// writeFiles puts the harness's files over the root while what they come from is
// in sight.
func writeFiles(files []agent.File, from, root string) error {
	for _, f := range files {
		if err := writeFile(f, from, root); err != nil {
			return fmt.Errorf("write %s: %w", f.Path, err)
		}
	}
	return nil
}

func writeFile(f agent.File, from, root string) error {
	dst := root + f.Path
	if err := os.MkdirAll(filepath.Dir(dst), 0o755); err != nil {
		return err
	}
	how := os.O_CREATE | os.O_WRONLY | os.O_APPEND
	if !f.Append {
		if err := os.RemoveAll(dst); err != nil {
			return err
		}
		how |= os.O_EXCL
	}
	out, err := os.OpenFile(dst, how, cmp.Or(os.FileMode(f.Mode), 0o644))
	if err != nil {
		return err
	}
	defer out.Close()
	if f.From == "" {
		_, err = out.WriteString(f.Content)
		return err
	}
	in, err := os.Open(from + f.From)
	if err != nil {
		return err
	}
	defer in.Close()
	_, err = io.Copy(out, in)
	return err
}

// enterRoot makes what is mounted at a place the root of this process and its children.
func enterRoot(newroot string) error {
	for _, d := range []string{"/proc", "/sys", "/dev"} {
		if err := moveMount(d, newroot+d); err != nil {
			return err
		}
	}
	if err := unix.Chdir(newroot); err != nil {
		return fmt.Errorf("enter root: %w", err)
	}
	if err := unix.Mount(".", "/", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("move root: %w", err)
	}
	if err := unix.Chroot("."); err != nil {
		return fmt.Errorf("change root: %w", err)
	}
	if err := unix.Chdir("/"); err != nil {
		return fmt.Errorf("enter root: %w", err)
	}
	return nil
}

// moveMount moves what is mounted at a place to another.
func moveMount(from, to string) error {
	if err := os.MkdirAll(to, 0o755); err != nil {
		return fmt.Errorf("make %s: %w", to, err)
	}
	if err := unix.Mount(from, to, "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("move %s: %w", from, err)
	}
	return nil
}

func finishRoot(spec *agent.Spec) error {
	for _, m := range []struct{ typ, dst, data string }{
		{"tmpfs", "/run", "mode=0755"},
		{"tmpfs", "/tmp", "mode=1777"},
		{"tmpfs", "/dev/shm", "mode=1777"},
		{"devpts", "/dev/pts", "gid=5,mode=620,ptmxmode=666"},
		{"cgroup2", "/sys/fs/cgroup", ""},
	} {
		if err := mount(m.typ, m.dst, m.typ, 0, m.data); err != nil {
			return err
		}
	}
	for link, target := range map[string]string{"/dev/fd": "/proc/self/fd", "/dev/stdin": "/proc/self/fd/0", "/dev/stdout": "/proc/self/fd/1", "/dev/stderr": "/proc/self/fd/2"} {
		_ = os.Symlink(target, link)
	}
	if err := finishDeployment(spec); err != nil {
		return err
	}
	if err := makeDirs(); err != nil {
		return err
	}
	if spec.Scratch.Serial != "" {
		dev, err := disk(spec.Scratch.Serial, spec.Patience)
		if err != nil {
			return err
		}
		if err := mount(dev, spec.Scratch.Path, "ext4", 0, ""); err != nil {
			return err
		}
	}
	if err := unix.Sethostname([]byte(spec.Hostname)); err != nil {
		return fmt.Errorf("set host name: %w", err)
	}
	return loopbackUp()
}

// makeDirs makes the folders that daemons and the agent take for granted.
func makeDirs() error {
	for _, d := range []string{"/run/lock", "/root", filepath.Dir(agent.ServiceLog("x"))} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return fmt.Errorf("make %s: %w", d, err)
		}
	}
	return nil
}

// loopbackUp brings lo up: libvirt and qemu listen on it.
func loopbackUp() error {
	if i, err := net.InterfaceByName("lo"); err == nil && i.Flags&net.FlagUp != 0 {
		return nil
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("bring lo up: %w", err)
	}
	defer unix.Close(fd)
	req, err := unix.NewIfreq("lo")
	if err != nil {
		return fmt.Errorf("bring lo up: %w", err)
	}
	req.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, req); err != nil {
		return fmt.Errorf("bring lo up: %w", err)
	}
	return nil
}
