// Command launch runs a program of a bundled emulator in L1, named by argv[0],
// in a mount namespace in which the bundle's own /usr is bound over /usr. Its
// libraries, modules and firmware are then its own release's; running it by
// its loader alone would load the other release's modules by absolute path.
// Only a caller without the privilege for that gets less, see unprivileged.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// bundle is where the host mounts the emulator's /usr.
const bundle = "/virtmatrix/qemu/usr"

func main() {
	program := filepath.Base(os.Args[0])
	err := enter()
	switch {
	case err == nil:
		err = unix.Exec(filepath.Join("/usr/bin", program), os.Args, os.Environ())
	case errors.Is(err, unix.EPERM):
		argv, env := unprivileged(program)
		err = unix.Exec(argv[0], argv, env)
	}
	fmt.Fprintf(os.Stderr, "virtmatrix-launch: cannot start bundled %s: %v\n", filepath.Base(os.Args[0]), err)
	os.Exit(127)
}

// unprivileged is the way in for a caller that may not make a mount namespace.
// libvirt before 9.0 probes an emulator without any capability, whatever
// qemu.conf says; it loads no firmware for that, so it is enough that the
// emulator has its own loader, libraries and modules.
func unprivileged(program string) (argv, env []string) {
	const libraries = bundle + "/lib/x86_64-linux-gnu"
	// Some libraries keep private ones in a folder of their own, which their
	// RUNPATH names by its place in the release.
	path := []string{libraries}
	private, _ := filepath.Glob(libraries + "/*/lib*.so*")
	for _, file := range private {
		if dir := filepath.Dir(file); !slices.Contains(path, dir) {
			path = append(path, dir)
		}
	}
	argv = append([]string{
		libraries + "/ld-linux-x86-64.so.2", "--library-path", strings.Join(path, ":"), filepath.Join(bundle, "bin", program),
	}, os.Args[1:]...)
	// qemu looks there first (util/module.c, module_load).
	return argv, append(os.Environ(), "QEMU_MODULE_DIR="+libraries+"/qemu")
}

func enter() error {
	// Unshare moves this thread alone; exec must come from the same one.
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("make mount namespace: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return fmt.Errorf("separate mounts: %w", err)
	}
	if err := unix.Mount(bundle, "/usr", "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("bind %s: %w", bundle, err)
	}
	return nil
}
