package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"unsafe"

	"github.com/virtmatrix/virtmatrix/internal/probe"
	"golang.org/x/sys/unix"
)

// The opcodes that the filter is made of (linux/bpf.h, linux/bpf_common.h).
const (
	opLoadWord  = unix.BPF_LDX | unix.BPF_MEM | unix.BPF_W
	opStoreLong = unix.BPF_STX | unix.BPF_MEM | unix.BPF_DW
	opLoadMap   = unix.BPF_LD | unix.BPF_IMM | unix.BPF_DW
	opMoveReg   = unix.BPF_ALU64 | unix.BPF_MOV | unix.BPF_X
	opMove      = unix.BPF_ALU64 | unix.BPF_MOV | unix.BPF_K
	opAdd       = unix.BPF_ALU64 | unix.BPF_ADD | unix.BPF_K
	opOrReg     = unix.BPF_ALU64 | unix.BPF_OR | unix.BPF_X
	opShift     = unix.BPF_ALU64 | unix.BPF_LSH | unix.BPF_K
	opIfZero    = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
	opCall      = unix.BPF_JMP | unix.BPF_CALL
	opExit      = unix.BPF_JMP | unix.BPF_EXIT
	// callMapLookup is the kernel's helper bpf_map_lookup_elem.
	callMapLookup = 1
)

// instruction is struct bpf_insn; dst holds both registers, the source in the
// upper half.
type instruction struct {
	op, dst uint8
	off     int16
	imm     int32
}

func reg(dst, src uint8) uint8 { return dst | src<<4 }

// filter allows a device whose number, major over minor, is a key of the map.
// Its context is struct bpf_cgroup_dev_ctx: access type, major, minor.
func filter(mapFD int) []instruction {
	return []instruction{
		{opLoadWord, reg(6, 1), 4, 0},
		{opShift, 6, 0, 32},
		{opLoadWord, reg(7, 1), 8, 0},
		{opOrReg, reg(6, 7), 0, 0},
		{opStoreLong, reg(10, 6), -8, 0},
		{opMoveReg, reg(2, 10), 0, 0},
		{opAdd, 2, 0, -8},
		{opLoadMap, reg(1, unix.BPF_PSEUDO_MAP_FD), 0, int32(mapFD)}, {},
		{opCall, 0, 0, callMapLookup},
		{opIfZero, 0, 2, 0},
		{opMove, 0, 0, 1},
		{opExit, 0, 0, 0},
		{opMove, 0, 0, 0},
		{opExit, 0, 0, 0},
	}
}

// The kernel's numbers of the devices (Documentation/admin-guide/devices.txt).
const (
	nullKey = 1<<32 | 3
	zeroKey = 1<<32 | 5
)

func askDeviceFilter(group string) (answer probe.DeviceFilter) {
	if err := tryFilter(group, &answer); err != nil {
		answer.Error = err.Error()
	}
	return answer
}

func tryFilter(group string, answer *probe.DeviceFilter) error {
	if err := os.WriteFile(filepath.Join(group, "cgroup.procs"), []byte(strconv.Itoa(os.Getpid())), 0); err != nil {
		return fmt.Errorf("cannot enter control group: %w", err)
	}
	dir, err := os.Open(group)
	if err != nil {
		return fmt.Errorf("cannot open control group: %w", err)
	}
	defer dir.Close()
	allowed, err := newMap()
	if err != nil {
		return err
	}
	if err := allow(allowed, nullKey); err != nil {
		return err
	}
	prog, err := load(filter(allowed))
	if err != nil {
		return err
	}
	if err := attach(unix.BPF_PROG_ATTACH, int(dir.Fd()), prog); err != nil {
		return fmt.Errorf("cannot attach device filter: %w", err)
	}
	answer.AllowedNull, answer.AllowedZero = tryOpen("/dev/null"), tryOpen("/dev/zero")
	if err := allow(allowed, zeroKey); err != nil {
		return err
	}
	answer.AddedZero = tryOpen("/dev/zero")
	if err := attach(unix.BPF_PROG_DETACH, int(dir.Fd()), prog); err != nil {
		return fmt.Errorf("cannot detach device filter: %w", err)
	}
	answer.DetachedFull = tryOpen("/dev/full")
	return nil
}

func tryOpen(path string) string {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err == nil {
		unix.Close(fd)
	}
	return errText(err)
}

// newMap makes a hash of device numbers.
func newMap() (int, error) {
	attr := struct{ kind, keySize, valueSize, entries, flags uint32 }{unix.BPF_MAP_TYPE_HASH, 8, 4, 8, 0}
	fd, err := bpf(unix.BPF_MAP_CREATE, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
	if err != nil {
		return 0, fmt.Errorf("cannot make BPF map: %w", err)
	}
	return fd, nil
}

func allow(mapFD int, device uint64) error {
	var pin runtime.Pinner
	defer pin.Unpin()
	key, value := device, uint32(1)
	attr := struct {
		fd, _             uint32
		key, value, flags uint64
	}{fd: uint32(mapFD), key: address(&pin, &key), value: address(&pin, &value)}
	if _, err := bpf(unix.BPF_MAP_UPDATE_ELEM, unsafe.Pointer(&attr), unsafe.Sizeof(attr)); err != nil {
		return fmt.Errorf("cannot add to BPF map: %w", err)
	}
	return nil
}

// load has the kernel verify and take the program. What the verifier says is
// part of the error.
func load(program []instruction) (int, error) {
	var pin runtime.Pinner
	defer pin.Unpin()
	license, log := []byte("GPL\x00"), make([]byte, 64<<10)
	attr := struct {
		kind, count       uint32
		program, license  uint64
		logLevel, logSize uint32
		log               uint64
	}{
		unix.BPF_PROG_TYPE_CGROUP_DEVICE, uint32(len(program)),
		address(&pin, &program[0]), address(&pin, &license[0]),
		1, uint32(len(log)), address(&pin, &log[0]),
	}
	fd, err := bpf(unix.BPF_PROG_LOAD, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
	if err != nil {
		return 0, fmt.Errorf("cannot load device filter: %w; the verifier says: %s", err, unix.ByteSliceToString(log))
	}
	return fd, nil
}

// attach attaches or detaches a program of devices. libvirt allows others
// beside its own, as here.
func attach(command, group, program int) error {
	attr := struct{ group, program, kind, flags, replace uint32 }{
		uint32(group), uint32(program), unix.BPF_CGROUP_DEVICE, unix.BPF_F_ALLOW_MULTI, 0,
	}
	if command == unix.BPF_PROG_DETACH {
		attr.flags = 0
	}
	_, err := bpf(command, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
	return err
}

func bpf(command int, attr unsafe.Pointer, size uintptr) (int, error) {
	for {
		fd, _, errno := unix.Syscall(unix.SYS_BPF, uintptr(command), uintptr(attr), size)
		switch errno {
		case 0:
			return int(fd), nil
		case unix.EAGAIN, unix.EINTR:
		default:
			return 0, errno
		}
	}
}

// address is where a value is, for a structure of the kernel. The value stays
// there until it is unpinned.
func address[T any](pin *runtime.Pinner, p *T) uint64 {
	pin.Pin(p)
	return uint64(uintptr(unsafe.Pointer(p)))
}
