package main

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// kick makes each processor take an interrupt: a thread that moves to another is
// announced to it by one.
func kick() error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var all unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return fmt.Errorf("cannot list processors: %w", err)
	}
	for cpu, left := 0, all.Count(); left > 0; cpu++ {
		if !all.IsSet(cpu) {
			continue
		}
		left--
		var one unix.CPUSet
		one.Set(cpu)
		// One that has gone offline meanwhile needs none.
		_ = unix.SchedSetaffinity(0, &one)
	}
	if err := unix.SchedSetaffinity(0, &all); err != nil {
		return fmt.Errorf("cannot leave processor: %w", err)
	}
	return nil
}
