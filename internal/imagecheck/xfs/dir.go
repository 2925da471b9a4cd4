package xfs

import (
	"fmt"
	"io/fs"
	"time"
)

// entry is an entry of a folder.
type entry struct {
	f      *FS
	name   string
	number uint64
	kind   byte
}

// kinds are the types of entries, as folders have them.
var kinds = []fs.FileMode{fs.ModeIrregular, 0, fs.ModeDir, fs.ModeDevice | fs.ModeCharDevice, fs.ModeDevice, fs.ModeNamedPipe, fs.ModeSocket, fs.ModeSymlink}

// Name is the name.
func (e entry) Name() string { return e.name }

// IsDir says whether it is a folder.
func (e entry) IsDir() bool { return e.Type() == fs.ModeDir }

// Type is that of the folder, or of the inode where folders say none.
func (e entry) Type() fs.FileMode {
	if e.f.typed && int(e.kind) < len(kinds) {
		return kinds[e.kind]
	}
	in, err := e.f.inode(e.number)
	if err != nil {
		return fs.ModeIrregular
	}
	return map[uint16]fs.FileMode{dirType: fs.ModeDir, fileType: 0, linkType: fs.ModeSymlink, 0x2000: kinds[3], 0x6000: kinds[4], 0x1000: kinds[5], 0xc000: kinds[6]}[in.mode&typeMask]
}

// Info tells its size.
func (e entry) Info() (fs.FileInfo, error) {
	in, err := e.f.inode(e.number)
	return info{e, in}, err
}

type info struct {
	entry
	in *inode
}

func (i info) Size() int64       { return int64(i.in.size) }
func (i info) Mode() fs.FileMode { return i.Type() | fs.FileMode(i.in.mode&0o777) }
func (info) ModTime() time.Time  { return time.Time{} }
func (info) Sys() any            { return nil }

// leaves is where a folder's data ends, and its index begins.
const leaves = 32 << 30

// entries reads a folder.
func (f *FS) entries(in *inode) ([]entry, error) {
	if in.mode&typeMask != dirType {
		return nil, fmt.Errorf("inode %d is no folder", in.number)
	}
	if in.format == local {
		return f.short(in)
	}
	if in.size > mostBytes {
		return nil, fmt.Errorf("folder %d has %d bytes", in.number, in.size)
	}
	found, err := f.extents(in)
	if err != nil {
		return nil, err
	}
	var all []entry
	done := uint64(0)
	for _, e := range found {
		for at := e.first * f.blockBytes / f.dirBytes * f.dirBytes; at < min((e.first+e.count)*f.blockBytes, in.size, leaves); at += f.dirBytes {
			if at < done {
				continue // a block of a folder may be in two extents
			}
			done = at + f.dirBytes
			b, err := f.content(in, dirType, at, f.dirBytes)
			if err != nil {
				return nil, err
			}
			if all, err = f.block(in, b, all); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

// short reads a folder that is in its inode.
func (f *FS) short(in *inode) (all []entry, err error) {
	b := in.fork[:min(uint64(len(in.fork)), in.size)]
	if len(b) < 6 {
		return nil, fmt.Errorf("folder %d is cut off", in.number)
	}
	n, wide := int(b[0]), 4
	if b[1] != 0 { // so many numbers are wide, and all have room for it
		wide = 8
	}
	b = b[min(2+wide, len(b)):]
	for range n {
		kind := 0
		if f.typed {
			kind = 1
		}
		if len(b) < 3 || len(b) < 3+int(b[0])+kind+wide {
			return nil, fmt.Errorf("folder %d is cut off", in.number)
		}
		e := entry{f: f, name: string(b[3 : 3+b[0]])}
		b = b[3+b[0]:]
		if f.typed {
			e.kind = b[0]
			b = b[1:]
		}
		for _, one := range b[:wide] {
			e.number = e.number<<8 | uint64(one)
		}
		b = b[wide:]
		all = append(all, e)
	}
	return all, nil
}

// block reads the entries in a block of a folder.
func (f *FS) block(in *inode, b []byte, all []entry) ([]entry, error) {
	head, single, many := 16, "XD2B", "XD2D"
	if f.v5 {
		head, single, many = 64, "XDB3", "XDD3"
	}
	magic := string(b[:4])
	if magic != single && magic != many || f.v5 && (!summed(b, 4) || be.Uint64(b[40:]) != in.number) {
		return nil, fmt.Errorf("a block of folder %d is none", in.number)
	}
	end := len(b)
	if magic == single { // its index is at its end
		if end -= 8 + 8*int(be.Uint32(b[end-8:])); end < head {
			return nil, fmt.Errorf("the index of folder %d is longer than its block", in.number)
		}
	}
	for at := head; at+8 <= end; {
		if be.Uint16(b[at:]) == 0xffff {
			free := int(be.Uint16(b[at+2:]))
			if free < 8 || free%8 != 0 {
				return nil, fmt.Errorf("folder %d has a gap of %d bytes", in.number, free)
			}
			at += free
			continue
		}
		n := 0
		if at+9 <= end {
			n = int(b[at+8])
		}
		kind := 0
		if f.typed {
			kind = 1
		}
		size := (8 + 1 + n + kind + 2 + 7) / 8 * 8
		if n == 0 || at+size > end {
			return nil, fmt.Errorf("an entry of folder %d leaves its block", in.number)
		}
		e := entry{f: f, number: be.Uint64(b[at:]), name: string(b[at+9 : at+9+n])}
		if f.typed {
			e.kind = b[at+9+n]
		}
		all = append(all, e)
		at += size
	}
	return all, nil
}
