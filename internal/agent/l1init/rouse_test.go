package main

import (
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

func TestAThreadThatRousedProcessorsMayRunOnAllOfThem(t *testing.T) {
	// The same thread, before and after.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, after unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		t.Fatal(err)
	}
	if err := rouse(); err != nil {
		t.Fatal(err)
	}
	if err := unix.SchedGetaffinity(0, &after); err != nil || after != before {
		t.Errorf("it may run on %v, before on %v, %v", after, before, err)
	}
}
