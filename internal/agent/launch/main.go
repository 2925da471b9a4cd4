// Command launch runs a program of a bundled emulator in L1, named by argv[0],
// in a mount namespace in which the bundle's own /usr is bound over /usr. Its
// libraries, modules and firmware are then its own release's; running it by
// its loader alone would load the other release's modules by absolute path.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"
)

// bundle is where the host mounts the emulator's /usr.
const bundle = "/virtmatrix/qemu/usr"

func main() {
	err := enter()
	if err == nil {
		program := filepath.Join("/usr/bin", filepath.Base(os.Args[0]))
		err = unix.Exec(program, os.Args, os.Environ())
	}
	fmt.Fprintf(os.Stderr, "virtmatrix-launch: cannot start bundled %s: %v\n", filepath.Base(os.Args[0]), err)
	os.Exit(127)
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
