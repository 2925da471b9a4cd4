package machine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/virtmatrix/virtmatrix/internal/source/tool"
	"github.com/virtmatrix/virtmatrix/internal/store/disk"
)

// Traits are what of this machine, L0, an answer about a stack may depend on
// besides the images: the traits of its hosts, how many processors there are, and
// the libraries of its own that talk to the hosts. kvm says that L0's KVM runs
// them. They are the same until the machine is changed.
func Traits(ctx context.Context, kvm bool) (map[string]string, error) {
	t := hostTraits(ctx, kvm)
	t.set("processors", fmt.Sprint(runtime.NumCPU()), nil)
	settings, err := optional("/etc/libvirt/libvirt.conf")
	t.set("libvirt client's settings", hash(settings), err)
	client, err := clientLibraries(ctx)
	t.set("libvirt client", client, err)
	return t.all()
}

// HostTraits are those of the Traits on which a host depends that the machine
// boots: its kernel and processor, how its KVM is set where that runs the host,
// and what formats the host's disk.
func HostTraits(ctx context.Context, kvm bool) (map[string]string, error) {
	return hostTraits(ctx, kvm).all()
}

func hostTraits(ctx context.Context, kvm bool) *traits {
	t := &traits{values: map[string]string{}}
	version, err := line("/proc/version")
	t.set("kernel", version, err)
	arguments, err := line("/proc/cmdline")
	t.set("kernel arguments", arguments, err)
	info, err := line("/proc/cpuinfo")
	t.set("processor", processorOf(info), err)
	formats, err := optional("/etc/mke2fs.conf")
	t.set("file systems' settings", hash(formats), err)
	mkfs, err := exec.LookPath("mkfs.ext4")
	if err == nil {
		mkfs, err = loaded(ctx, mkfs)
	}
	t.set("mkfs.ext4", mkfs, err)
	if kvm {
		t.set("kvm", parameters("kvm", "kvm_amd", "kvm_intel"), nil)
	}
	return t
}

// traits collects traits, and why some of them cannot be told.
type traits struct {
	values map[string]string
	failed []error
}

func (t *traits) set(name, value string, err error) {
	t.values[name] = value
	if err != nil {
		t.failed = append(t.failed, fmt.Errorf("%s: %w", name, err))
	}
}

func (t *traits) all() (map[string]string, error) {
	if err := errors.Join(t.failed...); err != nil {
		return nil, fmt.Errorf("cannot tell what this machine is like: %w", err)
	}
	return t.values, nil
}

// ContainerTraits are those that count as well where a container is the host, whose
// guests' disks are in a folder.
func ContainerTraits(disks string) (map[string]string, error) {
	modules, err := optional("/sys/kernel/security/lsm")
	if err != nil {
		return nil, fmt.Errorf("cannot tell what this machine is like: %w", err)
	}
	return map[string]string{
		"security modules": modules, "control groups": fileSystem("/sys/fs/cgroup"), "disks": fileSystem(existing(disks)),
	}, nil
}

func line(path string) (string, error) {
	text, err := os.ReadFile(path)
	return strings.TrimSpace(string(text)), err
}

// optional reads a file, or says that there is none by saying nothing.
func optional(path string) (string, error) {
	text, err := line(path)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return text, err
}

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// processorOf describes the first processor of /proc/cpuinfo: its model, and the
// hash of what else of it stays the same (proc_cpuinfo(5)).
func processorOf(cpuinfo string) string {
	first, _, _ := strings.Cut(cpuinfo, "\n\n")
	var model string
	var kept []string
	for line := range strings.Lines(first) {
		name, value, _ := strings.Cut(line, ":")
		switch name = strings.TrimSpace(name); name {
		case "model name":
			model = strings.TrimSpace(value)
		case "vendor_id", "cpu family", "model", "stepping", "microcode", "flags", "bugs", "vmx flags", "address sizes":
			kept = append(kept, name, value)
		}
	}
	return model + " " + hash(strings.Join(kept, "\n"))
}

// parameters is the hash of the parameters of those of the kernel's modules that
// are loaded; empty when none is.
func parameters(modules ...string) string {
	var all []string
	for _, m := range modules {
		files, _ := filepath.Glob("/sys/module/" + m + "/parameters/*")
		for _, f := range files {
			value, _ := line(f)
			all = append(all, f+"="+value)
		}
	}
	if len(all) == 0 {
		return ""
	}
	return hash(strings.Join(all, "\n"))
}

// fileSystem is the kind of file system that a folder is on, by its number
// (statfs(2)); 0 when there is none.
func fileSystem(dir string) string {
	var st unix.Statfs_t
	if unix.Statfs(dir, &st) != nil {
		return "0"
	}
	return fmt.Sprintf("%#x", st.Type)
}

// clientLibraries is the hash of libvirt's client libraries, as the bindings open
// them, with all that they load.
func clientLibraries(ctx context.Context) (string, error) {
	cache, _, err := tool.Run(ctx, tool.Command{Argv: []string{"ldconfig", "-p"}})
	if err != nil {
		return "", err
	}
	var found []string
	for _, name := range []string{libvirtLibrary, "libvirt-qemu.so.0", "libvirt-lxc.so.0"} {
		path, err := library(string(cache), name)
		if err != nil && name == libvirtLibrary {
			return "", err
		}
		if err == nil {
			found = append(found, path)
		}
	}
	return loaded(ctx, found...)
}

// library finds a library as the dynamic linker does (ld.so(8)).
func library(cache, name string) (string, error) {
	for _, dir := range filepath.SplitList(os.Getenv("LD_LIBRARY_PATH")) {
		if path := filepath.Join(dir, name); existing(path) == path {
			return path, nil
		}
	}
	for line := range strings.Lines(cache) {
		what, path, ok := strings.Cut(strings.TrimSpace(line), " => ")
		if ok && strings.HasPrefix(what, name+" ") && strings.Contains(what, "x86-64") {
			return path, nil
		}
	}
	return "", errors.New(name + " is not there")
}

// loaded is the hash of programs or libraries and of all libraries that they load.
func loaded(ctx context.Context, paths ...string) (string, error) {
	out, _, err := tool.Run(ctx, tool.Command{Argv: append([]string{"ldd"}, paths...)})
	if err != nil {
		return "", err
	}
	files := slices.Clone(paths)
	for _, word := range strings.Fields(string(out)) {
		if filepath.IsAbs(word) && !strings.HasSuffix(word, ":") {
			files = append(files, word)
		}
	}
	slices.Sort(files)
	h := sha256.New()
	for _, f := range slices.Compact(files) {
		sum, _, err := disk.Digest(f)
		if err != nil {
			return "", err
		}
		if _, err := fmt.Fprintf(h, "%s %s\n", f, sum); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
