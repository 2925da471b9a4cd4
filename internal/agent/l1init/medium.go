package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/cavaliergopher/cpio"
	"github.com/virtmatrix/virtmatrix/internal/agent"
	"golang.org/x/sys/unix"
)

// medium is where the medium is until there is a root.
const medium = "/medium"

// partsPatience is how long the disk with the harness's parts may take to appear. Its
// Spec, which says how patient the harness is, is on that disk.
const partsPatience = 2 * time.Minute

// takeParts unpacks what the harness adds to a host that came up from a medium.
func takeParts() error {
	list, err := os.ReadFile(agent.EarlyModules)
	if err != nil {
		return fmt.Errorf("read list of early modules: %w", err)
	}
	var files []string
	for _, name := range strings.Fields(string(list)) {
		files = append(files, filepath.Dir(agent.EarlyModules)+"/"+name)
	}
	if err := insertModules(files); err != nil {
		return err
	}
	dev, err := disk(agent.PartsDisk, partsPatience)
	if err != nil {
		return err
	}
	f, err := os.Open(dev)
	if err != nil {
		return fmt.Errorf("read parts: %w", err)
	}
	defer f.Close()
	if err := unpack(bufio.NewReaderSize(f, 1<<20), "/"); err != nil {
		return fmt.Errorf("unpack parts: %w", err)
	}
	return nil
}

// unpack writes the folders and files of an archive below a folder. What is there
// already stays: this program runs from such a file.
func unpack(from io.Reader, to string) error {
	r := cpio.NewReader(from)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		path := filepath.Join(to, h.Name)
		if h.Mode&cpio.ModeType == cpio.TypeDir {
			err = os.MkdirAll(path, 0o755)
		} else if h.Mode&cpio.ModeType == cpio.TypeReg {
			err = create(path, os.FileMode(h.Mode&cpio.ModePerm), r)
		}
		if err != nil {
			return err
		}
	}
}

func create(path string, mode os.FileMode, content io.Reader) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = io.Copy(f, content)
	return errors.Join(err, f.Close())
}

// Where the sysroot is until there is a root, and what the program that makes one of its
// deployments the root goes by (ostree-prepare-root(1)): without this file systemd would
// have to mount /var.
const (
	sysroot     = "/sysroot"
	prepareRoot = "/usr/lib/ostree/ostree-prepare-root"
	mountVar    = "/run/ostree/initramfs-mount-var"
	// booted tells ostree that the root is a deployment.
	booted = "/run/ostree-booted"
)

// deploymentRoot has ostree make the root of the deployment that the kernel's arguments
// name.
func deploymentRoot(spec *agent.Spec) (at string, err error) {
	dev, err := disk(spec.Medium.Sysroot, spec.Patience)
	if err != nil {
		return "", err
	}
	if err := mount(dev+"1", sysroot, "ext4", 0, ""); err != nil {
		return "", err
	}
	if err := os.MkdirAll(mountVar, 0o755); err != nil {
		return "", fmt.Errorf("prepare deployment: %w", err)
	}
	if out, err := exec.Command(prepareRoot, sysroot).CombinedOutput(); err != nil {
		return "", fmt.Errorf("prepare deployment: %w: %s", err, out)
	}
	// Nobody can make anything in the root of a deployment.
	return sysroot, mount("tmpfs", sysroot+agent.Dir, "tmpfs", 0, "mode=0755")
}

// finishDeployment tells ostree that its deployment is the root. What services logged
// before this boot is not of this one.
func finishDeployment(spec *agent.Spec) error {
	if spec.Medium == nil || spec.Medium.Sysroot == "" {
		return nil
	}
	err := os.WriteFile(booted, nil, 0o644)
	if err == nil {
		err = os.RemoveAll(filepath.Dir(agent.ServiceLog("x")))
	}
	if err != nil {
		return fmt.Errorf("prepare deployment: %w", err)
	}
	return nil
}

// rootDevice is the block device with the root file system.
func rootDevice(spec *agent.Spec) (string, error) {
	if spec.Medium == nil {
		return disk(spec.Root, spec.Patience)
	}
	dev, err := volume(spec.Medium.Label, spec.Patience)
	if err != nil {
		return "", err
	}
	if err := mount(dev, medium, "iso9660", unix.MS_RDONLY, "nojoliet"); err != nil {
		return "", err
	}
	return loop(filepath.Join(medium, spec.Medium.Root))
}

// showMedium has the new root show what it came from.
func showMedium(spec *agent.Spec, root string) error {
	if spec.Medium == nil || spec.Medium.Label == "" {
		return nil
	}
	return moveMount(medium, root+agent.MediumDir)
}

// device is the block device of an image.
func device(img agent.Mount, patience time.Duration) (string, error) {
	if img.File != "" {
		return loop(filepath.Join(medium, img.File))
	}
	return disk(img.Serial, patience)
}

// The primary descriptor of an ISO 9660 volume, after its system area of 16 sectors, and
// the volume's name in it (ECMA-119, 8.4).
const (
	isoDescriptor = 16 * 2048
	isoMark       = "\x01CD001"
	isoName       = 40
	isoNameEnd    = 72
)

// volume finds the block device with an ISO 9660 volume by its name.
func volume(label string, patience time.Duration) (string, error) {
	dev, ok := appears(patience, func() (string, bool) {
		devices, _ := filepath.Glob("/sys/block/*")
		for _, d := range devices {
			if dev := "/dev/" + filepath.Base(d); volumeName(dev) == label {
				return dev, true
			}
		}
		return "", false
	})
	if !ok {
		return "", fmt.Errorf("find medium: no block device has an ISO 9660 volume %q after %s", label, patience)
	}
	return dev, nil
}

// volumeName is that of the ISO 9660 volume on a device, empty where there is none.
func volumeName(dev string) string {
	f, err := os.Open(dev)
	if err != nil {
		return ""
	}
	defer f.Close()
	head := make([]byte, isoNameEnd)
	if _, err := f.ReadAt(head, isoDescriptor); err != nil || !bytes.HasPrefix(head, []byte(isoMark)) {
		return ""
	}
	return strings.TrimRight(string(head[isoName:isoNameEnd]), " ")
}

// loop makes a read-only block device of a file (loop(4)).
func loop(file string) (dev string, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("make block device of %s: %w", file, err)
		}
	}()
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		return "", err
	}
	defer control.Close()
	n, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
	if err != nil {
		return "", err
	}
	dev = fmt.Sprintf("/dev/loop%d", n)
	to, err := os.Open(dev)
	if err != nil {
		return "", err
	}
	defer to.Close()
	config := unix.LoopConfig{Fd: uint32(f.Fd())}
	config.Info.Flags = unix.LO_FLAGS_READ_ONLY
	copy(config.Info.File_name[:], file)
	return dev, unix.IoctlLoopConfigure(int(to.Fd()), &config)
}
