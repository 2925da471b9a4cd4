package xfs

import (
	"fmt"
	"io/fs"
)

// Types in a mode, and formats of the data of an inode.
const (
	typeMask = 0xf000
	dirType  = 0x4000
	fileType = 0x8000
	linkType = 0xa000

	local   = 1
	extents = 2
	btree   = 3
)

type inode struct {
	number uint64
	mode   uint16
	format byte
	size   uint64
	// count is how many extents there are, fork the part of the inode that has them or the
	// data itself.
	count uint64
	fork  []byte
}

func (f *FS) find(name string) (*inode, error) {
	number, ok := f.known[name]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return f.inode(number)
}

func (f *FS) inode(number uint64) (*inode, error) {
	block := number >> f.inodeLog
	b, err := f.read(f.inodeBytes, f.offset(block)+int64(number&(1<<f.inodeLog-1)*f.inodeBytes))
	if err != nil {
		return nil, err
	}
	in := &inode{number: number, mode: be.Uint16(b[2:]), format: b[5], size: be.Uint64(b[56:]), count: uint64(be.Uint32(b[76:]))}
	head, version := 100, b[4]
	if f.v5 {
		head = 176
		if be.Uint64(b[120:])&0x10 != 0 { // 64-bit counts
			in.count = be.Uint64(b[24:])
		}
	}
	end := len(b)
	if b[82] != 0 {
		end = head + int(b[82])*8
	}
	switch {
	case string(b[:2]) != "IN" || f.v5 != (version == 3) || end > len(b):
		return nil, fmt.Errorf("inode %d is none", number)
	case f.v5 && (!summed(b, 100) || be.Uint64(b[152:]) != number):
		return nil, fmt.Errorf("the checksum of inode %d is wrong", number)
	case be.Uint16(b[90:])&1 != 0:
		return nil, fmt.Errorf("inode %d is on a realtime device", number)
	}
	in.fork = b[head:end]
	return in, nil
}

// extent says where some blocks of a file are.
type extent struct {
	first, block, count uint64
	unwritten           bool
}

// Limits of what is read of one inode.
const (
	mostExtents = 1 << 16
	mostBytes   = 16 << 20
)

func unpack(b []byte, n uint64) ([]extent, error) {
	if n > mostExtents || n*16 > uint64(len(b)) {
		return nil, fmt.Errorf("%d extents do not fit into %d bytes", n, len(b))
	}
	out := make([]extent, n)
	for i := range out {
		high, low := be.Uint64(b[i*16:]), be.Uint64(b[i*16+8:])
		out[i] = extent{high << 1 >> 10, high&0x1ff<<43 | low>>21, low & (1<<21 - 1), high>>63 == 1}
	}
	return out, nil
}

func (f *FS) extents(in *inode) ([]extent, error) {
	switch in.format {
	case extents:
		return unpack(in.fork, in.count)
	case btree:
		// The root has room for so many keys, and behind it for as many pointers.
		most := (len(in.fork) - 4) / 16
		level, n := be.Uint16(in.fork), int(be.Uint16(in.fork[2:]))
		if n > most || level == 0 || level > 8 {
			return nil, fmt.Errorf("the tree of inode %d cannot be", in.number)
		}
		var all []extent
		err := f.nodes(in.fork[4+most*8:], n, level-1, &all)
		return all, err
	}
	return nil, fmt.Errorf("inode %d has no extents", in.number)
}

// nodes reads what some pointers to blocks of a tree lead to.
func (f *FS) nodes(pointers []byte, n int, level uint16, all *[]extent) error {
	head, magic := 24, "BMAP"
	if f.v5 {
		head, magic = 72, "BMA3"
	}
	for i := range n {
		b, err := f.read(f.blockBytes, f.offset(be.Uint64(pointers[i*8:])))
		if err != nil {
			return err
		}
		count := int(be.Uint16(b[6:]))
		most := (len(b) - head) / 16
		if string(b[:4]) != magic || be.Uint16(b[4:]) != level || count > most || f.v5 && !summed(b, 64) {
			return fmt.Errorf("a block of a tree of extents is none")
		}
		if level > 0 {
			if err := f.nodes(b[head+most*8:], count, level-1, all); err != nil {
				return err
			}
			continue
		}
		found, err := unpack(b[head:], uint64(count))
		if err != nil {
			return err
		}
		if *all = append(*all, found...); len(*all) > mostExtents {
			return fmt.Errorf("more than %d extents", mostExtents)
		}
	}
	return nil
}

// content reads so many bytes of what an inode has, which are zero where there is no
// extent.
func (f *FS) content(in *inode, kind uint16, at, n uint64) ([]byte, error) {
	if in.mode&typeMask != kind || n > mostBytes {
		return nil, fmt.Errorf("inode %d is of another type than its folder says, or too large to be read", in.number)
	}
	found, err := f.extents(in)
	if err != nil {
		return nil, err
	}
	out := make([]byte, n)
	for _, e := range found {
		skip := max(at/f.blockBytes, e.first) - e.first
		for i := skip; i < e.count && !e.unwritten; i++ {
			begin := (e.first + i) * f.blockBytes
			if begin >= at+n {
				break
			}
			b, err := f.read(f.blockBytes, f.offset(e.block+i))
			if err != nil {
				return nil, err
			}
			if begin >= at {
				copy(out[begin-at:], b)
			} else {
				copy(out, b[at-begin:])
			}
		}
	}
	return out, nil
}
