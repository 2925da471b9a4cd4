package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"github.com/virtmatrix/virtmatrix/internal/probe"
	"golang.org/x/sys/unix"
)

// The requests of the kernel's KVM interface (linux/kvm.h) on x86.
const (
	kvmGetAPIVersion       = 0xae00
	kvmCreateVM            = 0xae01
	kvmGetVCPUMmapSize     = 0xae04
	kvmCreateVCPU          = 0xae41
	kvmSetTSSAddr          = 0xae47
	kvmSetUserMemoryRegion = 0x4020ae46
	kvmRun                 = 0xae80
	kvmSetRegs             = 0x4090ae82
	kvmGetSregs            = 0x8138ae83
	kvmSetSregs            = 0x4138ae84
)

// guestCode is 16-bit real mode code at guestStart: it adds its operands, says
// the digit and a newline on the port, stores the digit, and halts.
var guestCode = []byte{
	0xba, probe.Port & 0xff, probe.Port >> 8, // mov dx, Port
	0x00, 0xd8, // add al, bl
	0x04, '0', // add al, '0'
	0xee,                                         // out dx, al
	0xa2, probe.Result & 0xff, probe.Result >> 8, // mov [Result], al
	0xb0, '\n', // mov al, '\n'
	0xee, // out dx, al
	0xf4, // hlt
}

const (
	guestStart  = 0x1000
	guestMemory = 0x4000
	// tssAddr is three pages that old Intel processors need for real mode
	// (KVM_SET_TSS_ADDR); it is where qemu puts them.
	tssAddr = 0xfffbd000
	// maxExits bounds a guest that never halts.
	maxExits = 16
)

// userMemory is struct kvm_userspace_memory_region.
type userMemory struct {
	slot, flags            uint32
	guestAddr, size, where uint64
}

// regs is struct kvm_regs: the general registers, rip and rflags.
type regs struct {
	rax, rbx, rcx, rdx, rsi, rdi, rsp, rbp uint64
	r8, r9, r10, r11, r12, r13, r14, r15   uint64
	rip, rflags                            uint64
}

// sregs is struct kvm_sregs; only the code segment's base and selector, which
// come first, are of interest.
type sregs struct {
	csBase     uint64
	csLimit    uint32
	csSelector uint16
	_          [298]byte
}

// vm is a guest under way. What it cannot do stays in err.
type vm struct {
	kvm, machine, cpu int
	memory, run       []byte
	err               error
}

func askKVM() (answer probe.KVM) {
	// The kernel wants all requests to a processor from one thread.
	runtime.LockOSThread()
	f, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0)
	if err != nil {
		answer.Error = err.Error()
		return answer
	}
	defer f.Close()
	v := &vm{kvm: int(f.Fd())}
	answer.APIVersion = v.ioctl(v.kvm, "get API version", kvmGetAPIVersion, 0)
	v.machine = v.ioctl(v.kvm, "create VM", kvmCreateVM, 0)
	v.ioctl(v.machine, "set TSS address", kvmSetTSSAddr, tssAddr)
	v.addMemory()
	v.addCPU()
	v.setRegisters()
	for v.err == nil && len(answer.Exits) < maxExits {
		exit := v.step()
		if v.err != nil {
			break
		}
		answer.Exits = append(answer.Exits, exit)
		if exit.Reason != probe.ExitIO {
			break
		}
	}
	if v.err == nil {
		answer.Memory = v.memory[probe.Result]
	}
	answer.Error = errText(v.err)
	return answer
}

// ioctl makes a request whose argument is a number.
func (v *vm) ioctl(fd int, what string, request, arg uintptr) int {
	return v.try(what, func() (uintptr, syscall.Errno) {
		r, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, arg)
		return r, errno
	})
}

// ioctlAt makes a request whose argument is a structure.
func (v *vm) ioctlAt(fd int, what string, request uintptr, arg unsafe.Pointer) {
	v.try(what, func() (uintptr, syscall.Errno) {
		r, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(arg))
		return r, errno
	})
}

func (v *vm) try(what string, call func() (uintptr, syscall.Errno)) int {
	if v.err != nil {
		return 0
	}
	r, errno := call()
	for errno == unix.EINTR { // the runtime's own signals interrupt KVM_RUN
		r, errno = call()
	}
	if errno != 0 {
		v.err = fmt.Errorf("cannot %s: %w", what, errno)
	}
	return int(r)
}

func (v *vm) mmap(what string, fd, size, flags int) []byte {
	if v.err != nil {
		return nil
	}
	b, err := unix.Mmap(fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, flags)
	if err != nil {
		v.err = fmt.Errorf("cannot map %s: %w", what, err)
	}
	return b
}

func (v *vm) addMemory() {
	v.memory = v.mmap("guest memory", -1, guestMemory, unix.MAP_SHARED|unix.MAP_ANONYMOUS)
	if v.err != nil {
		return
	}
	copy(v.memory[guestStart:], guestCode)
	region := userMemory{size: guestMemory, where: uint64(uintptr(unsafe.Pointer(&v.memory[0])))}
	v.ioctlAt(v.machine, "set guest memory", kvmSetUserMemoryRegion, unsafe.Pointer(&region))
}

func (v *vm) addCPU() {
	v.cpu = v.ioctl(v.machine, "create processor", kvmCreateVCPU, 0)
	size := v.ioctl(v.kvm, "get size of processor's state", kvmGetVCPUMmapSize, 0)
	v.run = v.mmap("processor's state", v.cpu, size, unix.MAP_SHARED)
}

func (v *vm) setRegisters() {
	var s sregs
	v.ioctlAt(v.cpu, "get segments", kvmGetSregs, unsafe.Pointer(&s))
	s.csBase, s.csSelector = 0, 0
	v.ioctlAt(v.cpu, "set segments", kvmSetSregs, unsafe.Pointer(&s))
	// Bit 1 of the flags is always set on x86.
	r := regs{rax: probe.OperandA, rbx: probe.OperandB, rip: guestStart, rflags: 1 << 1}
	v.ioctlAt(v.cpu, "set registers", kvmSetRegs, unsafe.Pointer(&r))
}

// The parts of struct kvm_run that are read here, by their offsets.
const (
	offReason = 8
	offIO     = 32 // direction u8, size u8, port u16, count u32, data_offset u64
)

func (v *vm) step() (exit probe.Exit) {
	v.ioctl(v.cpu, "run", kvmRun, 0)
	if v.err != nil {
		return exit
	}
	exit.Reason = binary.LittleEndian.Uint32(v.run[offReason:])
	if exit.Reason != probe.ExitIO {
		return exit
	}
	io := v.run[offIO:]
	exit.Out, exit.Port = io[0] == 1, binary.LittleEndian.Uint16(io[2:])
	size, count := uint64(io[1]), uint64(binary.LittleEndian.Uint32(io[4:]))
	from := binary.LittleEndian.Uint64(io[8:])
	if n := uint64(len(v.run)); size*count > n || from > n-size*count {
		v.err = fmt.Errorf("cannot read data of port: %d times %d bytes at %d", count, size, from)
		return exit
	}
	exit.Data = append([]byte(nil), v.run[from:from+size*count]...)
	return exit
}
