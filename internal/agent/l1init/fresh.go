package main

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"unsafe"

	"github.com/virtmatrix/virtmatrix/internal/agent"
	"golang.org/x/sys/unix"
)

// machineID is the form that machine-id(5) gives.
var machineID = regexp.MustCompile(`^[0-9a-f]{32}$`)

// freshen gives this host a clock, random numbers and a machine-id of its own.
func freshen(f agent.Fresh) error {
	if !machineID.MatchString(f.MachineID) {
		return fmt.Errorf("cannot use %q as machine-id", f.MachineID)
	}
	if err := seed(f.Seed); err != nil {
		return fmt.Errorf("cannot seed the kernel's random numbers: %w", err)
	}
	if err := os.WriteFile("/etc/machine-id", []byte(f.MachineID+"\n"), 0o444); err != nil {
		return fmt.Errorf("cannot write machine-id: %w", err)
	}
	// Last, because it is the one that ages.
	now := unix.NsecToTimespec(f.Time.UnixNano())
	if err := unix.ClockSettime(unix.CLOCK_REALTIME, &now); err != nil {
		return fmt.Errorf("cannot set the clock: %w", err)
	}
	return nil
}

// poolInfo is struct rand_pool_info of include/uapi/linux/random.h.
type poolInfo struct {
	bits, bytes int32
	buf         [agent.SeedBytes]byte
}

// seed feeds the kernel's generator, and has it use that at once (random(4)).
func seed(random []byte) error {
	if len(random) != agent.SeedBytes {
		return fmt.Errorf("the seed has %d bytes, want %d", len(random), agent.SeedBytes)
	}
	fd, err := unix.Open("/dev/urandom", unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	info := poolInfo{bits: 8 * agent.SeedBytes, bytes: agent.SeedBytes}
	copy(info.buf[:], random)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.RNDADDENTROPY, uintptr(unsafe.Pointer(&info))); errno != 0 {
		return errno
	}
	// Refused by a generator that was not ready before, and unknown to kernels
	// before 4.8: there the seed is used all the same.
	if err := unix.IoctlSetInt(fd, unix.RNDRESEEDCRNG, 0); err != nil && !errors.Is(err, unix.ENODATA) && !errors.Is(err, unix.EINVAL) {
		return err
	}
	return nil
}
