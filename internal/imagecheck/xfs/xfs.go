// Package xfs reads files, folders and links of an XFS in user space, without trusting
// it. The libraries that there are follow no links, check no checksums, and read neither
// what xfsprogs makes since 6.5 (64-bit counts of extents) nor files with holes.
//
// The format is that of the XFS Algorithms & Data Structures of kernel.org, versions 4
// and 5; fields are big endian but for checksums.
package xfs

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"math/bits"
	"path"
)

// FS is an XFS that is open for reading. It is asked for paths without links, of which the
// folder above was read before.
type FS struct {
	from io.ReaderAt
	super
	// known are the inodes of the paths that were seen.
	known map[string]uint64
}

// super is the superblock.
type super struct {
	blockBytes, inodeBytes, dirBytes uint64
	groupBlocks, groups              uint64
	inodeLog, groupLog               uint
	v5, typed                        bool
	logStart, logBytes               uint64
}

// Incompatible features that are read here, or change nothing of what is read.
const (
	typedEntries = 0x1 // folders say what an entry is
	readable     = typedEntries | 0x2 | 0x4 | 0x8 | 0x20 | 0x40 | 0x80
	needsRepair  = 0x10
)

var (
	be         = binary.BigEndian
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

// Open opens the XFS that begins where from does and has this size.
func Open(from io.ReaderAt, bytes int64) (*FS, error) {
	b := make([]byte, 512)
	if _, err := from.ReadAt(b, 0); err != nil {
		return nil, fmt.Errorf("cannot read superblock: %w", err)
	}
	if string(b[:4]) != "XFSB" {
		return nil, fmt.Errorf("it has no superblock of XFS")
	}
	version := be.Uint16(b[100:]) & 15
	s := super{
		blockBytes: uint64(be.Uint32(b[4:])), groupBlocks: uint64(be.Uint32(b[84:])), groups: uint64(be.Uint32(b[88:])),
		inodeBytes: uint64(be.Uint16(b[104:])), inodeLog: uint(b[123]), groupLog: uint(b[124]),
		v5: version == 5, typed: be.Uint32(b[200:])&0x200 != 0, logStart: be.Uint64(b[48:]),
	}
	s.logBytes = uint64(be.Uint32(b[96:])) * s.blockBytes
	s.dirBytes = s.blockBytes << (b[192] & 15)
	if s.v5 {
		features := be.Uint32(b[216:])
		s.typed = features&typedEntries != 0
		if features&needsRepair != 0 {
			return nil, fmt.Errorf("it is marked as broken: xfs_repair")
		}
		if more := features &^ readable; more != 0 {
			return nil, fmt.Errorf("it has the incompatible feature 1<<%d, which is not read here", bits.TrailingZeros32(more))
		}
	}
	if err := s.sane(version, be.Uint64(b[8:]), uint64(bytes)); err != nil {
		return nil, err
	}
	if s.v5 {
		whole := make([]byte, max(512, be.Uint16(b[102:])))
		if _, err := from.ReadAt(whole, 0); err != nil || !summed(whole, 224) {
			return nil, fmt.Errorf("the checksum of its superblock is wrong")
		}
	}
	return &FS{from: from, super: s, known: map[string]uint64{".": be.Uint64(b[56:])}}, nil
}

// sane refuses what cannot be, before sizes are taken from it.
func (s *super) sane(version uint16, blocks, bytes uint64) error {
	powers := bits.OnesCount64(s.blockBytes) == 1 && bits.OnesCount64(s.inodeBytes) == 1
	switch {
	case version != 4 && version != 5:
		return fmt.Errorf("it is of version %d; 4 and 5 are read here", version)
	case !powers || s.blockBytes < 512 || s.blockBytes > 65536 || s.inodeBytes < 256 || s.inodeBytes > 2048 || s.dirBytes > 65536,
		s.blockBytes>>s.inodeLog != s.inodeBytes, s.groupLog > 31, s.groupBlocks == 0, s.groupBlocks > 1<<s.groupLog:
		return fmt.Errorf("its superblock cannot be: blocks of %d bytes, inodes of %d, folders in %d, groups of %d", s.blockBytes, s.inodeBytes, s.dirBytes, s.groupBlocks)
	case blocks > bytes/s.blockBytes || s.groups > blocks/s.groupBlocks+1:
		return fmt.Errorf("it has %d blocks of %d bytes, and is %d bytes long", blocks, s.blockBytes, bytes)
	}
	return nil
}

// summed compares the checksum of a block, which is at an offset in it.
func summed(b []byte, at int) bool {
	sum := crc32.Update(0, castagnoli, b[:at])
	sum = crc32.Update(sum, castagnoli, make([]byte, 4))
	return crc32.Update(sum, castagnoli, b[at+4:]) == binary.LittleEndian.Uint32(b[at:])
}

// offset is where a block is, which is numbered by its group and in it.
func (s *super) offset(block uint64) int64 {
	return int64((block>>s.groupLog*s.groupBlocks + block&(1<<s.groupLog-1)) * s.blockBytes)
}

func (f *FS) read(n uint64, at int64) ([]byte, error) {
	b := make([]byte, n)
	if _, err := f.from.ReadAt(b, at); err != nil {
		return nil, fmt.Errorf("cannot read %d bytes at %d: %w", n, at, err)
	}
	return b, nil
}

// ReadDir reads a folder.
func (f *FS) ReadDir(name string) ([]fs.DirEntry, error) {
	in, err := f.find(name)
	if err != nil {
		return nil, err
	}
	entries, err := f.entries(in)
	if err != nil {
		return nil, err
	}
	out := make([]fs.DirEntry, 0, len(entries))
	for _, e := range entries {
		if e.name == "." || e.name == ".." {
			continue
		}
		f.known[path.Join(name, e.name)] = e.number
		out = append(out, e)
	}
	return out, nil
}

// ReadFile reads a regular file.
func (f *FS) ReadFile(name string) ([]byte, error) {
	in, err := f.find(name)
	if err != nil {
		return nil, err
	}
	return f.content(in, fileType, 0, in.size)
}

// ReadLink reads a symbolic link.
func (f *FS) ReadLink(name string) (string, error) {
	in, err := f.find(name)
	if err != nil {
		return "", err
	}
	if in.mode&typeMask != linkType || in.size == 0 || in.size > 1024 {
		return "", fmt.Errorf("it is no link, or one of %d bytes", in.size)
	}
	if in.format == local {
		return string(in.fork[:min(in.size, uint64(len(in.fork)))]), nil
	}
	const head = 56 // of version 5
	if !f.v5 {
		b, err := f.content(in, linkType, 0, in.size)
		return string(b), err
	}
	b, err := f.content(in, linkType, 0, f.blockBytes)
	if err != nil {
		return "", err
	}
	if string(b[:4]) != "XSLM" || !summed(b, 12) || in.size > uint64(len(b)-head) {
		return "", fmt.Errorf("its target is broken, or in more than one block")
	}
	return string(b[head : head+in.size]), nil
}
