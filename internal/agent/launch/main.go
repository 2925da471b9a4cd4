// Command launch runs a program of a bundled emulator in L1, named by argv[0],
// in a mount namespace in which the bundle's own /usr is bound over /usr. Its
// libraries, modules and firmware are then its own release's; running it by
// its loader alone would load the other release's modules by absolute path. Where
// the bundle has them is told in a file (package bundle).
// Only a caller without the privilege for that gets less, see unprivileged.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/agent/bundle"
	"golang.org/x/sys/unix"
)

func main() {
	name := filepath.Base(os.Args[0])
	fmt.Fprintf(os.Stderr, "virtmatrix-launch: cannot start bundled %s: %v\n", name, launch(name))
	os.Exit(127)
}

// launch returns only when the program cannot be started.
func launch(name string) error {
	var b bundle.Bundle
	text, err := os.ReadFile(bundle.Path)
	if err == nil {
		err = json.Unmarshal(text, &b)
	}
	if err != nil {
		return err
	}
	program := b.Programs[name]
	if program == "" {
		return fmt.Errorf("%s does not name it", bundle.Path)
	}
	switch err := enter(); {
	case errors.Is(err, unix.EPERM):
		argv, env := unprivileged(b, program)
		return unix.Exec(argv[0], argv, env)
	case err != nil:
		return err
	}
	return unix.Exec(program, os.Args, os.Environ())
}

// unprivileged is the way in for a caller that may not make a mount namespace.
// libvirt before 9.0 probes an emulator without any capability, whatever
// qemu.conf says; it loads no firmware for that, so it is enough that the
// emulator has its own loader, libraries and modules.
func unprivileged(b bundle.Bundle, program string) (argv, env []string) {
	loader := bundle.Inside(b.Loader)
	libraries := filepath.Dir(loader)
	// Some libraries keep private ones in a folder of their own, which their
	// RUNPATH names by its place in the release.
	path := []string{libraries}
	private, _ := filepath.Glob(libraries + "/*/lib*.so*")
	for _, file := range private {
		if dir := filepath.Dir(file); !slices.Contains(path, dir) {
			path = append(path, dir)
		}
	}
	argv = append([]string{loader, "--library-path", strings.Join(path, ":"), bundle.Inside(program)}, os.Args[1:]...)
	// qemu looks there first (util/module.c, module_load).
	return argv, append(os.Environ(), "QEMU_MODULE_DIR="+bundle.Inside(b.Modules))
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
	if err := unix.Mount(bundle.Usr, "/usr", "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("bind %s: %w", bundle.Usr, err)
	}
	return nil
}
