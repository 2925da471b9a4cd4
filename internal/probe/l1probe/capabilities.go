package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"runtime"
	"unsafe"

	"github.com/virtmatrix/virtmatrix/internal/probe"
	"golang.org/x/sys/unix"
)

// Requests of linux/kvm.h and linux/vhost.h on x86.
const (
	kvmCheckExtension    = 0xae03
	kvmGetSupportedCPUID = 0xc008ae05
	vhostGetFeatures     = 0x8008af00
	// lastExtension is above the numbers that are given, 250 or so in Linux 7.
	lastExtension = 400
	maxLeaves     = 256
)

// leaves is struct kvm_cpuid2 with its struct kvm_cpuid_entry2.
type leaves struct {
	count, _ uint32
	entries  [maxLeaves]struct {
		function, index, flags uint32
		registers              [4]uint32
		_                      [3]uint32
	}
}

func askCapabilities() (answer probe.Capabilities) {
	f, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0)
	if err != nil {
		answer.Error = err.Error()
		return answer
	}
	defer f.Close()
	v := &vm{kvm: int(f.Fd())}
	answer.Extensions = map[int]int{}
	for n := range lastExtension {
		if has := v.ioctl(v.kvm, "check extension", kvmCheckExtension, uintptr(n)); has != 0 {
			answer.Extensions[n] = has
		}
	}
	list := leaves{count: maxLeaves}
	v.ioctlAt(v.kvm, "get supported CPUID", kvmGetSupportedCPUID, unsafe.Pointer(&list))
	answer.CPUID = map[string][4]uint32{}
	for _, e := range list.entries[:min(list.count, maxLeaves)] {
		answer.CPUID[fmt.Sprintf("%x.%x", e.function, e.index)] = e.registers
	}
	answer.Error = errText(v.err)
	return answer
}

func askVhost(device string) (answer probe.Vhost) {
	f, err := os.OpenFile(device, os.O_RDWR, 0)
	if err != nil {
		answer.Error = err.Error()
		return answer
	}
	defer f.Close()
	v := &vm{}
	v.ioctlAt(int(f.Fd()), "get features", vhostGetFeatures, unsafe.Pointer(&answer.Features))
	answer.Error = errText(v.err)
	return answer
}

// What userfaultfd takes (linux/userfaultfd.h): only pages that are missing, and copies.
const (
	uffdAPI      = 0xc018aa3f
	uffdRegister = 0xc020aa00
	uffdCopy     = 0xc028aa03
	uffdVersion  = 0xaa
	uffdMissing  = 1
	given        = 0x5a
)

// askFault does what the target of a post-copy migration does with the memory of its
// guest: a page is filled when a thread waits for it.
func askFault() (answer probe.Fault) {
	answer.Given = given
	read, err := fault()
	answer.Read, answer.Error = read, errText(err)
	return answer
}

func fault() (byte, error) {
	fd, _, errno := unix.Syscall(unix.SYS_USERFAULTFD, unix.O_CLOEXEC, 0, 0)
	if errno != 0 {
		return 0, fmt.Errorf("cannot open userfaultfd: %w", errno)
	}
	defer unix.Close(int(fd))
	page := os.Getpagesize()
	area, err := unix.Mmap(-1, 0, page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return 0, fmt.Errorf("cannot map memory: %w", err)
	}
	v, at := &vm{}, uint64(uintptr(unsafe.Pointer(&area[0])))
	api := struct{ version, features, ioctls uint64 }{version: uffdVersion}
	v.ioctlAt(int(fd), "agree with userfaultfd", uffdAPI, unsafe.Pointer(&api))
	register := struct{ start, length, mode, ioctls uint64 }{start: at, length: uint64(page), mode: uffdMissing}
	v.ioctlAt(int(fd), "register memory", uffdRegister, unsafe.Pointer(&register))
	if v.err != nil {
		return 0, v.err
	}
	// The kernel reads the page for a thread, as it does for a guest's processor. A thread
	// that waits outside of a system call would stop the program's own memory management.
	var ends [2]int
	if err := unix.Pipe(ends[:]); err != nil {
		return 0, fmt.Errorf("cannot make a pipe: %w", err)
	}
	go func() { _, _ = unix.Write(ends[1], area[:1]); unix.Close(ends[1]) }()
	var message [32]byte // struct uffd_msg; it says of one page
	if _, err := unix.Read(int(fd), message[:]); err != nil {
		return 0, fmt.Errorf("cannot wait for a missing page: %w", err)
	}
	content := make([]byte, page)
	for i := range content {
		content[i] = given
	}
	copied := struct {
		to, from, length, mode uint64
		done                   int64
	}{to: at, from: uint64(uintptr(unsafe.Pointer(&content[0]))), length: uint64(page)}
	v.ioctlAt(int(fd), "fill the page", uffdCopy, unsafe.Pointer(&copied))
	runtime.KeepAlive(content)
	if v.err != nil {
		return 0, v.err
	}
	read := make([]byte, 1)
	if n, err := unix.Read(ends[0], read); n != 1 {
		return 0, fmt.Errorf("cannot read the page: %w", cmp.Or(err, io.ErrUnexpectedEOF))
	}
	return read[0], nil
}
