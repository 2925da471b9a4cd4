// Package realtest is for tests that boot real, emulated machines: it finds what
// they boot, and skips them, in words, where that is not there.
package realtest

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/virtmatrix/virtmatrix/internal/layout"
	"github.com/virtmatrix/virtmatrix/internal/store"
	"golang.org/x/sys/unix"
)

// Bed is what machines are booted from: images of bookworm, the newest of each.
type Bed struct {
	// Kernel is bookworm's vmlinuz, Modules the squashfs of its modules.
	Kernel, Modules string
	// HostModules and GuestModules are the files that L1 and L2 load first, and
	// SCSIModules those that L2 loads for a SCSI controller.
	HostModules, GuestModules, SCSIModules []string
	// Root is the root file system of a kvm host, EmulatorUsr the /usr of qemu 7.2 and
	// Emulator its program there.
	Root, EmulatorUsr, Emulator string
	// Layout is that of the root.
	Layout layout.Manifest
}

// NewBed finds the images, or skips the test.
func NewBed(t *testing.T) Bed {
	t.Helper()
	if testing.Short() {
		t.Skip("boots an emulated machine; leave -short out to run it")
	}
	if os.Geteuid() != 0 {
		t.Skip("mounting the emulator's image needs root; run with sudo")
	}
	images := Newest(t)
	kernel := images["kernel-cloud"]
	var boot struct {
		Host, Guest []string
		Disk        map[string][]string
	}
	b, err := os.ReadFile(kernel.Path("boot.json"))
	if err == nil {
		err = json.Unmarshal(b, &boot)
	}
	if err != nil {
		t.Fatal(err)
	}
	paths := func(names []string) (paths []string) {
		for _, n := range names {
			paths = append(paths, kernel.Path("boot/"+n))
		}
		return paths
	}
	look := func(role string, usr bool, file string) layout.Manifest {
		tree, err := layout.Squashfs(t.Context(), images[role].Path(file), usr)
		if err != nil {
			t.Fatal(err)
		}
		found, err := layout.Find(images[role].Name, tree)
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	return Bed{
		Layout: look("userland-kvm", false, "root.squashfs"), Emulator: look("qemu", true, "usr.squashfs").Programs[layout.Emulator],
		Kernel: kernel.Path("vmlinuz"), Modules: kernel.Path("modules.squashfs"),
		HostModules: paths(boot.Host), GuestModules: paths(boot.Guest), SCSIModules: paths(boot.Disk["scsi"]),
		Root: images["userland-kvm"].Path("root.squashfs"), EmulatorUsr: images["qemu"].Path("usr.squashfs"),
	}
}

// Newest are the newest images of bookworm by role, where the machine has those of a
// host. Otherwise the test is skipped, in words.
func Newest(t *testing.T) map[string]store.Image {
	t.Helper()
	if testing.Short() {
		t.Skip("needs images of a host; leave -short out to run it")
	}
	home := store.Home()
	if _, err := os.Stat(filepath.Join(home, "images")); err != nil {
		t.Skipf("there are no images in %s; run `virtmatrix build` first", home)
	}
	s, err := store.Open(home)
	if err != nil {
		t.Fatal(err)
	}
	all, err := s.List()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]store.Image{}
	for _, image := range all {
		spec := image.Meta.Spec
		if spec.Release == "bookworm" && image.Meta.Created.After(found[spec.Role].Meta.Created) {
			found[spec.Role] = image
		}
	}
	for _, role := range []string{"kernel-cloud", "userland-kvm", "qemu"} {
		if found[role].Dir == "" {
			t.Skipf("there is no %s of bookworm in %s; run `virtmatrix build` first", role, home)
		}
	}
	return found
}

// Compile builds a static program from a package's folder or a file.
func Compile(t *testing.T, source string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), strings.TrimSuffix(filepath.Base(source), ".go"))
	cmd := exec.Command("go", "build", "-ldflags=-s -w", "-o", out, source)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("cannot build %s: %v: %s", source, err, text)
	}
	return out
}

// Runtime is a folder for sockets: short, because a socket's path may have 107
// bytes. It must be empty when the test is over.
func Runtime(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/run", "vmtest-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
		os.RemoveAll(dir)
	})
	return dir
}

// SmallDisk mounts a disk of the size, as tmpfs(5) writes it, for the test.
func SmallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("cannot mount a small disk: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Errorf("cannot unmount %s: %v", dir, err)
		}
	})
	return dir
}
