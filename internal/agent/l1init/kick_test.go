package main

import (
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

func TestAThreadThatKickedProcessorsMayRunOnAllOfThem(t *testing.T) {
	// The same thread, before and after.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, after unix.CPUSet
	var was, is unix.Rusage
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		t.Fatal(err)
	}
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &was); err != nil {
		t.Fatal(err)
	}
	if err := kick(); err != nil {
		t.Fatal(err)
	}
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &is); err != nil {
		t.Fatal(err)
	}
	// A thread that goes to another processor is switched out.
	if before.Count() > 1 && is.Nvcsw+is.Nivcsw == was.Nvcsw+was.Nivcsw {
		t.Error("it stayed where it was")
	}
	if err := unix.SchedGetaffinity(0, &after); err != nil || after != before {
		t.Errorf("it may run on %v, before on %v, %v", after, before, err)
	}
}
